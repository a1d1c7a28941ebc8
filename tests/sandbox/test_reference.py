"""The sandbox against the vendor's reference: a walk through all that it shows, and what it says in words."""

import hashlib
import hmac
import json
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import pytest
from vendor.reference import BASE_URL, ENDPOINTS, ERRORS, FULL_AGENT, RATE_LIMIT, SIGNATURE_HEADER, WEBHOOK, leaves

BY_TITLE = {endpoint.title: endpoint for endpoint in ENDPOINTS}
CREATE_AGENT = BY_TITLE["Create Agent"]
UPDATE_AGENT = BY_TITLE["Update Agent"]
CONVERSATION = BY_TITLE["List Conversations"].response["conversations"][0]
LEAD = BY_TITLE["List Leads"].response["leads"][0]
VISITOR = WEBHOOK["data"]
PAGE = {"limit": "50", "offset": "0"}
UNKNOWN = "00000000-0000-4000-8000-00000000dead"


def shape(value: Any) -> Any:
    """The value with the name of its JSON type in the place of each text, number, flag and null."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    names = {bool: "flag", int: "number", float: "number", str: "text", type(None): "null"}
    return names[type(value)]


def send_as_documented(site, endpoint):
    """The answer to the documented request; its ids are those of a conversation and of its agent."""
    conversation_id = site.visit(**VISITOR)["conversation_id"]
    values = {"agent_id": site.sandbox.agent_id, **PAGE}
    params = {"action": endpoint.action} | {name: values[name] for name in endpoint.parameters}
    body = endpoint.request
    if body is not None and "conversation_id" in body:
        body = body | {"conversation_id": conversation_id}
    return site.api.request(endpoint.method, site.sandbox.url, params=params, json=body)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.title)
def test_the_documented_request_gets_exactly_the_documented_fields_and_types(site, endpoint):
    response = send_as_documented(site, endpoint)
    assert response.is_success, response.text
    assert response.headers["content-type"] == "application/json"
    if endpoint.response is not None:
        assert shape(response.json()) == shape(endpoint.response)


def test_get_agent_includes_what_the_reference_names(site):
    fields = dict(leaves(send_as_documented(site, BY_TITLE["Get Agent"]).json()))
    assert set(FULL_AGENT) <= fields.keys()


def test_the_path_is_the_documented_one(site):
    assert urlsplit(site.sandbox.url).path == urlsplit(BASE_URL).path


def test_the_agent_of_a_new_sandbox_is_the_documented_one(site):
    [documented] = BY_TITLE["List Agents"].response["agents"]
    assert site.call("GET", "v1-agents").json()["agents"] == [documented | {"id": site.sandbox.agent_id}]


def test_the_documented_conversation_is_listed_as_documented(site):
    visitor = {name: CONVERSATION[name] for name in ("visitor_name", "visitor_email", "page_url", "created_at")}
    story = site.visit(**visitor, messages=["How much is it?"] * (CONVERSATION["message_count"] - 1))
    expected = BY_TITLE["List Conversations"].response | {
        "conversations": [CONVERSATION | {"id": story["conversation_id"]}]
    }
    assert site.call("GET", "v1-conversations").json() == expected


def test_the_documented_lead_is_listed_as_documented(site):
    visitor = {name: value for name, value in LEAD.items() if name not in ("id", "source_page_url")}
    story = site.visit(**visitor, page_url=LEAD["source_page_url"])
    assert site.call("GET", "v1-leads").json() == {"leads": [LEAD | {"id": story["lead_id"]}]}


def test_the_documented_message_is_answered_as_documented(site, clock):
    documented = BY_TITLE["Inject Message (Human Takeover)"]
    clock.now = datetime.fromisoformat(documented.response["message"]["created_at"])
    answer = send_as_documented(site, documented).json()
    assert answer == {"message": documented.response["message"] | {"id": answer["message"]["id"]}}


def test_the_documented_webhook_is_sent_byte_by_byte_with_its_signature(start, receiver):
    site = start(webhook_url=receiver.url, webhook_agent_id=WEBHOOK["agent_id"])
    site.visit(**WEBHOOK["data"], created_at=WEBHOOK["timestamp"])
    headers, body = receiver.next()
    assert body == json.dumps(WEBHOOK, separators=(",", ":")).encode()
    assert [name for name in headers if name.startswith("x-")] == [SIGNATURE_HEADER.lower()]
    signature = hmac.new(site.sandbox.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE_HEADER.lower()] == signature
    assert headers["content-type"] == "application/json"


def call_with_key(site, key):
    site.api.headers["Authorization"] = f"Bearer {key}"
    return site.call("GET", "v1-agents")


def call_over_the_limit(site):
    assert {site.call("GET", "v1-agents").status_code for _ in range(RATE_LIMIT)} == {200}
    return site.call("GET", "v1-agents")


def call_with_a_fault(site):
    site.order(status=500)
    return site.call("GET", "v1-agents")


PROVOCATIONS = {
    400: lambda site: site.call("POST", "v1-agents", {}),
    401: lambda site: call_with_key(site, "wrong"),
    403: lambda site: call_with_key(site, site.sandbox.small_plan_key),
    404: lambda site: site.call("GET", "v1-agent", agent_id=UNKNOWN),
    429: call_over_the_limit,
    500: call_with_a_fault,
}


@pytest.mark.parametrize("code", ERRORS)
def test_each_documented_error_can_be_provoked(site, code):
    assert PROVOCATIONS[code](site).status_code == code


def test_create_agent_answers_201_with_the_agent_that_was_asked_for(site):
    response = site.call("POST", "v1-agents", CREATE_AGENT.request)
    agent = response.json()["agent"]
    assert (response.status_code, agent["name"], agent["active"]) == (201, CREATE_AGENT.request["name"], True)


def test_create_agent_with_a_name_only_makes_an_active_agent(site):
    agent_id = site.call("POST", "v1-agents", {"name": "Ann"}).json()["agent"]["id"]
    agent = site.call("GET", "v1-agent", agent_id=agent_id).json()["agent"]
    assert (agent["name"], agent["active"]) == ("Ann", True)


def test_get_agent_answers_with_all_that_was_created(site):
    agent_id = site.call("POST", "v1-agents", CREATE_AGENT.request).json()["agent"]["id"]
    response = site.call("GET", "v1-agent", agent_id=agent_id)
    expected = CREATE_AGENT.request | {"id": agent_id, "active": True, "created_at": "2026-03-25T10:00:00Z"}
    assert response.status_code == 200
    assert response.json() == {"agent": expected}


def test_update_agent_changes_only_the_given_fields(site):
    agent_id = site.call("POST", "v1-agents", CREATE_AGENT.request).json()["agent"]["id"]
    before = site.call("GET", "v1-agent", agent_id=agent_id).json()["agent"]
    response = site.call("PUT", "v1-agent", UPDATE_AGENT.request, agent_id=agent_id)
    assert response.status_code == 200
    assert response.json() == {"agent": before | UPDATE_AGENT.request}
    assert site.call("GET", "v1-agent", agent_id=agent_id).json() == response.json()


def test_delete_agent_removes_it_with_its_conversations(site):
    kept = site.visit()
    agent_id = site.call("POST", "v1-agents", CREATE_AGENT.request).json()["agent"]["id"]
    gone = site.visit(agent_id=agent_id)["conversation_id"]
    assert site.call("DELETE", "v1-agent", agent_id=agent_id).status_code == 200
    assert site.call("GET", "v1-agent", agent_id=agent_id).status_code == 404
    assert site.control.get(f"/conversations/{gone}").status_code == 404
    assert site.control.get(f"/conversations/{kept['conversation_id']}").status_code == 200
    assert list(site.sandbox.account.leads) == [kept["lead_id"]]


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


def test_an_injected_message_reaches_the_chat_as_it_was_answered(site):
    conversation_id = site.visit(messages=["Hello"])["conversation_id"]
    response = site.call("POST", "v1-message", {"conversation_id": conversation_id, "content": "Hi"})
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
