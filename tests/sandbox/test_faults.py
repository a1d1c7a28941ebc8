"""Faults that a test orders: answers that are not the real ones, delays, cut connections."""

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
    ],
    ids=str,
)
def test_a_fault_that_makes_no_sense_is_refused(site, fault):
    response = site.control.post("/faults", json=fault)
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert site.control.get("/faults").json() == {"faults": []}
