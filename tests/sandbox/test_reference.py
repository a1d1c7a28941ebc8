"""Every request and response that the vendor's reference shows, as it shows them."""

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

LIST_AGENTS = {
    "agents": [
        {
            "id": "uuid",
            "name": "Support Agent",
            "welcome_message": "Hi! How can I help?",
            "active": True,
            "primary_color": "#6366f1",
            "created_at": "2026-03-25T10:00:00Z",
        }
    ]
}
CREATE_AGENT = {
    "name": "Sales Agent",
    "welcome_message": "Hi! Looking to learn more?",
    "system_prompt": "You are a helpful sales assistant.",
    "knowledge_base": "Our pricing starts at $99...",
    "primary_color": "#10b981",
}
CREATED_AGENT = {"agent": {"id": "uuid", "name": "Sales Agent", "active": True}}
UPDATE_AGENT = {"name": "Updated Name", "active": False, "system_prompt": "New system prompt..."}
LIST_CONVERSATIONS = {
    "conversations": [
        {
            "id": "uuid",
            "visitor_email": "john@example.com",
            "visitor_name": "John",
            "lead_captured": True,
            "message_count": 8,
            "page_url": "https://example.com/pricing",
            "created_at": "2026-03-25T10:00:00Z",
        }
    ],
    "limit": 50,
    "offset": 0,
}
LIST_LEADS = {
    "leads": [
        {
            "id": "uuid",
            "visitor_name": "John Smith",
            "visitor_email": "john@example.com",
            "visitor_phone": "480-555-1234",
            "conversation_summary": "Asked about estate planning...",
            "source_page_url": "https://example.com/services",
            "created_at": "2026-03-25T10:00:00Z",
        }
    ]
}
INJECTED_MESSAGE = {
    "message": {
        "id": "uuid",
        "role": "assistant",
        "content": "Hi, this is Cal jumping in. How can I help?",
        "created_at": "2026-03-25T10:00:00Z",
    }
}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def mask(value: Any) -> Any:
    """The value with every UUID replaced by the word `uuid`, as in the reference."""
    if isinstance(value, dict):
        return {key: mask(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask(item) for item in value]
    return "uuid" if isinstance(value, str) and UUID.fullmatch(value) else value


def test_list_agents_answers_as_documented(site):
    response = site.call("GET", "v1-agents")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert mask(response.json()) == LIST_AGENTS


def test_create_agent_answers_with_the_short_agent(site):
    response = site.call("POST", "v1-agents", CREATE_AGENT)
    assert response.status_code == 201
    assert mask(response.json()) == CREATED_AGENT


def test_create_agent_with_a_name_only_makes_an_active_agent(site):
    agent_id = site.call("POST", "v1-agents", {"name": "Ann"}).json()["agent"]["id"]
    agent = site.call("GET", "v1-agent", agent_id=agent_id).json()["agent"]
    assert (agent["name"], agent["active"]) == ("Ann", True)


def test_get_agent_answers_with_all_that_was_created(site):
    agent_id = site.call("POST", "v1-agents", CREATE_AGENT).json()["agent"]["id"]
    response = site.call("GET", "v1-agent", agent_id=agent_id)
    expected = CREATE_AGENT | {"id": agent_id, "active": True, "created_at": "2026-03-25T10:00:00Z"}
    assert response.status_code == 200
    assert response.json() == {"agent": expected}


def test_update_agent_changes_only_the_given_fields(site):
    agent_id = site.call("POST", "v1-agents", CREATE_AGENT).json()["agent"]["id"]
    before = site.call("GET", "v1-agent", agent_id=agent_id).json()["agent"]
    response = site.call("PUT", "v1-agent", UPDATE_AGENT, agent_id=agent_id)
    assert response.status_code == 200
    assert response.json() == {"agent": before | UPDATE_AGENT}
    assert site.call("GET", "v1-agent", agent_id=agent_id).json() == response.json()


def test_delete_agent_removes_it_with_its_conversations(site):
    kept = site.visit()
    agent_id = site.call("POST", "v1-agents", CREATE_AGENT).json()["agent"]["id"]
    gone = site.visit(agent_id=agent_id)["conversation_id"]
    assert site.call("DELETE", "v1-agent", agent_id=agent_id).status_code == 200
    assert site.call("GET", "v1-agent", agent_id=agent_id).status_code == 404
    assert site.control.get(f"/conversations/{gone}").status_code == 404
    assert site.control.get(f"/conversations/{kept['conversation_id']}").status_code == 200
    assert list(site.sandbox.account.leads) == [kept["lead_id"]]


def test_list_conversations_answers_as_documented(site):
    site.visit(
        visitor_name="John",
        visitor_email="john@example.com",
        page_url="https://example.com/pricing",
        messages=["How much is it?"] * 7,
    )
    response = site.call("GET", "v1-conversations")
    assert response.status_code == 200
    assert mask(response.json()) == LIST_CONVERSATIONS


def test_list_leads_answers_as_documented(site):
    site.visit(
        visitor_name="John Smith",
        visitor_email="john@example.com",
        visitor_phone="480-555-1234",
        conversation_summary="Asked about estate planning...",
        page_url="https://example.com/services",
    )
    response = site.call("GET", "v1-leads")
    assert response.status_code == 200
    assert mask(response.json()) == LIST_LEADS


def test_analytics_counts_the_month_and_the_total(site, clock):
    site.visit(messages=["Hello"])
    clock.advance(7 * 24 * 3600)
    site.visit(messages=["Hello", "Anyone there?"])
    site.visit(capture_lead=False)
    response = site.call("GET", "v1-analytics")
    assert response.status_code == 200
    assert response.json() == {
        "month": "2026-04",
        "conversations": {"total": 3, "this_month": 2},
        "leads": {"total": 2, "this_month": 1},
        "messages_this_month": 4,
    }


def test_inject_message_answers_as_documented_and_reaches_the_chat(site):
    conversation_id = site.visit(messages=["Hello"])["conversation_id"]
    content = INJECTED_MESSAGE["message"]["content"]
    response = site.call("POST", "v1-message", {"conversation_id": conversation_id, "content": content})
    assert response.status_code == 201
    assert mask(response.json()) == INJECTED_MESSAGE
    last = site.chat(conversation_id)["messages"][-1]
    assert last == response.json()["message"] | {"injected": True}


@pytest.mark.parametrize("action", ["v1-conversations", "v1-leads", "v1-analytics"])
def test_an_agent_sees_nothing_of_another_agent(site, action):
    other = site.call("POST", "v1-agents", {"name": "Ann"}).json()["agent"]["id"]
    empty = site.call("GET", action, agent_id=other).json()
    site.visit(messages=["Hello"])
    assert site.call("GET", action, agent_id=other).json() == empty


def test_times_are_utc_whatever_the_clock_shows(site, clock):
    clock.now = datetime(2026, 4, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    site.visit()
    [lead] = site.call("GET", "v1-leads").json()["leads"]
    assert lead["created_at"] == "2026-03-31T23:30:00Z"
    analytics = site.call("GET", "v1-analytics")
    assert analytics.json()["month"] == "2026-03"
    assert analytics.headers["date"] == "Tue, 31 Mar 2026 23:30:00 GMT"


def test_the_date_header_is_that_of_the_sandbox_clock(site):
    assert site.call("GET", "v1-agents").headers.get_list("date") == ["Wed, 25 Mar 2026 10:00:00 GMT"]
