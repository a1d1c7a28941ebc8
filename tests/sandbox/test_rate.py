"""The limit of requests per key, with a clock that the test moves."""

from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

WINDOWS = pytest.mark.parametrize("rate_window", ["sliding", "fixed", "weighted"])


def send(site, times):
    return [site.call("GET", "v1-agents").status_code for _ in range(times)]


def test_the_request_over_100_in_a_minute_gets_429(site):
    assert send(site, 100) == [200] * 100
    response = site.call("GET", "v1-agents")
    assert (response.status_code, response.json()) == (429, {"error": "Rate limit exceeded"})


def test_a_sliding_window_frees_each_request_a_minute_after_it(start, clock):
    site = start(rate_limit=2)
    assert send(site, 1) == [200]
    clock.advance(40)
    assert send(site, 2) == [200, 429]
    clock.advance(19.9)
    assert send(site, 1) == [429]
    clock.advance(0.1)
    assert send(site, 2) == [200, 429]


def test_a_fixed_window_frees_everything_at_the_full_minute(start, clock):
    site = start(rate_limit=2, rate_window="fixed")
    clock.advance(59)
    assert send(site, 3) == [200, 200, 429]
    clock.advance(1)
    assert send(site, 3) == [200, 200, 429]


def test_a_weighted_window_counts_the_last_minute_by_the_part_that_overlaps(start, clock):
    site = start(rate_limit=4, rate_window="weighted")
    clock.advance(59)
    assert send(site, 5) == [200] * 4 + [429]
    clock.advance(1 + 15)  # 4 x 45/60 = 3 are left
    assert send(site, 2) == [200, 429]
    clock.advance(14.9)  # 4 x 30.1/60 and 1 are a little more than 3
    assert send(site, 1) == [429]
    clock.advance(0.1)
    assert send(site, 2) == [200, 429]
    clock.advance(29.9)
    assert send(site, 2) == [200, 429]


def test_a_weighted_window_forgets_what_is_two_minutes_old(start, clock):
    site = start(rate_limit=4, rate_window="weighted")
    assert send(site, 4) == [200] * 4
    clock.advance(120)
    assert send(site, 5) == [200] * 4 + [429]


def test_a_weighted_window_that_has_run_for_long_still_knows_the_last_minute(start, clock):
    site = start(rate_limit=4, rate_window="weighted")
    clock.advance(30)
    assert send(site, 1) == [200]
    clock.advance(3 * 60 + 31)
    assert send(site, 3) == [200] * 3
    clock.advance(69)  # 3 x 50/60 are left
    assert send(site, 2) == [200, 429]


@WINDOWS
def test_a_429_does_not_say_when_to_come_back_unless_it_is_told_to(start, rate_window):
    site = start(rate_limit=1, rate_window=rate_window)
    send(site, 1)
    assert "retry-after" not in site.call("GET", "v1-agents").headers


@WINDOWS
@pytest.mark.parametrize("retry_after", ["seconds", "date"])
@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("offset", [0, 7.3, 59.5], ids=str)
def test_retry_after_is_the_first_second_at_which_a_request_passes(
    start, clock, rate_window, retry_after, limit, offset
):
    site = start(rate_limit=limit, rate_window=rate_window, retry_after=retry_after)
    clock.advance(offset)
    send(site, limit)
    clock.advance(0.2)
    header = site.call("GET", "v1-agents").headers["retry-after"]
    moment = parsedate_to_datetime(header) if retry_after == "date" else clock.now + timedelta(seconds=int(header))
    clock.now = moment - timedelta(seconds=2)
    assert send(site, 1) == [429]
    clock.now = moment
    assert send(site, 1) == [200]


@pytest.mark.parametrize("retry_after", ["seconds", "date"])
def test_an_ordinary_answer_and_another_refusal_carry_no_retry_after(start, retry_after):
    site = start(rate_limit=2, retry_after=retry_after)
    answers = [site.call("GET", "v1-agents"), site.call("POST", "v1-agents", {})]
    assert [answer.status_code for answer in answers] == [200, 400]
    assert not any("retry-after" in answer.headers for answer in answers)


def test_a_fast_clock_makes_the_window_pass_sooner_and_is_the_one_that_is_shown(start, clock):
    site = start(rate_limit=1, clock_speed=10.0)
    assert send(site, 2) == [200, 429]
    clock.advance(5.9)
    assert send(site, 1) == [429]
    clock.advance(0.1)
    assert send(site, 1) == [200]
    site.visit()
    site.sandbox.settings = replace(site.sandbox.settings, rate_limit=9)
    leads = site.call("GET", "v1-leads")
    assert leads.json()["leads"][0]["created_at"] == "2026-03-25T10:01:00Z"
    assert leads.headers["date"] == "Wed, 25 Mar 2026 10:01:00 GMT"


def test_each_key_has_a_limit_of_its_own(start):
    site = start(rate_limit=1)
    assert send(site, 2) == [200, 429]
    site.api.headers["Authorization"] = f"Bearer {site.sandbox.small_plan_key}"
    assert send(site, 2) == [403, 429]


def test_a_request_over_the_limit_takes_no_effect(start):
    site = start(rate_limit=1)
    send(site, 1)
    assert site.call("POST", "v1-agents", {"name": "Ann"}).status_code == 429
    assert site.effects() == []


def test_a_request_without_a_good_key_counts_for_nobody(start):
    site = start(rate_limit=1)
    site.api.headers["Authorization"] = "Bearer wrong"
    assert send(site, 2) == [401, 401]
    site.api.headers["Authorization"] = f"Bearer {site.sandbox.api_key}"
    assert send(site, 1) == [200]
