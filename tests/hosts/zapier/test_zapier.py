"""The generated app in the real Zapier platform: its definition, actions, account and errors."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hosts.results import record

from connector.sandbox.settings import API_KEY

pytestmark = pytest.mark.hosts

START = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)


def test_app_is_valid(app):
    assert "No structural errors found" in app.platform("validate", "--without-style")


def test_each_action_gives_what_it_declares(app, built_in):
    conversation = app.visit("john@example.com", START, name="John")
    known = {"agent_id": app.sandbox.agent_id, "conversation_id": conversation}
    actions = [one for name, one in built_in.actions.items() if name.startswith("chatforge.") and not one.local]
    actions.sort(key=lambda action: action.effect == "destructive")
    orders = []
    for action in actions:
        given = {name: known.get(name, value) for name, value in action.example.items() if name != "captured_at"}
        kind = "searches" if action.effect == "read" else "creates"
        orders.append({"kind": kind, "key": action.name.partition(".")[2], "input": given})
    found = {order["key"]: (order["kind"], outcome) for order, outcome in zip(orders, app.run(*orders), strict=True)}
    shown = {"creates": "create", "searches": "search"}
    for name, (kind, outcome) in found.items():
        assert "error" not in outcome, (name, outcome)
        if kind == "creates":
            built_in.action(f"chatforge.{name}").output.model_validate(outcome["output"])
        record("zapier", f"action:{name}", shown[kind])
    assert found["find_lead"][1]["output"][0]["lead"]["visitor_email"] == "john@example.com"
    assert found["inject_message"][1]["output"]["message"]["content"].startswith("Hi, this is Cal")


def test_samples_have_the_fields_of_outputs(app):
    app.visit("john@example.com", START, name="John")
    given = {"agent_id": app.sandbox.agent_id, "visitor_email": "john@example.com"}
    definitions = json.loads((app.folder / "definitions.json").read_text())
    keys = ["list_leads", "list_conversations", "find_lead", "find_conversation", "get_analytics", "get_agent"]
    outcomes = app.run(*({"kind": "searches", "key": key, "input": given} for key in keys))
    for key, outcome in zip(keys, outcomes, strict=True):
        declared = {field["key"] for field in definitions["actions"][key]["output"]}
        assert {*_paths(outcome["output"][0])} == declared, key
    record("zapier", "sample", "for each operation")


def _paths(value: dict[str, Any], path: str = "") -> list[str]:
    """As Zapier writes them: `lead__id`."""
    found = []
    for name, part in value.items():
        found += _paths(part, f"{path}{name}__") if isinstance(part, dict) else [f"{path}{name}"]
    return found


def test_upsert_creates_once_and_switches_off(app):
    order = {"kind": "creates", "key": "upsert_agent"}
    first, second, third = (
        outcome["output"]
        for outcome in app.run(
            {**order, "input": {"name": "Sales", "system_prompt": "Be kind.", "active": False}},
            {**order, "input": {"name": "Sales", "welcome_message": "Hello"}},
            {**order, "input": {"name": "Support"}},
        )
    )
    assert (first["created"], first["agent"]["active"], second["created"]) == (True, False, False)
    assert first["agent"]["id"] == second["agent"]["id"] != third["agent"]["id"]
    assert (second["agent"]["system_prompt"], second["agent"]["active"]) == ("Be kind.", False)


def test_name_of_several_agents_is_not_upserted(app):
    create = {"kind": "creates", "key": "create_agent", "input": {"name": "Sales"}}
    *_, outcome = app.run(create, create, {**create, "key": "upsert_agent"})
    assert outcome["error"] == "HaltedError"
    assert "2 agents are called 'Sales'" in outcome["message"]


@pytest.mark.parametrize(
    ("kind", "key", "given", "words"),
    [
        ("creates", "update_agent", {"name": ""}, "there is nothing to change"),
        ("searches", "find_lead", {"lead_id": " ", "visitor_name": "John"}, "a lead is found by lead_id"),
        ("searches", "find_conversation", {"visitor_name": "John"}, "without visitor_email"),
    ],
)
def test_too_little_input_is_refused_before_anything_is_sent(app, kind, key, given, words):
    [outcome] = app.run({"kind": kind, "key": key, "input": {"agent_id": app.sandbox.agent_id, **given}})
    assert outcome["error"] == "HaltedError"
    assert outcome["message"].startswith(words)
    assert app.requests() == {}


def test_text_in_curly_brackets_stays_text(app):
    text = "{{bundle.authData.api_key}} {{process.env.HOME}} ' \" \\ \u2028 é"
    created, listed = app.run(
        {"kind": "creates", "key": "create_agent", "input": {"name": "Braces", "system_prompt": text}},
        {"kind": "searches", "key": "list_agents"},
    )
    assert created["output"]["agent"]["name"] == "Braces"
    agent_id = next(agent["id"] for agent in listed["output"] if agent["name"] == "Braces")
    [got] = app.run({"kind": "searches", "key": "get_agent", "input": {"agent_id": agent_id}})
    assert got["output"][0]["agent"]["system_prompt"] == text


def test_account_is_tested_and_named(app):
    good, wrong, broken = app.run(
        {"kind": "authentication"},
        {"kind": "authentication", "auth": {"api_key": "wrong", "base_url": app.sandbox.url}},
        {"kind": "authentication", "auth": {"api_key": "two words", "base_url": app.sandbox.url}},
    )
    assert good == {"output": {"agents": 1}}
    assert wrong["error"] == broken["error"] == "ExpiredAuthError"
    assert "the API key is not accepted" in wrong["message"]
    assert "copy it again" in broken["message"]
    assert "two words" not in app.log
    record("zapier", "credential test", "the connection's test")


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ({"status": 401}, "ExpiredAuthError", ["the API key is not accepted", "Dashboard → Integrations"]),
        ({"status": 403}, "AppError", ["requires the Enterprise plan"]),
        (None, "AppError", ["not found at ChatForge (404: 'agent 'gone' not found')", "check the ids"]),
        ({"status": 404, "style": "html"}, "AppError", ["(404: an HTML page); check the base URL"]),
        (
            {"status": 429, "headers": {"Retry-After": "7"}},
            "ThrottledError",
            ['"delay":7', "see who else uses the key"],
        ),
        ({"status": 429}, "ThrottledError", ['"delay":60']),
        ({"status": 503}, "AppError", ["ChatForge failed (503", "; try again"]),
        ({"status": 302, "headers": {"Location": "/elsewhere"}}, "AppError", ["redirects are not followed (302"]),
        ({"status": 200, "style": "html"}, "AppError", ["got an HTML page (status 200); check the base URL"]),
        ({"status": 200, "style": "text", "body": "hello"}, "AppError", ["expected JSON from ChatForge, got 'hello'"]),
        ({"status": 200, "style": "empty"}, "AppError", ["got an empty answer"]),
        ({"status": 200, "body": {"error": "no"}}, "AppError", ["reports an error in an answer of status 200: 'no'"]),
        ({"status": 400, "body": {"error": f"key {API_KEY}"}}, "AppError", ["(400: 'key [key]')"]),
        ({"cut": "before_effect"}, "AppError", ["no answer from ChatForge", "try again"]),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_error_is_one_of_zapiers_with_what_to_do(app, fault, error, words):
    _order_fault(app, "v1-agent", fault)
    [outcome] = app.run({"kind": "searches", "key": "get_agent", "input": {"agent_id": "gone"}})
    assert outcome["error"] == error, outcome
    assert [word for word in words if word not in outcome["message"]] == [], outcome
    record("zapier", "errors", "ExpiredAuthError, ThrottledError, Error with the hint")


def _order_fault(app: Any, action: str, fault: dict[str, Any] | None) -> None:
    if fault:
        ordered = httpx.post(f"{app.sandbox.control_url}/faults", json={"action": action, "times": 9, **fault})
        assert ordered.status_code == 201, ordered.text


def test_time_to_come_back_is_read_from_a_date(app):
    sent = datetime(2026, 3, 25, tzinfo=UTC)
    headers = {
        "Date": format_datetime(sent, usegmt=True),
        "Retry-After": format_datetime(sent + timedelta(seconds=90), usegmt=True),
    }
    _order_fault(app, "v1-agents", {"status": 429, "headers": headers})
    [outcome] = app.run({"kind": "searches", "key": "list_agents"})
    assert '"delay":90' in outcome["message"]


def test_message_that_may_have_arrived_is_to_be_looked_for(app):
    given = {"agent_id": app.sandbox.agent_id, "conversation_id": app.visit("a@example.com", START), "content": "Hi"}
    for fault in ({"status": 500, "times": 1}, {"cut": "after_effect", "times": 1}):
        _order_fault(app, "v1-message", fault)
    order = {"kind": "creates", "key": "inject_message", "input": given}
    for outcome in app.run(order, order):
        assert "look there before you repeat it" in outcome["message"]


def test_operation_is_invoked_by_the_command_line(app):
    (app.folder / ".env").write_text(f"authData_api_key={app.sandbox.api_key}\nauthData_base_url={app.sandbox.url}\n")
    given = json.dumps({"name": "Invoked"})
    assert '"name": "Invoked"' in app.platform(
        "invoke", "create", "create_agent", "--inputData", given, "--non-interactive"
    )
    assert "2 agents" in app.platform("invoke", "auth", "label", "--non-interactive")
