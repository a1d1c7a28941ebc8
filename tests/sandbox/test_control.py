"""The control endpoints: a visitor's story, and the record of what the API did."""

import httpx
import pytest


def test_a_visitor_leaves_a_chat_a_lead_and_an_active_conversation(site):
    story = site.visit(visitor_name="Ann", messages=["Hello", "Anyone there?"])
    assert story["agent_id"] == site.sandbox.agent_id
    chat = site.chat(story["conversation_id"])
    assert [(line["role"], line["content"], line["injected"]) for line in chat["messages"]] == [
        ("assistant", "Hi! How can I help?", False),
        ("user", "Hello", False),
        ("user", "Anyone there?", False),
    ]
    assert (chat["active"], chat["lead_captured"], chat["visitor_name"]) == (True, True, "Ann")
    [lead] = site.call("GET", "v1-leads").json()["leads"]
    assert lead["id"] == story["lead_id"]


def test_a_visitor_can_chat_without_becoming_a_lead(site, receiver):
    site.sandbox.webhook_url = receiver.url
    story = site.visit(capture_lead=False)
    assert (story["lead_id"], story["delivery_id"]) == (None, None)
    assert site.chat(story["conversation_id"])["lead_captured"] is False
    assert site.call("GET", "v1-leads").json() == {"leads": []}
    assert site.deliveries() == []


def test_a_visitor_is_greeted_by_the_agent_that_was_named(site):
    body = {"name": "Ann", "welcome_message": "Welcome."}
    agent_id = site.call("POST", "v1-agents", body).json()["agent"]["id"]
    story = site.visit(agent_id=agent_id)
    assert site.chat(story["conversation_id"])["messages"][0]["content"] == "Welcome."


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"agent_id": "unknown"}, 404),
        ({"visitor_mail": "john@example.com"}, 400),
        ({"messages": "Hello"}, 400),
        ({"messages": [1]}, 400),
        ({"capture_lead": "no"}, 400),
        ({"webhook": None}, 400),
        ({"created_at": 1774432800}, 400),
        ({"created_at": "yesterday"}, 400),
        ({"created_at": "2026-03-25T10:00:00"}, 400),
        ({"created_at": "0001-01-01T00:00:00+10:00"}, 400),
    ],
    ids=str,
)
def test_a_story_that_cannot_be_told_is_refused_and_leaves_nothing(site, body, status):
    assert site.control.post("/visitors", json=body).status_code == status
    assert site.call("GET", "v1-conversations").json()["conversations"] == []


def test_every_change_through_the_api_is_logged_in_order(site, clock):
    conversation_id = site.visit()["conversation_id"]
    site.call("GET", "v1-agents")
    created = site.call("POST", "v1-agents", {"name": "Ann", "extra": [7, 2.5]})
    agent_id = created.json()["agent"]["id"]
    clock.advance(1.5)
    site.call("PUT", "v1-agent", {"active": False}, agent_id=agent_id)
    site.call("DELETE", "v1-agent", agent_id=agent_id)
    message = {"conversation_id": conversation_id, "content": "Hi"}
    site.call("POST", "v1-message", message)
    log = [tuple(effect.values()) for effect in site.effects()]
    first, later, seeded = "2026-03-25T10:00:00.000Z", "2026-03-25T10:00:01.500Z", site.sandbox.agent_id
    assert log == [
        (1, first, "v1-agents", "POST", seeded, {"name": "Ann", "extra": [7, 2.5]}),
        (2, later, "v1-agent", "PUT", agent_id, {"active": False}),
        (3, later, "v1-agent", "DELETE", agent_id, None),
        (4, later, "v1-message", "POST", seeded, message),
    ]


def test_a_number_beyond_a_double_is_logged_as_null(site):
    query = {"action": "v1-agents"}
    site.api.post(site.sandbox.url, params=query, content=b'{"name":"Ann","extra":1e400}')
    assert site.effects()[0]["body"] == {"name": "Ann", "extra": None}


def test_requests_are_counted_by_action_and_status(site):
    site.call("GET", "v1-agents")
    site.call("POST", "v1-agents", {})
    site.call("GET", "v1-leads")
    site.order(action="v1-leads", status=502)
    site.call("GET", "v1-leads")
    assert site.control.get("/counters").json() == {
        "actions": {"v1-agents": {"200": 1, "400": 1}, "v1-leads": {"200": 1, "502": 1}},
        "statuses": {"200": 2, "400": 1, "502": 1},
    }


def test_health_names_the_first_agent(site):
    health = site.control.get("/health")
    assert health.json() == {"status": "ok", "agent_id": site.sandbox.agent_id}


@pytest.mark.parametrize("seconds", ["soon", "86401", "9" * 400], ids=["word", "beyond a day", "beyond a double"])
def test_settle_seconds_that_cannot_be_waited_for_get_400(site, seconds):
    assert site.control.get("/deliveries", params={"settle_seconds": seconds}).status_code == 400


@pytest.mark.parametrize(("delay", "status"), [(86_400, 201), (86_401, 400), (1e308, 400), (-1, 400)])
def test_a_delay_is_a_day_at_most(site, delay, status):
    response = site.control.post("/faults", json={"delay_seconds": delay})
    assert response.status_code == status
    if status == 400:
        assert response.json() == {"error": "delay_seconds must be a number of seconds, 0 or more and at most 86400"}


def test_a_request_whose_body_never_arrives_whole_leaves_no_trace(site):
    def half() -> object:
        yield b'{"name":'
        raise ConnectionAbortedError

    with httpx.Client(headers=site.api.headers, trust_env=False) as client, pytest.raises(ConnectionAbortedError):
        client.post(site.sandbox.url, params={"action": "v1-agents"}, content=half())
    assert site.control.get("/counters").json()["statuses"] == {}
