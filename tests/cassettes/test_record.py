from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hubspot
import pytest
from accounts import SandboxSite
from cases import CASES, NAME, Case
from expected import check
from record import RecordingError, choose_live, record_live, record_sandbox, taping
from replays import replay
from scrub import find_secret

from connector.adapter import Adapter
from connector.registry import Registry
from connector.sandbox import Sandbox, SandboxSettings
from connector.sandbox.server import running

KEY = "cf_live_canary_key_0123456789"
CANARIES = (
    *("Canary Person", "canary@person.test", "+49 170 7654321", "canary summary", "canary.test/page"),
    *("Canary Agent", "canary welcome", "canary prompt", "canary knowledge", "canary words"),
)


@pytest.fixture
def vendor() -> Iterator[Sandbox]:
    """A sandbox in the part of the vendor: everything in it that somebody wrote is a canary."""
    settings = SandboxSettings(api_key=KEY, agent_id="0b1f7a52-9c1d-4c57-8a35-2f1e8d0c7b6a", agent_name="Canary Agent")
    with running(settings) as sandbox, SandboxSite(sandbox, {}) as site:
        texts = {name: f"canary {name}" for name in ("welcome", "prompt", "knowledge")}
        fields = ("welcome_message", "system_prompt", "knowledge_base")
        changes = dict(zip(fields, texts.values(), strict=True))
        site.call("PUT", "v1-agent", changes, agent_id=sandbox.agent_id)
        for number in range(3):
            site.visit(
                visitor_name=f"Canary Person {number}",
                visitor_email=f"canary@person.test{number}",
                visitor_phone=f"+49 170 7654321{number}",
                conversation_summary=f"canary summary {number}",
                page_url=f"https://canary.test/page{number}",
                messages=["canary words"],
            )
        yield sandbox


def changes_of(sandbox: Sandbox) -> list[tuple[str, str]]:
    """What the recorder changed; the first change made the canaries."""
    return [(effect.method, effect.action) for effect in sandbox.effects.entries][1:]


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.glob("*/*.yaml")}


def record(vendor: Sandbox, out: Path, built_in: Registry, cases: Sequence[Case]) -> tuple[bool, str]:
    """Whether all went well, and what was said."""
    said: list[str] = []
    done = record_live(out, built_in, KEY, vendor.url, cases, say=said.append, pause=0)
    return done, "\n".join(said)


def test_committed_cassettes_are_what_the_sandbox_says(tmp_path: Path, committed: Path, built_in: Registry):
    assert record_sandbox(tmp_path, built_in, say=lambda _line: None)
    hubspot.record_all(tmp_path, built_in, taping)
    assert contents(tmp_path) == contents(committed), "a double or the requests have changed: run make cassettes"


def test_live_recording_tells_nothing_of_the_account_and_replays(
    vendor: Sandbox, tmp_path: Path, built_in: Registry, make_replayer: Callable[..., Adapter]
):
    cases, before = choose_live(writes=True), dict(vendor.account.agents)
    done, said = record(vendor, tmp_path, built_in, cases)
    assert done, said
    assert contents(tmp_path).keys() == {case.path for case in cases}
    held = [*CANARIES, KEY, "bearer", "cf_", vendor.agent_id, *vendor.account.conversations, *vendor.account.leads]
    texts = [*contents(tmp_path).items(), ("said", said)]
    assert {name: found for name, text in texts if (found := find_secret(text, held))} == {}
    for case in cases:
        check(replay(case, tmp_path, make_replayer()))
    assert vendor.account.agents == before
    assert ("POST", "v1-message") not in changes_of(vendor)
    assert (tmp_path / ".gitignore").read_text() == "*\n"


def test_live_recording_without_writes_changes_nothing(vendor: Sandbox, tmp_path: Path, built_in: Registry):
    done, said = record(vendor, tmp_path, built_in, choose_live(writes=False))
    assert done, said
    assert changes_of(vendor) == []


def test_agents_made_are_deleted_when_something_fails(vendor: Sandbox, tmp_path: Path, built_in: Registry):
    before = dict(vendor.account.agents)
    with SandboxSite(vendor, {}) as site:
        # made but not said, refused, and a deletion that fails at first
        site.order(action="v1-agents", method="POST", status=500, after_effect=True)
        site.order(action="v1-agent", method="PUT", status=500)
        site.order(action="v1-agent", method="DELETE", status=500, times=2)
    cases = [case for case in choose_live(writes=True) if case.writes]
    done, said = record(vendor, tmp_path, built_in, cases)
    assert not done
    assert said.count("yaml: failed") == 3
    assert len(contents(tmp_path)) == len(cases) - 3
    assert vendor.account.agents == before


def test_agent_that_cannot_be_deleted_is_named(vendor: Sandbox, tmp_path: Path, built_in: Registry):
    with SandboxSite(vendor, {}) as site:
        site.order(action="v1-agent", method="DELETE", status=500, times=9)
    done, said = record(vendor, tmp_path, built_in, [case for case in CASES if case.operation == "create_agent"])
    [_, left] = vendor.account.agents.values()
    assert not done
    assert left.name in said


def test_agent_with_the_name_of_a_placeholder_is_another_one(
    vendor: Sandbox, tmp_path: Path, built_in: Registry, make_replayer: Callable[..., Adapter]
):
    with SandboxSite(vendor, {}) as site:
        site.call("POST", "v1-agents", {"name": NAME})
    before = dict(vendor.account.agents)
    cases = [case for case in CASES if case.operation == "upsert_agent"]
    done, said = record(vendor, tmp_path, built_in, cases)
    assert done, said
    assert vendor.account.agents == before
    for case in cases:
        check(replay(case, tmp_path, make_replayer()))


def test_answer_that_repeats_the_key_is_not_written(vendor: Sandbox, tmp_path: Path, built_in: Registry):
    body = {"month": "2026-03", f"{KEY}": 1}
    with SandboxSite(vendor, {}) as site:
        site.order(action="v1-analytics", status=200, body=body)
    cases = [case for case in CASES if case.operation == "get_analytics" and case.live is not None]
    done, said = record(vendor, tmp_path, built_in, cases)
    assert not done
    assert contents(tmp_path) == {}
    assert KEY not in said


def test_live_recording_refuses_a_folder_with_something_else(tmp_path: Path, built_in: Registry):
    (tmp_path / "letter.txt").write_text("Dear Ann")
    with pytest.raises(RecordingError, match="holds something else"):
        record_live(tmp_path, built_in, KEY, "http://chatforge.invalid", ())
