"""The second account: its own agents, conversations, leads, limit and webhooks, behind the same API."""

import pytest

from connector.sandbox import OTHER_AGENT_ID, OTHER_API_KEY


@pytest.fixture
def enter():
    """enter(site) turns the API client to the other account."""

    def enter_account(site):
        site.api.headers["Authorization"] = f"Bearer {OTHER_API_KEY}"

    return enter_account


def test_the_other_key_sees_the_agent_of_its_account_only(site, enter):
    def read_ids():
        return [agent["id"] for agent in site.call("GET", "v1-agents").json()["agents"]]

    assert read_ids() == [site.sandbox.agent_id]
    enter(site)
    assert read_ids() == [OTHER_AGENT_ID] == [site.sandbox.other_agent_id]


@pytest.mark.parametrize(
    ("method", "action"),
    [
        ("GET", "v1-agent"),
        ("PUT", "v1-agent"),
        ("DELETE", "v1-agent"),
        ("GET", "v1-conversations"),
        ("GET", "v1-leads"),
        ("GET", "v1-analytics"),
        ("POST", "v1-message"),
    ],
)
@pytest.mark.parametrize("is_other", [False, True], ids=["first", "other"])
def test_an_agent_of_the_other_account_is_unknown(site, enter, is_other, method, action):
    theirs = site.sandbox.agent_id if is_other else OTHER_AGENT_ID
    if is_other:
        enter(site)
    body = {"conversation_id": "x", "content": "Hi"} if method in ("PUT", "POST") else None
    response = site.call(method, action, body, agent_id=theirs)
    assert (response.status_code, response.json()) == (404, {"error": f"agent {theirs!r} not found"})
    assert site.effects() == []


def test_a_conversation_of_the_other_account_takes_no_message(site):
    conversation_id = site.visit(agent_id=OTHER_AGENT_ID)["conversation_id"]
    response = site.call("POST", "v1-message", {"conversation_id": conversation_id, "content": "Hi"})
    assert response.status_code == 404


def test_the_agent_of_a_visitor_decides_the_account(site, enter):
    story = site.visit(agent_id=OTHER_AGENT_ID)
    assert site.call("GET", "v1-leads").json() == {"leads": []}
    enter(site)
    leads = site.call("GET", "v1-leads", agent_id=OTHER_AGENT_ID).json()["leads"]
    assert [lead["id"] for lead in leads] == [story["lead_id"]]
    assert site.chat(story["conversation_id"])["agent_id"] == OTHER_AGENT_ID
    closed = site.control.post(f"/conversations/{story['conversation_id']}/close")
    assert closed.json()["active"] is False


def test_webhooks_belong_to_an_account(start, receiver):
    site = start(webhook_url=f"{receiver.url}/first")
    added = site.control.post("/webhooks", json={"url": f"{receiver.url}/other", "agent_id": OTHER_AGENT_ID})
    assert added.json() == {"urls": [f"{receiver.url}/other"]}
    site.visit(agent_id=OTHER_AGENT_ID)
    assert [delivery["url"] for delivery in site.deliveries()] == [f"{receiver.url}/other"]
    site.visit()
    assert [delivery["url"] for delivery in site.deliveries()][1:] == [f"{receiver.url}/first"]
    site.control.delete("/webhooks")
    assert site.visit(agent_id=OTHER_AGENT_ID)["delivery_id"] is None


def test_a_webhook_for_an_unknown_agent_is_refused(site):
    body = {"url": "http://127.0.0.1", "agent_id": "unknown"}
    assert site.control.post("/webhooks", json=body).status_code == 404


def test_the_accounts_share_no_limit(start, enter):
    site = start(rate_limit=1)
    assert [site.call("GET", "v1-agents").status_code for _ in range(2)] == [200, 429]
    enter(site)
    assert [site.call("GET", "v1-agents").status_code for _ in range(2)] == [200, 429]
