"""Waits that end without an entry: which are found, how many at once, and what becomes of those that fail."""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from runs.leads import Leads, flow, lead
from simulator.loop import run

from connector.declare import Event
from connector.errors import StoreError
from connector.runs.polling import abandoned, fall_backs
from connector.runs.polling.fall_backs import FAULT_PAUSE, MOST, FallBack, Refused
from connector.sqlite import transaction


@pytest.fixture
def leads() -> Leads:
    """One flow that has seen the empty list of agent `a`."""
    leads = Leads()
    leads.serve(flow())
    leads.look()
    leads.pass_time(minutes=15)
    return leads


def work(leads: Leads, seconds: float, refused: Callable[[], Refused] = list) -> int:
    """Let waits be ended for so long; how often the worker was woken."""
    woken: list[None] = []
    intake = replace(leads.intake, wake=lambda: woken.append(None))
    falling = FallBack(intake, [leads.watch], refused, lambda: leads.now, 1.0)

    async def wait() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(falling.work(), seconds)

    run(wait())
    return len(woken)


def test_a_hundred_waits_are_ended_at_once_and_the_others_after_them(leads: Leads) -> None:
    for number in range(2 * MOST + 1):
        leads.arrive(number, 15)
    leads.pass_time(minutes=3)
    assert len(leads.fall_back()) == MOST
    assert work(leads, 0.5) == 2
    assert len(leads.runs()) == 2 * MOST + 1


def test_looking_for_waits_that_are_over_reads_no_others(leads: Leads) -> None:
    plans: list[str] = []
    leads.connection.set_trace_callback(plans.append)
    fall_backs.find_due(leads.connection, [leads.watch], [], leads.now)
    leads.connection.set_trace_callback(None)
    told = [
        [row["detail"] for row in leads.connection.execute(f"EXPLAIN QUERY PLAN {plan}") if " w " in row["detail"]]
        for plan in plans
    ]
    assert told == [
        ["SEARCH w USING COVERING INDEX waiting_starts_due (flow=? AND due_at<?)"],
        ["SEARCH w USING PRIMARY KEY (event_id>?)"],
    ]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE events SET text = '{' WHERE id = ?",
        "UPDATE events SET text = '\"{\"' WHERE id = ?",
        "UPDATE events SET received_at = '' WHERE id = ?",
        "UPDATE arrivals SET facts = '{' WHERE event_id = ?",
        "UPDATE arrivals SET facts = '{}' WHERE event_id = ?",
        "UPDATE arrivals SET named = '{' WHERE event_id = ?",
    ],
    ids=["text", "event", "time", "facts", "no facts", "name"],
)
def test_webhook_that_cannot_be_read_is_held_and_logged_and_the_others_start(
    leads: Leads, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    leads.backfill({"id": "x", "visitor_email": "x@example.com", "created_at": leads.now.isoformat()})
    event_id = leads.arrive(1, 15).event_id
    leads.connection.execute(damage, (event_id,))
    leads.pass_time(minutes=3)
    assert work(leads, 0.5) == 0, "the worker is not woken for nothing"
    [[held, reason]] = leads.connection.execute("SELECT event_id, reason FROM starts WHERE held").fetchall()
    assert held == event_id
    assert json.loads(reason).startswith("it cannot be decided on: ")
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR] == [
        f"the webhook {event_id} is held for the flow main: {json.loads(reason)}"
    ]


def test_webhook_that_cannot_be_read_does_not_keep_others_or_their_leads_waiting(leads: Leads) -> None:
    event_id = leads.arrive(1, 15).event_id
    leads.arrive(2, 15)
    leads.arrive(3, 15)
    leads.connection.execute("UPDATE arrivals SET facts = '{' WHERE event_id = ?", (event_id,))
    leads.lists["a"] = [lead(1, 15), lead(2, 15)]
    assert leads.look() == ["main 1", "main 2"]
    leads.pass_time(minutes=3)
    assert leads.fall_back() == ["main webhook of 3"]


def test_fault_of_a_plugin_holds_a_webhook_and_does_not_say_what_may_be_secret(leads: Leads) -> None:
    def read(_connector: str, _text: str) -> Event:
        raise RuntimeError("hush")

    leads.arrive(1, 15)
    leads.pass_time(minutes=3)
    with transaction(leads.connection):
        ended = fall_backs.end_waits(leads.connection, [leads.watch], [], read, leads.now)
    assert "it cannot be decided on: RuntimeError, a fault of this program or of a plugin" in ended.held[0]
    assert "hush" not in ended.held[0]


def test_webhook_that_was_held_is_decided_when_it_is_resent(leads: Leads) -> None:
    event_id = leads.arrive(1, 15).event_id
    leads.connection.execute("UPDATE arrivals SET facts = '{'")
    leads.fall_back(None)
    assert leads.resend(event_id).run_id
    assert leads.connection.execute("SELECT status FROM events").fetchone()[0] == "accepted"


@pytest.mark.parametrize(
    ("fault", "seconds", "complaints"),
    [(StoreError("the disk is full"), 3.5, 1), (RuntimeError("a fault"), 2 * FAULT_PAUSE + 1, 2)],
    ids=["database", "fault"],
)
def test_ending_waits_goes_on_after_what_fails(
    leads: Leads, caplog: pytest.LogCaptureFixture, fault: Exception, seconds: float, complaints: int
) -> None:
    faults = [fault, fault]

    def refused() -> Refused:
        if faults:
            raise faults.pop()
        return []

    leads.arrive(1, 15)
    leads.pass_time(minutes=3)
    work(leads, seconds, refused)
    assert leads.runs() == ["main webhook of 1"]
    assert len(caplog.records) == complaints
    assert all(bool(record.exc_info) == (complaints == 2) for record in caplog.records), "a fault has its traceback"


def test_flow_that_was_turned_off_starts_nothing_of_what_waited(leads: Leads) -> None:
    leads.arrive(1, 15)
    abandon(leads, abandoned.drop, "main", leads.now)
    leads.pass_time(minutes=3)
    assert leads.fall_back() == []
    assert leads.reasons() == ["the flow was turned off while the webhook waited"]


def test_webhook_is_held_an_hour_after_its_wait_where_nobody_serves_its_flow(leads: Leads) -> None:
    leads.arrive(1, 15)
    leads.pass_time(minutes=61)
    assert abandon(leads, abandoned.hold, ["renamed"], leads.now) == [], "it may be back"
    leads.pass_time(minutes=2)
    assert abandon(leads, abandoned.hold, ["main"], leads.now) == []
    [sentence] = abandon(leads, abandoned.hold, ["renamed"], leads.now)
    assert "is held: the flow 'main' is not served any more" in sentence
    assert [row["status"] for row in leads.connection.execute("SELECT status FROM events")] == ["held"]
    assert abandon(leads, abandoned.hold, ["renamed"], leads.now) == []


def test_webhook_whose_wait_was_over_a_week_ago_is_held(leads: Leads) -> None:
    leads.arrive(1, 15)
    leads.pass_time(days=7, minutes=1)
    assert leads.fall_back() == []
    assert "no server has run since; resend it" in leads.reasons()[0]


def abandon(leads: Leads, work: Callable[..., Any], *arguments: Any) -> Any:
    with transaction(leads.connection):
        return work(leads.connection, *arguments)
