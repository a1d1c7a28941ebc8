"""Settings that are read and changed while the sandbox runs, and values that none can have."""

import json

import pytest

from connector.sandbox import InvalidSettingError, SandboxSettings

SECRETS = {"api_key": "k-one", "small_plan_key": "k-two", "other_api_key": "k-three", "webhook_secret": "k-four"}


def change(site, **values):
    response = site.control.patch("/settings", json=values)
    assert response.status_code == 200, response.text
    assert response.json() == site.control.get("/settings").json()
    return response.json()


def test_settings_are_shown_without_secrets(start, tmp_path):
    shown = start(**SECRETS, db=tmp_path / "sandbox.db").control.get("/settings").json()
    assert (shown["list_order"], shown["redelivery_delays"][0], shown["agent_name"]) == (
        "newest_first",
        0.5,
        "Support Agent",
    )
    assert not [word for word in SECRETS.values() if word in json.dumps(shown)]


@pytest.mark.parametrize(
    "values",
    [
        {"list_order": "shuffled"},
        {"list_lag": 2.5},
        {"max_limit": 7},
        {"redelivery_delays": [0, 1.5]},
        {"redelivery_delays": []},
        {"webhook_copies": 2},
        {"webhook_agent_id": "abc123"},
        {"webhook_agent_id": None},
        {"error_style": "html"},
        {"retry_after": "date"},
        {"retry_after": None},
        {"rate_limit": 3, "rate_window": "weighted"},
    ],
    ids=str,
)
def test_a_setting_that_is_changed_is_shown_and_the_others_stay(start, values):
    site = start(webhook_agent_id="before", retry_after="seconds")
    before = site.control.get("/settings").json()
    assert change(site, **values) == before | values


@pytest.mark.parametrize(
    "values",
    [
        {"list_order": "backwards"},
        {"list_order": None},
        {"list_lag": -1},
        {"max_limit": 0},
        {"max_limit": "7"},
        {"redelivery_delays": 1},
        {"redelivery_delays": [1, -1]},
        {"redelivery_delays": [True]},
        {"redelivery_delays": None},
        {"webhook_copies": 0},
        {"webhook_agent_id": ""},
        {"error_style": "xml"},
        {"retry_after": "minutes"},
        {"rate_limit": 0},
        {"rate_window": "round"},
        {"api_key": "another"},
        {"clock_speed": 2},
        {"list_lag": 1e300},
        {"list_lag": 10**400},
        {"redelivery_delays": [1, 1e308]},
        {"max_limit": 7, "list_lag": "long"},
    ],
    ids=str,
)
def test_a_setting_that_is_wrong_or_fixed_is_refused_and_nothing_changes(site, values):
    before = site.control.get("/settings").json()
    response = site.control.patch("/settings", json=values)
    assert (response.status_code, list(response.json())) == (400, ["error"])
    assert site.control.get("/settings").json() == before


def test_a_change_holds_from_the_next_request_on(site):
    made = [site.visit()["lead_id"] for _ in range(3)]
    change(site, list_order="oldest_first", max_limit=2)
    assert [lead["id"] for lead in site.call("GET", "v1-leads").json()["leads"]] == made[:2]
    change(site, list_lag=1)
    assert site.call("GET", "v1-leads").json() == {"leads": []}
    change(site, error_style="empty")
    assert site.call("GET", "v1-agent", agent_id="unknown").content == b""


def test_a_new_limit_counts_the_requests_that_there_were(site):
    for _ in range(3):
        site.call("GET", "v1-agents")
    change(site, rate_limit=3, retry_after="seconds")
    refused = site.call("GET", "v1-agents")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    change(site, rate_limit=4)
    assert [site.call("GET", "v1-agents").status_code for _ in range(2)] == [200, 429]


def test_a_new_kind_of_window_counts_the_requests_that_there_were(start, clock):
    site = start(rate_limit=1)
    clock.advance(59)
    site.call("GET", "v1-agents")
    clock.advance(1)
    change(site, rate_window="fixed")
    assert [site.call("GET", "v1-agents").status_code for _ in range(2)] == [200, 429]


def test_webhook_settings_hold_from_the_next_event_on(start, receiver):
    site = start(webhook_url=receiver.url, redelivery_delays=(3600.0,))
    change(site, redelivery_delays=[0, 0], webhook_copies=2, webhook_agent_id="abc123")
    receiver.statuses[:] = [500] * 6
    site.visit()
    deliveries = site.deliveries()
    assert [(delivery["state"], len(delivery["attempts"])) for delivery in deliveries] == [("failed", 3)] * 2
    assert {json.loads(delivery["body"])["agent_id"] for delivery in deliveries} == {"abc123"}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"list_order": "x"}, "list_order is 'x'; expected one of newest_first, oldest_first, shuffled, unstable"),
        ({"clock_speed": 0.0}, "clock_speed is 0.0; expected a number above 0 and at most 86400"),
        (
            {"list_lag": float("nan")},
            "list_lag is nan; expected a number of seconds, 0 or more and at most 86400",
        ),
        (
            {"redelivery_delays": (float("inf"),)},
            "redelivery_delays is (inf,); expected seconds, each 0 or more and at most 86400",
        ),
        (
            {"webhook_url": "http://[::1"},
            "webhook_url is 'http://[::1'; expected an address such as http://127.0.0.1:8080/webhooks/chatforge",
        ),
        ({"max_limit": 0}, "max_limit is 0; expected 1 or more"),
        ({"agent_id": "a", "other_agent_id": "a"}, "other_agent_id is 'a'; expected another id than agent_id"),
        (
            {"api_key": "a", "other_api_key": "a"},
            "other_api_key is '…'; expected another key than those of the first account",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value),
)
def test_a_value_that_a_setting_cannot_have_is_named(values, sentence):
    with pytest.raises(InvalidSettingError) as caught:
        SandboxSettings(**values)
    assert str(caught.value) == sentence
