"""`chatforge doctor --probe` tells the truth about sandboxes that differ in what the reference leaves open."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connector.runs.events import NewEvent, add_event
from connector.runs.store import Store
from connector.sandbox import Sandbox, SandboxSettings
from connector.sandbox.server import running

Facts = dict[tuple[str, str], dict[str, str]]
LISTS = ("v1-conversations", "v1-leads")
VISITOR = {
    "visitor_name": "Ann Canary",
    "visitor_email": "canary@example.com",
    "visitor_phone": "555-canary",
    "page_url": "https://canary.example",
    "conversation_summary": "a canary sings",
}


@pytest.fixture
def start() -> Iterator[Callable[..., Sandbox]]:
    """Starts a sandbox with so many visitors, two of them in each minute."""
    with ExitStack() as stack:

        def run(visitors: int = 0, **settings: Any) -> Sandbox:
            sandbox = stack.enter_context(running(SandboxSettings(**settings)))
            with httpx.Client(base_url=sandbox.control_url) as control:
                for number in range(visitors):
                    moment = f"2026-03-25T10:{number // 2:02}:00Z"
                    control.post("/visitors", json=VISITOR | {"created_at": moment}).raise_for_status()
            return sandbox

        yield run


@pytest.fixture
def probe(chatforge) -> Callable[..., tuple[Facts, dict[str, Any]]]:
    def run(sandbox: Sandbox, *arguments: str) -> tuple[Facts, dict[str, Any]]:
        environment = {"CHATFORGE_BASE_URL": sandbox.url, "CHATFORGE_API_KEY": sandbox.api_key}
        environment["CHATFORGE_RATE_LIMIT"] = "1000"  # several probes within a minute
        result = chatforge("doctor", "--probe", "--json", *arguments, **environment)
        assert (result.code, result.error) == (0, "")
        report = json.loads(result.out)
        return {(fact["topic"], fact["what"]): fact for fact in report["facts"]}, report

    return run


def found(facts: Facts, what: str) -> list[str]:
    return [facts[topic, what]["found"] for topic in LISTS]


@pytest.mark.parametrize(
    ("order", "expected", "repeated"),
    [
        ("newest_first", "newest_first", "same order"),
        ("oldest_first", "oldest_first", "same order"),
        ("shuffled", "neither", "same order"),
        ("unstable", "newest_first", "order changes, only among items of one time"),
    ],
)
def test_order_of_lists_is_found(probe, start, order, expected, repeated):
    facts, _ = probe(start(24, list_order=order))
    assert found(facts, "order") == [expected] * 2
    assert "24 items by created_at, 24 with a time that another has" in facts["v1-leads", "order"]["how"]
    assert found(facts, "repeated reads") == [repeated] * 2


def test_few_items_prove_no_order(probe, start):
    facts, _ = probe(start(3))
    assert found(facts, "order") == ["too few to tell"] * 2
    assert facts["v1-leads", "order"]["how"].endswith("they stand newest_first")


@pytest.mark.parametrize(
    ("visitors", "most", "expected", "total"),
    [
        (24, 20, "20", "too many to compare"),
        (24, 100, "at least 10; too few items to tell more", "equals the list"),
        (20, 20, "at least 10; too few items to tell more", "equals the list"),
        (0, 20, "at least 0; too few items to tell more", "equals the list"),
    ],
    ids=["capped", "not reached", "just reached", "empty"],
)
def test_largest_limit_is_told_from_a_short_list(probe, start, visitors, most, expected, total):
    facts, _ = probe(start(visitors, max_limit=most))
    assert found(facts, "largest limit") == [expected] * 2
    assert found(facts, "total") == [total] * 2


def test_offset_is_tried(probe, start):
    facts, _ = probe(start(24, max_limit=20))
    assert found(facts, "offset") == ["works"] * 2
    assert facts["v1-leads", "limit=10 offset=1000000"]["found"] == "0 items"
    echo = "0 items; the answer says limit 10, offset 1000000"
    assert facts["v1-conversations", "limit=10 offset=1000000"]["found"] == echo


@pytest.mark.parametrize(
    ("style", "described"),
    [
        ("json", "401, application/json, keys error, 38 bytes"),
        ("message", "401, application/json, keys message, 40 bytes"),
        ("text", "401, text/plain, 26 bytes"),
        ("html", "401, text/html, 61 bytes"),
        ("empty", "401, no content type, 0 bytes"),
    ],
)
def test_errors_are_described_without_their_text(probe, start, style, described):
    facts, _ = probe(start(error_style=style))
    assert facts["errors", "wrong key"]["found"] == described
    statuses = {what: fact["found"][:3] for (topic, what), fact in facts.items() if topic == "errors"}
    assert statuses == {
        "unknown agent_id": "404",
        "missing agent_id": "400",
        "unknown action": "404",
        "wrong key": "401",
    }
    assert facts["v1-leads", "limit=abc"]["found"].startswith("400, ")


def test_report_holds_no_key_no_id_and_nothing_of_visitors(chatforge, start):
    sandbox = start(12)
    environment = {"CHATFORGE_BASE_URL": sandbox.url, "CHATFORGE_API_KEY": sandbox.api_key}
    environment["CHATFORGE_RATE_LIMIT"] = "1000"  # two probes within a minute
    for arguments in ((), ("--json",)):
        result = chatforge("doctor", "--probe", *arguments, **environment)
        for secret in (sandbox.api_key, sandbox.agent_id, "anary", "Support Agent", "10:00:00"):
            assert secret not in result.out
        leads = httpx.get(
            sandbox.url,
            params={"action": "v1-leads", "agent_id": sandbox.agent_id},
            headers={"Authorization": f"Bearer {sandbox.api_key}"},
        ).json()["leads"]
        assert not [lead for lead in leads if lead["id"] in result.out]


def test_probe_only_reads_and_stays_below_40_requests(probe, start):
    sandbox = start(12)
    _, report = probe(sandbox)
    assert not sandbox.effects.entries
    assert report["requests"] == sum(sandbox.counters.by_status().values())
    assert 30 < report["requests"] <= 40


def test_given_agent_is_looked_at(probe, start):
    sandbox = start(9)
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    new = httpx.post(sandbox.url, params={"action": "v1-agents"}, json={"name": "Empty"}, headers=headers).json()
    own, report = probe(sandbox)
    other, other_report = probe(sandbox, "--agent", new["agent"]["id"])
    assert (found(own, "total"), found(other, "total")) == (["equals the list"] * 2, ["equals the list"] * 2)
    assert own["v1-leads", "total"]["how"].startswith("v1-analytics: 9;")
    assert other["v1-leads", "total"]["how"].startswith("v1-analytics: 0;")
    assert report["agent"] != other_report["agent"]


def test_odd_fields_are_named_where_they_are(probe, start):
    sandbox = start()
    lead = {"id": "a", "visitor_name": 7, "created_at": "soon", "score": 1, "ann@example.com": 2}
    body = {"leads": [lead, {"id": "b", "visitor_name": None}], "next": "x"}
    fault = {"action": "v1-leads", "status": 200, "body": body, "times": 20}
    httpx.post(f"{sandbox.control_url}/faults", json=fault).raise_for_status()
    facts, _ = probe(sandbox)
    assert facts["v1-leads", "answer fields"]["found"] == "the documented 1; others: next (string; in 1)"
    assert facts["v1-leads", "offset"]["found"] == "no effect"
    assert facts["v1-leads", "total"]["found"] == "less than is listed"
    words = facts["v1-leads", "item fields"]["found"]
    assert words.startswith("visitor_name is integer in 1 of 2; visitor_name null in 1 of 2; ")
    assert "visitor_phone missing in 2 of 2" in words
    assert "created_at not a time in 1 of 2" in words
    assert words.endswith("; others: (a name that is not shown, 15 characters) (integer; in 1), score (integer; in 1)")


def test_rate_limit_ends_the_probe_and_is_reported(chatforge, start):
    sandbox = start(rate_limit=9, retry_after="seconds")
    environment = {"CHATFORGE_BASE_URL": sandbox.url, "CHATFORGE_API_KEY": sandbox.api_key}
    result = chatforge("doctor", "--probe", "--json", **environment)
    report = json.loads(result.out)
    facts = {(fact["topic"], fact["what"]): fact["found"] for fact in report["facts"]}
    assert report["requests"] == 10
    assert report["ended"].startswith("too many requests for this API key (429")
    assert facts["errors", "too many requests"].startswith("429, application/json")
    assert facts["headers", "retry-after"].isdigit()
    assert result.code == 1


def test_wrong_key_ends_the_probe_at_once(chatforge, start):
    sandbox = start()
    result = chatforge("doctor", "--probe", CHATFORGE_BASE_URL=sandbox.url, CHATFORGE_API_KEY="cf_key_for_tests")
    assert result.error.startswith("error: the API key is not accepted (401")
    assert "for_tests" not in result.error
    assert result.code == 3
    assert sandbox.counters.by_status() == {"401": 1}


def test_text_fits_80_columns(chatforge, start):
    sandbox = start(9)
    result = chatforge("doctor", "--probe", CHATFORGE_BASE_URL=sandbox.url, CHATFORGE_API_KEY=sandbox.api_key)
    assert max(map(len, result.out.splitlines())) <= 80
    assert "\nv1-leads\n  order                 newest_first\n" in result.out


def test_account_without_agents_is_reported(probe, start):
    sandbox = start()
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    httpx.delete(sandbox.url, params={"action": "v1-agent", "agent_id": sandbox.agent_id}, headers=headers)
    facts, report = probe(sandbox)
    assert report["agent"] is None
    assert facts["v1-agents", "without limit"]["found"] == "0 items"
    assert not [topic for topic, _ in facts if topic in LISTS]


def test_redelivery_is_said_to_be_unobservable(probe, start, tmp_path):
    without, _ = probe(start())
    store = Store(tmp_path / "runs.sqlite")
    now = datetime.now(UTC)
    event = NewEvent("chatforge", "default", "one", "lead.captured", now, now, "{}", "webhook")
    asyncio.run(store.write(add_event, event, []))
    store.close()
    one, _ = probe(start())
    assert without["webhooks", "redelivery"]["found"] == "not observable by reading"
    assert without["webhooks", "redelivery"]["how"] == "there is no journal here"
    assert one["webhooks", "redelivery"]["how"].startswith("events in the journal: 1;")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["budget.sqlite", "runs.sqlite"]
