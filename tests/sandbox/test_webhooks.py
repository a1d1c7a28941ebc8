"""Signed deliveries to a real receiver."""

import hashlib
import hmac
import json
import socket

import pytest

STORY = {
    "visitor_name": "John Smith",
    "visitor_email": "john@example.com",
    "visitor_phone": "480-555-1234",
    "conversation_summary": "Asked about estate planning services",
    "page_url": "https://example.com/services",
}


def digest(body, secret):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture
def impatient(start, receiver):
    """A sandbox that tries three times without a pause."""
    return start(webhook_url=receiver.url, redelivery_delays=(0.0, 0.0))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (r'"\ud83d\ude00 \u00e9"', "\U0001f600 é".encode()),
        (r'"\ud83d"', rb"\ud83d"),
        (r'"\ud83d\ud83d\ude00"', rb"\ud83d" + "\U0001f600".encode()),
        (r'"\u001B\b\f\n\r\t\"\\"', rb"\u001b\b\f\n\r\t\"\\"),
        (r'"\u0000\u007f\u009f"', b"\\u0000\x7f\xc2\x9f"),
        (r'"\u2028\/\u003c"', "\u2028/<".encode()),
    ],
    ids=["astral", "lone surrogate", "surrogate and pair", "controls", "nul, del, c1", "left raw"],
)
def test_text_is_written_as_json_stringify_writes_it(start, receiver, name, written):
    site = start(webhook_url=receiver.url)
    site.control.post("/visitors", content=f'{{"visitor_name":{name}}}')
    headers, body = receiver.next()
    assert b'"visitor_name":"' + written + b'","visitor_email":null,' in body
    assert headers["x-chatforge-signature"] == digest(body, site.sandbox.webhook_secret)
    assert written in site.call("GET", "v1-leads").content


def test_a_failed_delivery_is_repeated_with_the_same_bytes_until_2xx(impatient, receiver):
    receiver.statuses[:] = [500, 302, 202]
    impatient.visit(**STORY)
    assert len({receiver.next()[1] for _ in range(3)}) == 1
    [delivery] = impatient.deliveries()
    assert delivery["state"] == "delivered"
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 302, 202]


def test_a_delivery_that_never_succeeds_is_given_up_and_can_be_sent_again(impatient, receiver):
    receiver.statuses[:] = [503, 503, 503]
    delivery_id = impatient.visit(**STORY)["delivery_id"]
    [delivery] = impatient.deliveries()
    assert (delivery["state"], len(delivery["attempts"])) == ("failed", 3)
    assert impatient.control.post(f"/deliveries/{delivery_id}/redeliver").json()["state"] == "pending"
    [delivery] = impatient.deliveries()
    assert (delivery["id"], delivery["state"]) == (delivery_id, "delivered")
    assert [attempt["status"] for attempt in delivery["attempts"]] == [503, 503, 503, 200]


def test_a_receiver_that_cannot_be_reached_is_a_recorded_failure(start):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    site = start(webhook_url=url, redelivery_delays=(0.0,))
    site.visit()
    [delivery] = site.deliveries()
    assert (delivery["url"], delivery["state"]) == (url, "failed")
    assert [attempt["status"] for attempt in delivery["attempts"]] == [None, None]
    assert "ConnectError" in delivery["attempts"][0]["error"]


def test_each_event_is_delivered_in_copies_of_the_same_bytes(start, receiver):
    site = start(webhook_url=receiver.url, webhook_copies=3)
    site.visit(**STORY)
    assert len({receiver.next()[1] for _ in range(3)}) == 1
    assert [delivery["state"] for delivery in site.deliveries()] == ["delivered"] * 3


def test_the_webhook_can_carry_another_agent_id_than_the_api(start, receiver):
    site = start(webhook_url=receiver.url, webhook_agent_id="abc123")
    story = site.visit()
    assert json.loads(receiver.next()[1])["agent_id"] == "abc123"
    assert story["agent_id"] == site.sandbox.agent_id
    assert site.call("GET", "v1-leads", agent_id="abc123").status_code == 404


def test_a_lost_webhook_leaves_a_lead_and_no_delivery(start, receiver):
    site = start(webhook_url=receiver.url)
    story = site.visit(webhook=False)
    assert (story["delivery_id"], site.deliveries()) == (None, [])
    assert [lead["id"] for lead in site.call("GET", "v1-leads").json()["leads"]] == [story["lead_id"]]


def test_a_back_dated_story_shows_its_time_everywhere(start, receiver):
    site = start(webhook_url=receiver.url)
    story = site.visit(created_at="2026-02-28T23:30:00.5-02:00", messages=["Hello"])
    shown = "2026-03-01T01:30:00Z"
    assert json.loads(receiver.next()[1])["timestamp"] == shown
    assert site.call("GET", "v1-leads").json()["leads"][0]["created_at"] == shown
    chat = site.chat(story["conversation_id"])
    assert {chat["created_at"], *(line["created_at"] for line in chat["messages"])} == {shown}


def test_a_lead_without_a_webhook_makes_no_delivery(site):
    assert site.visit()["delivery_id"] is None
    assert site.deliveries() == []


def test_the_webhook_can_be_set_while_the_sandbox_runs(site, receiver):
    site.sandbox.webhook_url = receiver.url
    delivery_id = site.visit()["delivery_id"]
    receiver.next()
    assert [delivery["id"] for delivery in site.deliveries()] == [delivery_id]


def test_each_added_webhook_gets_the_event_signed_with_its_own_secret(site, receiver):
    first, second = f"{receiver.url}/1", f"{receiver.url}/2"
    site.control.post("/webhooks", json={"url": first})
    added = site.control.post("/webhooks", json={"url": second, "secret": "another"})
    assert added.json() == {"urls": [first, second]}
    site.visit()
    got = [receiver.next(), receiver.next()]
    assert {headers["x-chatforge-signature"] for headers, _ in got} == {
        digest(got[0][1], site.sandbox.webhook_secret),
        digest(got[0][1], "another"),
    }


def test_adding_a_webhook_again_replaces_its_secret(site, receiver):
    site.control.post("/webhooks", json={"url": receiver.url})
    site.control.post("/webhooks", json={"url": receiver.url, "secret": "another"})
    site.visit()
    headers, body = receiver.next()
    assert headers["x-chatforge-signature"] == digest(body, "another")
    assert len(site.deliveries()) == 1


def test_removed_webhooks_get_nothing(site, receiver):
    site.control.post("/webhooks", json={"url": receiver.url})
    assert site.control.delete("/webhooks").json() == {"urls": []}
    assert site.visit()["delivery_id"] is None


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"url": "ftp://example.com"}, "webhook url is 'ftp://example.com'; expected an address such as http://"),
        ({"url": "http://[::1"}, "webhook url is 'http://[::1'; expected an address such as http://"),
        ({"url": "http:///hook"}, "webhook url is 'http:///hook'; expected an address such as http://"),
        ({"url": "http://xn--a"}, "webhook url is 'http://xn--a'; expected an address such as http://"),
        (
            {"url": "http://127.0.0.1", "secret": "\ud800"},
            "webhook secret holds a lone surrogate; expected text that can be UTF-8",
        ),
        ({"secret": "another"}, "url is required"),
        ({"url": "http://127.0.0.1", "key": "x"}, "unknown field 'key'"),
    ],
    ids=ascii,
)
def test_a_webhook_that_cannot_be_used_is_refused(site, body, sentence):
    response = site.control.post("/webhooks", content=json.dumps(body))
    assert (response.status_code, list(response.json())) == (400, ["error"])
    assert response.json()["error"].startswith(sentence)
    assert site.sandbox.webhook_url is None


def test_an_unknown_delivery_cannot_be_sent_again(site):
    assert site.control.post("/deliveries/unknown/redeliver").status_code == 404
