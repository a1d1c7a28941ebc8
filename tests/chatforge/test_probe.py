"""What the probe reads out of answers, without a server."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from connector.chatforge.models import Lead, LeadPage
from connector.chatforge.probe.answers import ListAnswers, Seen, describe_answer, safe_name, traffic_facts
from connector.chatforge.probe.fields import agent_facts, analytics_facts, read_total
from connector.chatforge.probe.lists import (
    compare_reads,
    compare_total,
    find_largest_limit,
    find_offset,
    find_order,
    list_facts,
)


def seen(document: Any, status: int = 200, seconds: float = 0.1, **headers: str) -> Seen:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Seen("v1-leads", status, named, json.dumps(document).encode(), seconds)


def page(ids: Sequence[str | int], status: int = 200) -> Seen:
    return seen({"leads": [{"id": str(name), "created_at": at(0)} for name in ids]}, status)


def at(minute: int) -> str:
    return f"2026-03-25T10:{minute:02}:00Z"


def listing(**values: Any) -> ListAnswers:
    return ListAnswers("v1-leads", "leads", Lead, LeadPage, **values)


@pytest.mark.parametrize(
    ("times", "order"),
    [
        pytest.param([at(minute) for minute in range(8)], "oldest_first", id="eight rising"),
        pytest.param([at(9 - minute) for minute in range(8)], "newest_first", id="eight falling"),
        pytest.param([at(minute) for minute in range(7)], "too few to tell", id="seven rising"),
        pytest.param([at(minute // 4) for minute in range(8)], "oldest_first", id="ties"),
        pytest.param([at(1)] * 9, "too few to tell", id="all of one time"),
        pytest.param([at(1), at(3), at(2)], "neither", id="three mixed"),
        pytest.param([*(at(minute) for minute in range(8)), None], "oldest_first", id="one without a time"),
        pytest.param([*(at(minute) for minute in range(7)), "soon"], "too few to tell", id="seven with a time"),
        pytest.param(
            [f"2026-03-25T1{hour}:00:00+0{hour}:00" for hour in range(8)], "too few to tell", id="one time, eight zones"
        ),
        pytest.param([at(1), "2026-03-25T10:02:00", at(3)], "too few to tell", id="a time without zone"),
        pytest.param([], "too few to tell", id="nothing"),
    ],
)
def test_order_is_read_from_times(times, order):
    assert find_order([{"id": "x", "created_at": time} for time in times], "")[0] == order


def test_ties_and_unreadable_times_are_counted():
    items = [{"created_at": time} for time in (at(1), at(1), at(2), None)]
    assert find_order(items, "v1-leads")[1].startswith(
        "v1-leads: 4 items by created_at, 2 with a time that another has, 1 without a readable time"
    )


def timed(*names: str) -> Seen:
    """Items whose time is the number in their name."""
    return seen({"leads": [{"id": name, "created_at": at(int(name[1:]))} for name in names]})


@pytest.mark.parametrize(
    ("second", "found"),
    [
        pytest.param(("a1", "b1", "c2"), "same order", id="same"),
        pytest.param(("n3", "a1", "c2"), "same order", id="one came and one went"),
        pytest.param(("b1", "a1", "c2"), "order changes, only among items of one time", id="a tie moved"),
        pytest.param(("a1", "c2", "b1"), "order changes, also among items of different times", id="another moved"),
        pytest.param(("c2",), "too few to tell", id="one"),
    ],
)
def test_two_reads_are_compared_by_what_is_in_both(second, found):
    assert compare_reads(timed("a1", "b1", "c2"), [timed(*second)], "leads")[0] == found


def test_one_of_several_reads_shows_that_the_order_changes():
    first, other = timed("a1", "b1"), timed("b1", "a1")
    assert compare_reads(first, [first, other, timed("a1", "b1")], "leads")[0].startswith("order changes")


@pytest.mark.parametrize(
    ("came", "after", "total", "found"),
    [
        pytest.param({10: 10, 50: 50, 100: 50}, 5, None, "50", id="a further page proves it"),
        pytest.param({10: 10, 50: 50, 100: 50}, 0, 60, "50", id="the total proves it"),
        pytest.param({10: 10, 50: 50, 100: 50}, 0, 50, "at least 50; too few items to tell more", id="nothing more"),
        pytest.param({10: 10, 50: 50}, 5, 60, "at least 50", id="never less than asked"),
        pytest.param({10: 10, 100: 100, 200: 50}, 5, None, "100", id="falls back to a default"),
        pytest.param({10: 10, 50: 50, 100: -1}, 5, None, "at least 50; 100 refused", id="refused above"),
        pytest.param(
            {10: 10, 50: 30, 100: -1}, 0, None, "at least 10; too few items to tell more; 100 refused", id="both"
        ),
        pytest.param({10: -1}, 0, None, "too few to tell; 10 refused", id="all refused"),
    ],
)
def test_largest_limit_is_what_the_pages_prove(came, after, total, found):
    limits = {limit: page(range(number)) if number >= 0 else page([], 400) for limit, number in came.items()}
    most = max(came.values())
    further = page(range(most, most + after))
    assert find_largest_limit(listing(limits=limits, after=further, total=total))[0] == found


def test_ignored_offset_is_not_taken_for_more_items():
    whole = page(range(10))
    answers = listing(limits={10: whole, 50: whole}, after=whole)
    assert find_largest_limit(answers)[0] == "at least 10; too few items to tell more"


@pytest.mark.parametrize(
    ("shifted", "found"),
    [
        pytest.param(page("56789"), "works", id="goes on"),
        pytest.param(page("56789ab"), "works", id="goes on further"),
        pytest.param(page("01234"), "no effect", id="begins again"),
        pytest.param(page("65789"), "works, but the order is another one", id="unstable"),
        pytest.param(page("xyzuv"), "unclear", id="others"),
        pytest.param(page(""), "unclear", id="nothing"),
        pytest.param(page("", 400), "refused, 400, no content type, keys leads, 13 bytes", id="refused"),
    ],
)
def test_offset_is_judged_by_the_page_without_it(shifted, found):
    assert find_offset(listing(limits={10: page("0123456789")}, shifted=(5, shifted)))[0] == found


@pytest.mark.parametrize(
    ("total", "after", "found"),
    [
        (3, "", "equals the list"),
        (3, "x", "more are listed"),
        (2, "", "less than is listed"),
        (5, "", "more than is listed"),
        (5, "x", "too many to compare"),
        (None, "", "not in v1-analytics"),
    ],
)
def test_total_is_compared_with_the_whole_list(total, after, found):
    assert compare_total(listing(limits={10: page("abc")}, total=total, after=page(after)))[0] == found


def test_list_that_cannot_be_read_is_described():
    facts = list(list_facts(listing(limits={10: Seen("v1-leads limit=10", 200, {}, b"<html>", 0.1)})))
    assert [(fact.what, fact.found) for fact in facts] == [("list", "not readable")]
    assert facts[0].how == "v1-leads limit=10: 200, no content type, 6 bytes"


@pytest.mark.parametrize(
    ("document", "found"), [({"agent": {"id": "a"}}, "wrapped in 'agent'"), ({"id": "a"}, "a bare object")]
)
def test_form_of_an_agent_is_told(document, found):
    form, fields = agent_facts(seen(document))
    assert form.found == found
    assert "id missing" not in fields.found
    assert "name missing" in fields.found


def test_counts_of_analytics_are_looked_into():
    document = {"month": 3, "conversations": {"total": 1, "this_month": None}, "leads": [], "messages_this_month": 1}
    facts = {fact.what: fact.found for fact in analytics_facts(seen(document))}
    assert facts == {
        "answer fields": "month is integer; leads is array; no others",
        "conversations fields": "this_month null; no others",
    }


@pytest.mark.parametrize(
    ("document", "total"),
    [({"leads": {"total": 3}}, 3), ({"leads": {"total": True}}, None), ({"leads": 3}, None), ([], None)],
)
def test_total_is_read_leniently(document, total):
    assert read_total(seen(document), "leads") == total


def test_total_of_a_refused_request_is_none():
    assert read_total(seen({"leads": {"total": 3}}, 500), "leads") is None


def test_error_is_described_by_its_form():
    answer = Seen("", 404, {"content-type": "application/json; charset=utf-8"}, b'{"error": "agent abc"}', 0.1)
    assert describe_answer(answer) == "404, application/json, keys error, 22 bytes"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("page_url", "page_url"),
        ("ann@example.com", "(a name that is not shown, 15 characters)"),
        ("x" * 42, "(a name that is not shown, 42 characters)"),
        ("Ann Smith", "(a name that is not shown, 9 characters)"),
    ],
)
def test_name_that_a_person_may_have_written_is_not_shown(name, shown):
    assert safe_name(name) == shown


def test_headers_that_matter_are_shown_with_the_latency():
    answers = [
        seen({}, seconds=0.010, date="x", x_ratelimit_limit="100", set_cookie="secret", x_vercel_cache="MISS"),
        seen({}, seconds=0.030, date="x", server="Vercel"),
        seen({}, seconds=0.100),
    ]
    facts = {fact.what: fact.found for fact in traffic_facts(answers)}
    assert facts == {
        "date": "present",
        "latency": "median 30 ms, 10 to 100 ms",
        "server": "Vercel",
        "x-ratelimit-limit": "100",
        "x-vercel-cache": "MISS",
    }


def test_absence_of_rate_headers_is_a_fact():
    assert ("rate headers", "none") in {(fact.what, fact.found) for fact in traffic_facts([seen({})])}
