"""Requests that ChatForge refuses, and that a refusal changes nothing."""

import httpx
import pytest

NOBODY = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def conversation_id(site):
    return site.visit()["conversation_id"]


@pytest.mark.parametrize(
    "header",
    [None, "Bearer", "Bearer wrong", "Basic cf_sandbox_enterprise_key", "cf_sandbox_enterprise_key"],
    ids=["missing", "empty", "wrong", "basic", "bare"],
)
def test_a_request_without_a_good_key_gets_401(site, header):
    headers = {"Authorization": header} if header else {}
    with httpx.Client(headers=headers, trust_env=False) as client:
        response = client.get(site.sandbox.url, params={"action": "v1-agents"})
    assert (response.status_code, response.json()) == (401, {"error": "Invalid or missing API key"})


def test_the_scheme_of_the_key_is_read_in_any_case(site):
    site.api.headers["Authorization"] = f"bearer {site.sandbox.api_key}"
    assert site.call("GET", "v1-agents").status_code == 200


def test_a_key_on_a_smaller_plan_gets_403(site):
    site.api.headers["Authorization"] = f"Bearer {site.sandbox.small_plan_key}"
    response = site.call("GET", "v1-agents")
    assert response.status_code == 403
    assert response.json() == {"error": "Insufficient plan (Enterprise required)"}


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
def test_a_missing_agent_id_gets_400_and_an_unknown_one_404(site, conversation_id, method, action):
    body = {"conversation_id": conversation_id, "content": "Hi"} if method != "GET" else None
    missing = site.api.request(method, site.sandbox.url, params={"action": action}, json=body)
    assert (missing.status_code, missing.json()) == (400, {"error": "agent_id is required"})
    unknown = site.call(method, action, body, agent_id=NOBODY)
    assert (unknown.status_code, unknown.json()) == (404, {"error": f"agent {NOBODY!r} not found"})
    assert site.effects() == []


@pytest.mark.parametrize(("query", "status"), [({}, 400), ({"action": "v1-unknown"}, 404)], ids=["missing", "unknown"])
def test_an_action_that_is_not_there_is_refused(site, query, status):
    assert site.api.get(site.sandbox.url, params=query).status_code == status


@pytest.mark.parametrize(
    ("method", "action"),
    [
        ("DELETE", "v1-agents"),
        ("POST", "v1-agent"),
        ("POST", "v1-leads"),
        ("GET", "v1-message"),
        ("PATCH", "v1-agent"),
    ],
)
def test_a_method_that_an_action_does_not_take_gets_405(site, method, action):
    response = site.call(method, action)
    assert (response.status_code, response.json()) == (405, {"error": f"{action} does not take {method}"})


@pytest.mark.parametrize(
    ("method", "action", "body"),
    [
        ("POST", "v1-agents", {}),
        ("POST", "v1-agents", {"name": ""}),
        ("POST", "v1-agents", {"name": 7}),
        ("POST", "v1-agents", {"name": "Ann", "system_prompt": ["x"]}),
        ("PUT", "v1-agent", {"name": ""}),
        ("PUT", "v1-agent", {"name": None}),
        ("PUT", "v1-agent", {"system_prompt": None}),
        ("PUT", "v1-agent", {"active": "false"}),
        ("PUT", "v1-agent", {"active": 0}),
        ("POST", "v1-message", {"content": "Hi"}),
        ("POST", "v1-message", {"conversation_id": "CONVERSATION"}),
        ("POST", "v1-message", {"conversation_id": "CONVERSATION", "content": ""}),
        ("POST", "v1-message", {"conversation_id": "CONVERSATION", "content": {"text": "Hi"}}),
    ],
)
def test_a_missing_or_wrong_field_gets_400_and_changes_nothing(site, conversation_id, method, action, body):
    body = {name: conversation_id if value == "CONVERSATION" else value for name, value in body.items()}
    response = site.call(method, action, body)
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert site.effects() == []


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'"name"', b"null", b'{"name":"Ann","x":NaN}', b'{"name":"\xff"}', b"[" * 100_000],
    ids=["empty", "cut short", "list", "string", "null", "nan", "not utf-8", "deep"],
)
def test_a_body_that_is_no_json_object_gets_400(site, raw):
    response = site.api.post(site.sandbox.url, params={"action": "v1-agents"}, content=raw)
    assert response.status_code == 400
    assert list(response.json()) == ["error"]


def test_an_unknown_field_is_ignored(site):
    assert site.call("POST", "v1-agents", {"name": "Ann", "language": "de"}).status_code == 201


def test_a_message_into_an_unknown_conversation_gets_404(site):
    response = site.call("POST", "v1-message", {"conversation_id": NOBODY, "content": "Hi"})
    assert (response.status_code, response.json()) == (404, {"error": f"conversation {NOBODY!r} not found"})


def test_a_message_into_a_conversation_of_another_agent_gets_404(site, conversation_id):
    other = site.call("POST", "v1-agents", {"name": "Ann"}).json()["agent"]["id"]
    body = {"conversation_id": conversation_id, "content": "Hi"}
    assert site.call("POST", "v1-message", body, agent_id=other).status_code == 404


def test_a_message_into_a_closed_conversation_gets_400(site, conversation_id):
    assert site.control.post(f"/conversations/{conversation_id}/close").json()["active"] is False
    response = site.call("POST", "v1-message", {"conversation_id": conversation_id, "content": "Hi"})
    assert response.status_code == 400
    assert response.json() == {"error": f"conversation {conversation_id!r} is not active"}
    assert len(site.chat(conversation_id)["messages"]) == 1


@pytest.mark.parametrize(
    ("error_style", "media_type", "body"),
    [
        ("json", "application/json", b'{"error":"agent \'<b>\' not found"}'),
        ("message", "application/json", b'{"message":"agent \'<b>\' not found"}'),
        ("text", "text/plain; charset=utf-8", b"agent '<b>' not found"),
        ("html", "text/html; charset=utf-8", b"<html><body><h1>agent '&lt;b&gt;' not found</h1></body></html>"),
        ("empty", None, b""),
    ],
)
def test_a_refusal_is_written_in_the_chosen_style(start, error_style, media_type, body):
    response = start(error_style=error_style).call("GET", "v1-agent", agent_id="<b>")
    assert (response.status_code, response.content) == (404, body)
    assert response.headers.get("content-type") == media_type


def test_a_refusal_before_the_action_and_none_of_a_control_endpoint_has_the_chosen_style(start):
    site = start(error_style="text", rate_limit=1)
    assert [site.call("GET", "v1-agents").status_code, site.call("GET", "v1-agents").text] == [
        200,
        "Rate limit exceeded",
    ]
    site.api.headers["Authorization"] = "Bearer wrong"
    assert site.call("GET", "v1-agents").text == "Invalid or missing API key"
    assert site.control.get("/conversations/unknown").json() == {"error": "conversation 'unknown' not found"}
