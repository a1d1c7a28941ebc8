"""A runner that knows only the entry point and the manifest, in an environment with the core install."""

import hashlib
import hmac
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.chatforge.samples import EVENT
from connector.sandbox import Sandbox
from connector.sandbox.account import Visitor
from connector.sandbox.faults import Fault
from connector.sandbox.server import running

RUNNERS = Path(__file__).parent / "foreign_runner"
Tell = Callable[..., dict[str, Any]]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as served:
        yield served


@pytest.fixture(params=["runner.py", "async_runner.py"])
def tell(request: pytest.FixtureRequest, core_python: Path, tmp_path: Path, sandbox: Sandbox) -> Iterator[Tell]:
    """tell(do=…, …) → the runner's answer."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CHATFORGE_"))}
    environ |= {
        "CHATFORGE_BASE_URL": sandbox.url,
        "CHATFORGE_API_KEY": sandbox.api_key,
        "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
        "CHATFORGE_BUDGET_FILE": "budget.sqlite",
    }
    command = [str(core_python), "-W", "error", str(RUNNERS / request.param)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, env=environ, text=True, **pipes) as runner:

        def answer(**command: Any) -> dict[str, Any]:
            assert runner.stdin is not None
            assert runner.stdout is not None
            print(json.dumps(command), file=runner.stdin, flush=True)
            return dict(json.loads(runner.stdout.readline()))

        yield answer
        assert runner.stdin is not None
        runner.stdin.close()
        assert runner.wait(10) == 0


def visit(sandbox: Sandbox, name: str) -> str:
    conversation, _, _ = sandbox.receive_visitor(sandbox.agent_id, Visitor(name=name), [], capture_lead=True)
    return conversation


def test_foreign_runner_uses_everything_that_the_manifest_names(tell: Tell, sandbox: Sandbox) -> None:
    listed = tell(do="list")["result"]
    assert {"chatforge.inject_message", "chatforge.new_lead", "chatforge.event", "manual"} <= set(listed)

    assert [agent["id"] for agent in tell(do="check", name="chatforge")["result"]["agents"]] == [sandbox.agent_id]

    conversation = visit(sandbox, "John Smith")
    poll = {"do": "poll", "name": "chatforge.new_lead", "input": {"start": "all"}}
    assert [lead["visitor_name"] for lead in tell(**poll)["result"]] == ["John Smith"]
    visit(sandbox, "Ann")
    assert [lead["visitor_name"] for lead in tell(**poll)["result"]] == ["Ann"]
    assert tell(**poll)["result"] == []

    body = json.dumps(EVENT, separators=(",", ":"))
    signature = hmac.new(sandbox.webhook_secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    hook = {"do": "webhook", "name": "chatforge.lead_captured", "body": body}
    came = tell(**hook, headers={"X-ChatForge-Signature": signature})["result"]
    assert [lead["visitor_email"] for lead in came] == ["john@example.com"]
    assert tell(**hook, headers={"X-ChatForge-Signature": signature})["result"] == []
    assert "does not fit the body" in tell(**hook, headers={"X-ChatForge-Signature": "0" * 64})["error"]

    message = {"agent_id": sandbox.agent_id, "conversation_id": conversation, "content": "Hi, this is Cal."}
    assert tell(do="run", name="chatforge.inject_message", input=message)["result"]["message"]["role"] == "assistant"


def test_foreign_runner_gets_errors_that_it_can_act_on(tell: Tell, sandbox: Sandbox) -> None:
    def facts(**answer: Any) -> tuple[Any, ...]:
        return tuple(answer[name] for name in ("kind", "processed", "transient", "retry_after"))

    message = {"agent_id": sandbox.agent_id, "conversation_id": "uuid", "content": "Hi"}
    send = {"do": "run", "name": "chatforge.inject_message", "input": message}
    assert facts(**tell(**send)) == ("not_found", "no", False, None)
    sandbox.faults.add(Fault(status=429, headers={"Retry-After": "7"}))
    assert facts(**tell(**send)) == ("rate_limit", "no", True, 7.0)
    sandbox.faults.add(Fault(cut="after_effect"))
    assert facts(**tell(**send)) == ("network", "unknown", True, None)
    assert facts(**tell(**send | {"input": {}})) == ("input", "no", False, None)
    assert "did you mean" in tell(do="run", name="chatforge.inject_mesage", input={})["error"]
    assert (
        "it joins chatforge.event and chatforge.new_lead"
        in tell(do="poll", name="chatforge.lead_captured", input={})["error"]
    )
