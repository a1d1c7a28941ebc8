import asyncio
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hubspot
import pytest
from cases import AGENT, CASES, CONVERSATION, PAGE_SIZE, Case
from expected import check, count_found
from replays import open_cassette, replay
from scrub import find_secret
from vcr.errors import CannotOverwriteExistingCassetteException

from connector import errors
from connector.adapter import Adapter
from connector.errors import ActionError, NetworkError
from connector.registry import Registry
from connector.sandbox import settings as sandbox

Make = Callable[..., Adapter]

NEVER_ANSWERED = {"input", "network", "timeout"}
"""Kinds of errors without an answer: nothing was sent, nothing came, or nobody waited for it."""
OF_OTHERS = {"duplicate", "permission"}
"""Kinds of errors that ChatForge does not answer with."""
SECRETS = (
    *(sandbox.API_KEY, sandbox.SMALL_PLAN_KEY, sandbox.OTHER_API_KEY, sandbox.WEBHOOK_SECRET),
    *("cf_", "bearer", "whsec", "authorization", "cookie"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)
def test_cassette_gives_what_its_answers_say(
    case: Case, engine: str, folder: Path, committed: Path, make_replayer: Make, attempts: list[Any]
):
    if folder != committed and not (folder / case.path).exists():
        pytest.skip("this set does not have it")
    done = replay(case, folder, make_replayer())
    check(done)
    if folder == committed and not case.error:  # an account may be empty, the sandbox is not
        assert len(done.outputs) >= case.pages
        assert count_found(done) > 0


def test_every_action_and_polled_trigger_has_a_success(built_in: Registry, committed: Path):
    declared = {name for name in built_in.actions if name.startswith("chatforge.")}
    declared |= {name for name, trigger in built_in.triggers.items() if trigger.poll is not None}
    recorded = {f"chatforge.{case.operation}" for case in CASES if not case.error and (committed / case.path).exists()}
    assert recorded == declared


def test_every_kind_of_error_has_a_cassette(committed: Path):
    kinds = {kind.kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ActionError)}
    recorded = {case.error for case in CASES if case.error and (committed / case.path).exists()}
    assert recorded == kinds - NEVER_ANSWERED - OF_OTHERS - {ActionError.kind}


def test_every_cassette_has_a_case(folder: Path):
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml")}
    assert files <= {case.path for case in CASES} | hubspot.PATHS


def test_no_file_holds_a_secret(folder: Path):
    files = [path for path in folder.rglob("*") if path.suffix == ".yaml"]
    assert files
    assert {path.name: found for path in files if (found := find_secret(path.read_text("utf-8"), SECRETS))} == {}


MESSAGE = {"agent_id": AGENT, "conversation_id": CONVERSATION, "content": "Something else"}
LEADS = {"agent_id": AGENT, "limit": PAGE_SIZE}


@pytest.mark.parametrize(
    ("path", "action", "input", "environ"),
    [
        pytest.param("list_leads/success.yaml", "list_leads", LEADS | {"limit": 3}, {}, id="query"),
        pytest.param("inject_message/success.yaml", "inject_message", MESSAGE, {}, id="body"),
        pytest.param("get_agent/success.yaml", "delete_agent", {"agent_id": AGENT}, {}, id="method"),
        pytest.param(
            "list_leads/success.yaml",
            "list_leads",
            LEADS,
            {"CHATFORGE_BASE_URL": "http://chatforge.invalid/api/other.js"},
            id="path",
        ),
        pytest.param(
            "list_leads/success.yaml", "list_leads", LEADS, {"CHATFORGE_API_KEY": "another"}, id="authorization"
        ),
    ],
)
def test_request_that_is_not_recorded_fails(
    path: str,
    action: str,
    input: dict[str, Any],
    environ: dict[str, str],
    engine: str,
    committed: Path,
    make_replayer: Make,
    attempts: Any,
):
    caught = run_once(committed / path, make_replayer(**environ), action, input)
    assert isinstance(caught.__cause__, CannotOverwriteExistingCassetteException)
    # vcrpy stands in for the transport itself: nothing of it was left out.
    frames = traceback.extract_tb(caught.__cause__.__traceback__)
    assert any(frame.filename.endswith(f"{engine}_stubs.py") for frame in frames)


def test_request_that_is_sent_twice_fails_the_second_time(committed: Path, make_replayer: Make, attempts: Any):
    async def run(adapter: Adapter) -> None:
        async with adapter:
            await adapter.run("chatforge.list_agents", {})
            with pytest.raises(NetworkError):
                await adapter.run("chatforge.list_agents", {})

    with open_cassette(committed / "list_agents" / "success.yaml"):
        asyncio.run(run(make_replayer()))


def test_connection_while_the_network_is_off_is_noticed(
    engine: str, tmp_path: Path, make_replayer: Make, attempts: list[Any]
):
    async def run(adapter: Adapter) -> None:
        async with adapter:
            with pytest.raises(NetworkError):
                await adapter.run("chatforge.list_agents", {})

    asyncio.run(run(make_replayer(CHATFORGE_BASE_URL="http://127.0.0.1:9")))
    assert attempts
    attempts.clear()


def test_cassette_with_a_python_object_is_refused_and_not_executed(tmp_path: Path):
    made = tmp_path / "made"
    cassette = tmp_path / "hostile.yaml"
    cassette.write_text(f"version: 1\ninteractions: !!python/object/apply:os.mkdir [{str(made)!r}]\n", "utf-8")
    with pytest.raises(ValueError, match="problem loading the cassette"), open_cassette(cassette):
        pass
    assert not made.exists()


def run_once(cassette: Path, adapter: Adapter, action: str, input: dict[str, Any]) -> NetworkError:
    async def run() -> NetworkError:
        async with adapter:
            with pytest.raises(NetworkError) as caught:
                await adapter.run(f"chatforge.{action}", input)
            return caught.value

    with open_cassette(cassette):
        return asyncio.run(run())
