"""The limit of requests per key, with a clock that the test moves."""


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
