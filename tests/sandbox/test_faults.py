"""Faults that a test orders: answers that are not the real ones, delays, cut connections."""

import socket
from contextlib import closing
from http.client import HTTPConnection

import httpx
import pytest


@pytest.fixture
def inject(site):
    """inject() → the answer to one Inject Message into a conversation of its own."""
    conversation_id = site.visit()["conversation_id"]
    body = {"conversation_id": conversation_id, "content": "Hi"}
    return lambda **options: site.call("POST", "v1-message", body, **options)


def test_an_ordered_status_answers_without_effect_and_then_is_over(site, inject):
    site.order(action="v1-message", status=500)
    response = inject()
    assert (response.status_code, response.json()) == (500, {"error": "Internal Server Error"})
    assert site.effects() == []
    assert inject().status_code == 201
    assert len(site.effects()) == 1


@pytest.mark.parametrize(
    ("fault", "media_type", "content"),
    [
        ({"style": "json", "body": {"message": "no"}}, "application/json", b'{"message":"no"}'),
        ({"style": "json", "body": [1, None]}, "application/json", b"[1,null]"),
        ({"style": "text"}, "text/plain; charset=utf-8", b"Bad Gateway"),
        ({"style": "text", "body": "upstream"}, "text/plain; charset=utf-8", b"upstream"),
        ({"style": "html"}, "text/html; charset=utf-8", b"<html><body><h1>Bad Gateway</h1></body></html>"),
        ({"style": "html", "body": "<p>down"}, "text/html; charset=utf-8", b"<p>down"),
        ({"style": "empty"}, None, b""),
    ],
    ids=["json", "json list", "text", "own text", "html", "own html", "empty"],
)
def test_the_body_of_a_fault_is_written_in_its_style(site, fault, media_type, content):
    site.order(action="v1-agents", status=502, **fault)
    response = site.call("GET", "v1-agents")
    assert (response.status_code, response.content) == (502, content)
    assert response.headers.get("content-type") == media_type


def test_a_status_that_http_does_not_know_is_answered_too(site):
    site.order(action="v1-agents", status=599)
    assert site.call("GET", "v1-agents").json() == {"error": "Status 599"}


def test_headers_are_added_to_a_fault_and_to_an_ordinary_answer(site):
    site.order(action="v1-agents", status=429, headers={"Retry-After": "7"})
    site.order(action="v1-agents", headers={"Retry-After": "8"})
    answers = [site.call("GET", "v1-agents") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 200, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == ["7", "8", None]


def test_a_fault_waits_for_its_action_and_method(site, inject):
    site.order(action="v1-agents", method="POST", status=500)
    assert inject().status_code == 201
    assert site.call("GET", "v1-agents").status_code == 200
    assert site.call("POST", "v1-agents", {"name": "Ann"}).status_code == 500


def test_a_fault_without_an_action_meets_any_request(site):
    site.order(status=503)
    assert site.call("GET", "v1-leads").status_code == 503


def test_faults_are_used_in_order_and_as_often_as_ordered(site):
    site.order(action="v1-agents", status=500, times=2)
    site.order(action="v1-agents", status=502)
    assert [site.call("GET", "v1-agents").status_code for _ in range(4)] == [500, 500, 502, 200]


def test_waiting_faults_are_listed_and_can_be_removed(site):
    site.order(action="v1-agents", status=500, times=2)
    site.call("GET", "v1-agents")
    [fault] = site.control.get("/faults").json()["faults"]
    assert (fault["action"], fault["status"], fault["times"]) == ("v1-agents", 500, 1)
    assert site.control.delete("/faults").json() == {"faults": []}
    assert site.call("GET", "v1-agents").status_code == 200


@pytest.mark.parametrize(("cut", "effects"), [("before_effect", 0), ("after_effect", 1)])
@pytest.mark.parametrize("used_before", [False, True], ids=["new connection", "reused connection"])
def test_a_cut_closes_the_connection_before_or_after_the_effect(site, inject, cut, effects, used_before):
    if used_before:
        site.call("GET", "v1-agents")
    site.order(action="v1-message", cut=cut)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        inject()
    assert len(site.effects()) == effects
    assert site.control.get("/counters").json()["actions"]["v1-message"] == {"cut": 1}
    assert inject().status_code == 201


def test_a_status_after_the_effect_hides_that_the_request_was_carried_out(site, inject):
    site.order(action="v1-message", status=500, after_effect=True)
    assert inject().status_code == 500
    assert len(site.effects()) == 1


def test_a_status_after_the_effect_also_hides_a_refusal(site):
    site.order(action="v1-agents", status=503, after_effect=True)
    assert site.call("POST", "v1-agents", {}).status_code == 503
    assert site.effects() == []


def read_raw(site, action):
    """All bytes of the answer until the connection is closed: status line and headers, and the body."""
    url = httpx.URL(site.sandbox.url)
    with socket.create_connection((url.host, url.port), timeout=10) as connection:
        request = f"GET {url.path}?action={action} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.sandbox.api_key}"
        connection.sendall(request.encode() + b"\r\n\r\n")
        while "cut" not in site.control.get("/counters").json()["statuses"]:
            pass  # the server writes what it can and closes in one go; nothing may be read before
        head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    return head.decode().lower(), body


def test_a_cut_in_mid_answer_leaves_all_headers_and_half_of_the_body(site):
    whole = site.call("GET", "v1-agents").content
    site.order(action="v1-agents", cut="mid_answer", headers={"X-Proxy": "one"})
    head, body = read_raw(site, "v1-agents")
    assert head.startswith("http/1.1 200 ok\r\n")
    assert f"content-length: {len(whole)}\r\n" in head + "\r\n"
    assert "x-proxy: one\r\n" in head + "\r\n"
    assert body == whole[: len(whole) // 2]
    assert site.control.get("/counters").json()["actions"]["v1-agents"] == {"200": 1, "cut": 1}


def test_a_long_answer_that_is_cut_arrives_up_to_the_middle(site):
    site.call("PUT", "v1-agent", {"welcome_message": "x" * 30_000_000})
    site.order(action="v1-agents", cut="mid_answer")
    assert len(read_raw(site, "v1-agents")[1]) > 15_000_000


@pytest.mark.parametrize(
    ("fault", "effects"),
    [({}, 1), ({"status": 500}, 0), ({"status": 500, "after_effect": True}, 1)],
    ids=["ordinary", "status", "status after effect"],
)
def test_a_cut_in_mid_answer_takes_effect_unless_a_status_prevents_it(site, inject, fault, effects):
    site.order(action="v1-message", cut="mid_answer", **fault)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        inject()
    assert len(site.effects()) == effects
    assert inject().status_code == 201


def test_a_fault_that_skips_lets_the_first_requests_pass(site):
    site.order(action="v1-agents", status=401, skip=2, times=2)
    site.call("GET", "v1-leads")
    assert [site.call("GET", "v1-agents").status_code for _ in range(5)] == [200, 200, 401, 401, 200]


def test_a_request_that_one_fault_lets_pass_meets_the_next(site):
    site.order(status=401, skip=1)
    site.order(status=500)
    assert [site.call("GET", "v1-agents").status_code for _ in range(3)] == [500, 401, 200]


def test_a_fault_can_wait_for_a_reused_connection(site):
    site.order(action="v1-agents", connection="reused", status=500)
    with httpx.Client(headers=site.api.headers, trust_env=False) as other:
        assert other.get(site.sandbox.url, params={"action": "v1-agents"}).status_code == 200
    assert [site.call("GET", "v1-agents").status_code for _ in range(3)] == [200, 500, 200]


def test_a_fault_can_wait_for_a_fresh_connection(site):
    site.call("GET", "v1-agents")
    site.order(action="v1-agents", connection="fresh", status=500)
    assert site.call("GET", "v1-agents").status_code == 200
    with httpx.Client(headers=site.api.headers, trust_env=False) as other:
        assert other.get(site.sandbox.url, params={"action": "v1-agents"}).status_code == 500


def test_an_answer_of_a_control_endpoint_makes_a_connection_reused_too(site):
    site.order(action="v1-agents", connection="reused", status=500)
    query = {"action": "v1-agents"}
    assert site.control.get(site.sandbox.url, params=query, headers=site.api.headers).status_code == 500


def test_a_cut_leaves_other_connections_alone(site, inject):
    url = httpx.URL(site.sandbox.url)
    with closing(HTTPConnection(url.host, url.port)) as other:
        for cut in (False, True):
            if cut:
                site.order(action="v1-message", cut="before_effect")
                with pytest.raises(httpx.RemoteProtocolError):
                    inject()
            other.request("GET", "/sandbox/health")  # would fail on a connection that was closed
            assert other.getresponse().read()


def test_a_cut_finds_its_connection_also_behind_a_proxy_header(site, inject):
    site.order(action="v1-message", cut="before_effect")
    site.api.headers["X-Forwarded-For"] = "192.0.2.1"
    with pytest.raises(httpx.RemoteProtocolError):
        inject()


def test_a_delayed_answer_comes_after_the_effect(site, inject):
    site.order(action="v1-message", delay_seconds=30)
    site.api.timeout = httpx.Timeout(0.05)
    with pytest.raises(httpx.ReadTimeout):
        inject()
    assert len(site.effects()) == 1


def test_a_short_delay_ends_with_the_ordinary_answer(site, inject):
    site.order(action="v1-message", delay_seconds=0.01)
    assert inject().status_code == 201


def test_a_request_over_the_limit_uses_up_no_fault(start):
    site = start(rate_limit=1)
    site.call("GET", "v1-agents")
    site.order(action="v1-agents", status=500)
    assert site.call("GET", "v1-agents").status_code == 429
    assert len(site.control.get("/faults").json()["faults"]) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"action": "v1-agents"},
        {"status": 99},
        {"status": 600},
        {"status": "500"},
        {"status": 500, "times": True},
        {"status": 500, "style": "xml"},
        {"status": 500, "style": "text", "body": {"error": "no"}},
        {"status": 500, "cut": "before_effect"},
        {"cut": "after_effect", "headers": {"Retry-After": "7"}},
        {"cut": "sometimes"},
        {"body": "no status", "delay_seconds": 1},
        {"delay_seconds": -1},
        {"status": 500, "times": 0},
        {"status": 500, "headers": {"Retry-After": 7}},
        {"status": 500, "delay": 1},
        {"status": 500, "skip": -1},
        {"status": 500, "skip": 1.5},
        {"status": 500, "after_effect": 1},
        {"delay_seconds": 1, "after_effect": True},
        {"cut": "after_effect", "status": 500, "after_effect": True},
        {"status": 500, "cut": "mid_answer", "style": "empty"},
        {"status": 500, "connection": "old"},
        {"connection": "fresh"},
        {"skip": 2},
        {"status": 204},
    ],
    ids=str,
)
def test_a_fault_that_makes_no_sense_is_refused(site, fault):
    response = site.control.post("/faults", json=fault)
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert site.control.get("/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        pytest.param("X-Price", "1 €", "the header X-Price is '1 €', which cannot be sent", id="not Latin-1"),
        pytest.param("X-A", "1\r\nX-B: 2", r"the header X-A is '1\r\nX-B: 2', which cannot be sent", id="line break"),
        pytest.param("X-A", "1\x00", r"the header X-A is '1\x00', which cannot be sent", id="control character"),
        pytest.param("X-A", "1 ", "the header X-A is '1 ', which cannot be sent", id="space at the end"),
        pytest.param("X A", "1", "the header name 'X A' cannot be sent", id="name with a space"),
        pytest.param("", "1", "the header name '' cannot be sent", id="no name"),
    ],
)
def test_a_header_that_http_cannot_carry_is_refused(site, name, value, sentence):
    response = site.control.post("/faults", json={"action": "v1-agents", "headers": {name: value}})
    assert response.status_code == 400
    assert response.json()["error"].startswith(sentence)
    assert site.control.get("/faults").json() == {"faults": []}


@pytest.mark.parametrize("value", ["", "7", "é and\tmore", "\xff"], ids=ascii)
def test_a_header_that_http_can_carry_arrives(site, value):
    site.order(action="v1-agents", headers={"X-A": value})
    headers = site.call("GET", "v1-agents").headers
    headers.encoding = "latin-1"
    assert headers["x-a"] == value
