import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from scrub import URL, Scrubber, find_secret

ID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
FIRST = "00000000-0000-4000-8000-000000000101"
SECOND = "00000000-0000-4000-8000-000000000102"


def scrubbed(body: Any, *, invented: bool = False, **known: str) -> Any:
    """What is left of a JSON answer."""
    scrubber = Scrubber(known, invented=invented)
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": json.dumps(body).encode()}}
    return json.loads(scrubber.response(response)["body"]["string"])


@pytest.mark.parametrize(
    ("field", "value", "left"),
    [
        pytest.param("id", ID, FIRST, id="uuid"),
        pytest.param("agent_id", "abc123", FIRST, id="other-id"),
        pytest.param("visitor_name", "Ann Other", "Visitor 1", id="name"),
        pytest.param("visitor_email", "ann@corp.test", "visitor1@example.com", id="email"),
        pytest.param("visitor_phone", "+49 170 12345", "555-0101", id="phone"),
        pytest.param("conversation_summary", "A divorce", "Summary 1", id="summary"),
        pytest.param("page_url", "https://corp.test/?u=ann", "https://example.com/page-1", id="page"),
        pytest.param("source_page_url", "https://corp.test", "https://example.com/page-1", id="source-page"),
        pytest.param("name", "Corp Agent", "Agent 1", id="agent"),
        pytest.param("welcome_message", "Hi at Corp", "Welcome 1", id="welcome"),
        pytest.param("system_prompt", "Sell", "Prompt 1", id="prompt"),
        pytest.param("knowledge_base", "Prices", "Knowledge 1", id="knowledge"),
        pytest.param("content", "My case", "Content 1", id="content"),
        pytest.param("created_at", "2027-01-02T03:04:05.678+02:00", "2026-03-25T10:00:00.678+02:00", id="time"),
        pytest.param("month", "2026-03", "2026-03", id="month"),
        pytest.param("month", "Ann", "Text 1", id="no-month"),
        pytest.param("role", "assistant", "assistant", id="role"),
        pytest.param("role", "Ann", "Text 1", id="no-role"),
        pytest.param("primary_color", "#6366f1", "#6366f1", id="colour"),
        pytest.param("primary_color", "ann", "Text 1", id="no-colour"),
        pytest.param("message_count", 8, 8, id="count"),
        pytest.param("active", True, True, id="boolean"),
        pytest.param("visitor_email", None, None, id="null"),
        pytest.param("visitor_email", "", "", id="empty"),
        pytest.param("ip", "203.0.113.9", "Text 1", id="unknown-text"),
        pytest.param("phone_number", 4917012345, 0, id="unknown-number"),
        pytest.param("place", 52.5, 0.0, id="unknown-fraction"),
        pytest.param("tags", ["divorce", {"by": "Ann"}], ["Text 1", {"by": "Text 2"}], id="nested"),
        pytest.param("seen_by", {"ann@corp.test": 1}, {"key 1": 0}, id="telling-key"),
    ],
)
def test_field_of_a_stranger_keeps_its_shape_only(field: str, value: Any, left: Any):
    assert scrubbed({field: value}) == {field: left}


def test_equal_values_stay_equal_and_others_differ():
    items = [{"id": ID, "visitor_email": "Ann@Corp.test"}, {"id": "x", "visitor_email": "ann@corp.test"}, {"id": ID}]
    assert scrubbed(items) == [
        {"id": FIRST, "visitor_email": "visitor1@example.com"},
        {"id": SECOND, "visitor_email": "visitor1@example.com"},
        {"id": FIRST},
    ]


def test_times_keep_their_distance():
    times = [{"created_at": "2027-01-02T03:04:05Z"}, {"created_at": "2027-01-01T03:04:00Z"}]
    assert [item["created_at"] for item in scrubbed(times)] == ["2026-03-25T10:00:00Z", "2026-03-24T09:59:55Z"]


def test_known_value_gets_its_placeholder_everywhere():
    scrubber = Scrubber({"real-id": "the-id", "ann@corp.test": "john@example.com"}, invented=False)
    uri = "https://corp.test/api?action=v1-message&agent_id=real-id&limit=2"
    request = scrubber.request("POST", uri, b'{"visitor_email": "Ann@corp.test", "conversation_id": "real-id"}', {})
    assert request["uri"] == f"{URL}?action=v1-message&agent_id=the-id&limit=2"
    assert json.loads(request["body"]) == {"visitor_email": "john@example.com", "conversation_id": "the-id"}


@pytest.mark.parametrize(
    ("sentence", "left"),
    [
        pytest.param("Invalid or missing API key", "Invalid or missing API key", id="nothing"),
        pytest.param(f"agent {ID!r} not found", f"agent {FIRST!r} not found", id="id"),
        pytest.param("no mail to ann@corp.test now", "no mail to … now", id="email"),
        pytest.param("no call to +49 170 12345 now", "no call to … now", id="phone"),
        pytest.param("you come from 203.0.113.9 today", "you come from … today", id="address"),
        pytest.param("see https://corp.test/ann now", "see … now", id="url"),
        pytest.param("request iad1-x7k2p-1700000000 failed", "request … failed", id="request-id"),
        pytest.param("Ann Other is unknown", "Visitor is unknown", id="known"),
    ],
)
def test_sentence_of_the_vendor_loses_what_it_tells(sentence: str, left: str):
    assert scrubbed({"error": sentence}, **{"Ann Other": "Visitor"}) == {"error": left}


def test_headers_are_dropped_unless_the_client_reads_them():
    scrubber = Scrubber({}, invented=False)
    headers = {"authorization": "Bearer k", "cookie": "c", "accept": "*/*", "x-new": "n"}
    assert scrubber.request("GET", URL, None, headers)["headers"] == {"accept": ["*/*"]}
    answered = {"Set-Cookie": ["s"], "Server": ["x"], "X-Vercel-Id": ["iad1"], "Retry-After": ["60"]}
    response = {"status": {"code": 429, "message": ""}, "headers": answered, "body": {"string": b""}}
    assert scrubber.response(response)["headers"] == {"retry-after": ["60"]}


def test_invented_texts_stay_as_they_are():
    body = {"id": ID, "visitor_email": "john@example.com", "limits": {"messages": 500}, "error": f"no {ID}"}
    assert scrubbed(body, invented=True) == body | {"id": FIRST, "error": f"no {FIRST}"}


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(str, id="plain"),
        pytest.param(str.upper, id="case"),
        pytest.param(lambda text: quote(text, safe="").replace("k", "%6b").replace("K", "%4B"), id="percent-encoded"),
        pytest.param(lambda text: "".join(f"\\u{ord(c):04x}" for c in text), id="json-escaped"),
        pytest.param(lambda text: base64.b64encode(text.encode()).decode(), id="base64"),
        pytest.param(lambda text: base64.b64encode(f"x{text}".encode()).decode(), id="base64-after-one"),
        pytest.param(lambda text: base64.urlsafe_b64encode(f"ÿ?{text}".encode()).decode().rstrip("="), id="base64-url"),
    ],
)
def test_secret_is_found_in_every_form(write: Any):
    assert find_secret(f"x: {write('cf_Secret/key')}\n", ["other", "cf_Secret/key"]) == "cf_secret/key"
    assert find_secret(f"x: {write('cf_Harmless')}\n", ["cf_Secret/key"]) is None
