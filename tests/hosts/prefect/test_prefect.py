"""The block, the tasks and the poll in the real Prefect, with the sandbox behind it."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hosts.prefect.prefect_host import Prefect, serving
from hosts.results import record

from connector.sandbox import Sandbox
from connector.sandbox.server import running

pytestmark = pytest.mark.hosts
FLOWS = Path(__file__).with_name("flows")


@pytest.fixture
def prefect(tmp_path) -> Iterator[Prefect]:
    """With the sandbox's account as the block `main`."""
    with running() as sandbox, serving(tmp_path, sandbox) as host:
        assert "agents: 1" in host.keep_account(sandbox.api_key)
        yield host
        assert sandbox.api_key not in host.written()


def visit(sandbox: Sandbox, **visitor: str) -> dict[str, str]:
    answer = httpx.post(f"{sandbox.control_url}/visitors", json={"webhook": False, **visitor})
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


def fail(sandbox: Sandbox, action: str, **how: object) -> None:
    answer = httpx.post(f"{sandbox.control_url}/faults", json={"action": action, "times": 1, **how})
    assert answer.status_code == 201, answer.text


def run_actions(host: Prefect, *given: tuple[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """In one flow: whether each failed, its output or its error."""
    result = host.folder / "result.json"
    done = host.call("python", str(FLOWS / "actions.py"), ACTIONS=json.dumps(given), RESULT=str(result))
    assert result.exists(), done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(result.read_text())
    return found


def test_each_action_runs_as_a_task(prefect, built_in):
    story = visit(prefect.sandbox, visitor_email="ann@example.com", visitor_name="Ann")
    known = {"agent_id": prefect.sandbox.agent_id, "visitor_email": "ann@example.com", **story}
    actions = [action for name, action in built_in.actions.items() if name.startswith("chatforge.")]
    actions.sort(key=lambda action: action.effect == "destructive")
    given = []
    for action in actions:
        taken = action.example | {name: value for name, value in known.items() if name in action.example}
        taken.pop("captured_at", None)
        given.append((action.name, taken))
    for action, one in zip(actions, run_actions(prefect, *given), strict=True):
        assert not one["failed"], one["said"]
        action.output.model_validate(one["output"])
        record("prefect", f"action:{action.name.partition('.')[2]}", "task")
    record("prefect", "sample", "output as the task's result")


def test_error_says_what_to_do_and_is_tried_again_only_where_that_helps(prefect):
    agent = {"agent_id": prefect.sandbox.agent_id}
    message = {**agent, "conversation_id": visit(prefect.sandbox)["conversation_id"], "content": "Hello"}
    fail(prefect.sandbox, "v1-analytics", status=429, headers={"Retry-After": "1"})
    fail(prefect.sandbox, "v1-leads", status=200, style="html")
    fail(prefect.sandbox, "v1-message", status=502)
    missing, limited, page, unknown = run_actions(
        prefect,
        ("chatforge.get_agent", {"agent_id": "gone"}),
        ("chatforge.get_analytics", agent),
        ("chatforge.list_leads", agent),
        ("chatforge.inject_message", message),
    )
    assert missing["said"].startswith("chatforge.get_agent: not found at ChatForge (404")
    assert not limited["failed"]  # at the second attempt
    assert "expected JSON from ChatForge, got an HTML page" in page["said"]
    assert "it may have carried out the request, so look there before you repeat it" in unknown["said"]
    assert {one["kind"] for one in (missing, page, unknown)} == {"ActionFailedError"}
    counted = {action: sum(codes.values()) for action, codes in prefect.sandbox.counters.by_action().items()}
    assert (counted["v1-agent"], counted["v1-leads"], counted["v1-message"]) == (1, 1, 1)
    assert "the API key is not accepted" in prefect.keep_account("cf_wrong")
    [refused] = run_actions(prefect, ("chatforge.list_agents", {}))
    assert "here it is api_key of the block ChatForge Credentials" in refused["said"]
    assert "cf_wrong" not in prefect.written()
    record("prefect", "credential test", "check() of the block")
    record("prefect", "errors", "failed task with the hint; tried again only where that helps")


def test_lead_comes_again_only_where_the_flow_was_killed_before_it_was_done(prefect):
    def come(**more: str) -> list[str]:
        return re.findall(r"came: (.*)", prefect.call("python", str(FLOWS / "leads.py"), **more).stdout)

    assert come() == []
    names = ["Ann", "Bob", "Cleo"]
    together = {"created_at": datetime.now(UTC).isoformat()}
    for name in names:
        visit(prefect.sandbox, visitor_name=name, **together)
    before = come(DIE_AT="Bob")
    after = come()
    assert before[-1] == after[0] == "Bob"
    assert sorted([*before, *after[1:]]) == names
    assert come() == []
    record("prefect", "poll", "leads in a flow; killed: none lost, none doubled but the one in hand")


def test_prefect_finds_the_block_by_itself(prefect):
    program = "from prefect.blocks.core import Block; print(Block.load('chatforge-credentials/main').api_key)"
    done = prefect.call("python", "-c", f"import prefect.main; {program}")
    assert done.stdout.strip() == "**********", done.stderr


def test_flow_of_the_page_greets_who_left_an_email(prefect):
    page = (Path(__file__).parents[3] / "docs" / "prefect.md").read_text()
    [code] = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def greet_leads" in code]
    script = prefect.folder / "greet_leads.py"
    script.write_text(code)
    visitors = [{"visitor_email": "ann@example.com", "visitor_name": "Ann"}, {"visitor_phone": "+15550100"}]
    visitors.append({"visitor_email": "bob@example.com"})
    stories: list[dict[str, str]] = []
    for _ in range(2):
        done = prefect.call("python", str(script))
        assert done.returncode == 0, done.stderr
        stories = stories or [visit(prefect.sandbox, **visitor) for visitor in visitors]
    found = [prefect.sandbox.find_conversation(story["conversation_id"])[1].messages for story in stories]
    greeted = [[message.content for message in messages if message.content.startswith("Hi ")] for messages in found]
    told = "Hi {}, this is Cal jumping in. How can I help?"
    assert greeted == [[told.format("Ann")], [], [told.format("there")]]
