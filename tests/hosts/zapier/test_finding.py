"""The searches that the app puts together, in the real Zapier platform, beside those of the connector."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.hosts

START = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)


def _ask_connector(make_adapter: Any, app: Any, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a connection gives that has seen nothing before."""
    settings = {
        "CHATFORGE_BASE_URL": app.sandbox.url,
        "CHATFORGE_API_KEY": app.sandbox.api_key,
        "CHATFORGE_RATE_LIMIT": "10000",
    }

    async def ask(order: dict[str, Any]) -> dict[str, Any]:
        async with make_adapter(**settings) as adapter:
            found: dict[str, Any] = await adapter.run(f"chatforge.{order['key']}", order["input"])
            return found

    return [asyncio.run(ask(order)) for order in orders]


def _compare(make_adapter: Any, app: Any, orders: list[dict[str, Any]]) -> list[str]:
    """What each search found, as id and number of candidates, the same for both."""
    outcomes = app.run(*orders)
    seen = []
    for order, outcome, expected in zip(orders, outcomes, _ask_connector(make_adapter, app, orders), strict=True):
        name = order["key"].removeprefix("find_")
        if expected[name] is None:
            assert outcome == {"output": []} if expected["complete"] else "HaltedError" in outcome["error"], order
            seen.append("nothing" if expected["complete"] else "incomplete")
            continue
        [found] = outcome["output"]
        facts = [(one[name]["id"], one.get("candidates"), one["complete"]) for one in (found, expected)]
        assert facts[0] == facts[1], order
        seen.append(found[name]["visitor_email"])
    return seen


@pytest.mark.parametrize("order", ["newest_first", "oldest_first", "shuffled"])
@pytest.mark.parametrize("number", [5, 130, 420])
def test_search_finds_what_the_connector_finds_in_a_list(app, make_adapter, order, number):
    app.set(list_order=order)
    app.visit_often(number, START)
    wanted = [f"{position}@example.com" for position in (0, number // 2, number - 1)] + ["nobody@example.com"]
    orders = [
        {
            "kind": "searches",
            "key": key,
            "input": {"agent_id": app.sandbox.agent_id, "visitor_email": email, "max_pages": pages},
        }
        for key in ("find_lead", "find_conversation")
        for email in wanted
        for pages in (1, 3, 5)
    ]
    seen = _compare(make_adapter, app, orders)
    assert wanted[2] in seen if order != "shuffled" else wanted[0] in seen or "incomplete" in seen


@pytest.mark.parametrize(
    ("key", "given", "found"),
    [
        ("find_lead", {"visitor_email": " ANN@example.com "}, "ann@example.com"),
        ("find_lead", {"visitor_email": "STRASSE@example.com"}, "straße@example.com"),
        ("find_lead", {"visitor_email": "ann@example.com", "captured_at": "2026-03-25T10:40:00Z"}, "ann@example.com"),
        ("find_lead", {"visitor_email": "ann@example.com", "captured_at": "2026-03-25T10:41:01Z"}, "nothing"),
        ("find_lead", {"visitor_email": "ann@example.com", "captured_at": "2026-03-25T12:19:59+02:00"}, "nothing"),
        ("find_lead", {"visitor_email": "ann@example.com", "visitor_name": "John"}, "nothing"),
        ("find_lead", {"visitor_phone": "480-555-1234"}, "nothing"),
        ("find_conversation", {"visitor_email": "ann@example.com"}, "ann@example.com"),
        (
            "find_conversation",
            {"visitor_email": "ann@example.com", "captured_at": "2026-03-25T10:29:00"},
            "ann@example.com",
        ),
        ("find_conversation", {"visitor_email": "ann@example.com", "captured_at": "2026-03-25T10:28:59Z"}, "nothing"),
        ("find_conversation", {"visitor_email": "left@example.com"}, "nothing"),
    ],
)
def test_search_compares_as_the_connector_does(app, make_adapter, key, given, found):
    app.visit("ann@example.com", START, name="Ann")
    app.visit("ann@example.com", START + timedelta(minutes=1), name="Ann")
    app.visit("straße@example.com", START)
    order = {"kind": "searches", "key": key, "input": {"agent_id": app.sandbox.agent_id, **given}}
    assert _compare(make_adapter, app, [order]) == [found]


def test_search_waits_until_something_is_listed(app):
    app.set(list_lag=1.5)
    app.visit("ann@example.com", START)
    given = {"agent_id": app.sandbox.agent_id, "visitor_email": "ann@example.com"}
    order = {"kind": "searches", "key": "find_lead", "input": {**given, "wait_up_to": "8s"}}
    [outcome] = app.run(order)
    assert outcome["output"][0]["lead"]["visitor_email"] == "ann@example.com"
    [refused] = app.run({**order, "input": {**given, "wait_up_to": "soon"}})
    assert "expected a duration such as" in refused["message"]
