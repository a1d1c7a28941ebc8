import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from runs.leads import Leads, flow, lead
from simulator.loop import run

from connector.chatforge import polled
from connector.declare import Item
from connector.runs.polling.backfills import MOST_SORTED, Backfill, Selection
from connector.runs.polling.listings import Entry, Listing
from connector.runs.records import Failure

NEWEST = datetime(2026, 3, 25, tzinfo=UTC)


class NewestFirst:
    """A list of so many entries, of which the last has no time."""

    def __init__(self, number: int) -> None:
        self._number = number

    async def entries(self) -> AsyncIterator[Entry]:
        for number in range(self._number - 1):
            yield Entry("agent", Item(f"{number}", {}, NEWEST - timedelta(minutes=number)))
        yield Entry("agent", Item("timeless", {}))


@pytest.mark.parametrize(
    ("number", "first", "in_list_order"),
    [
        (MOST_SORTED - 1, str(MOST_SORTED - 3), False),
        (MOST_SORTED + 2, "0", True),
    ],
    ids=["sorted", "too long"],
)
def test_entries_come_oldest_first_unless_the_list_is_long(number, first, in_list_order):
    selection = Selection(cast("Any", None), cast("Any", None), cast("Listing", NewestFirst(number)))

    async def read() -> list[str]:
        return [entry.item.id async for entry in selection.entries()]

    ids = asyncio.run(read())
    assert len(set(ids)) == number
    assert (ids[0], ids[-1]) == (first, "timeless")
    assert selection.in_list_order is in_list_order


@pytest.fixture
def leads() -> Leads:
    """One flow that has seen the empty list of agent `a`."""
    leads = Leads()
    leads.serve(flow())
    leads.look()
    leads.pass_time(minutes=15)
    return leads


def test_webhook_of_a_lead_without_a_time_that_a_backfill_has_run_starts_nothing(leads: Leads) -> None:
    run_id = leads.backfill(lead(1, None)).run_id
    leads.arrive(1, 15)
    leads.pass_time(minutes=3)
    assert leads.fall_back() == []
    assert leads.reasons()[0].endswith(f" has started {run_id}")


def test_backfill_starts_nothing_for_a_lead_without_a_time_whose_webhook_has_started_the_flow(leads: Leads) -> None:
    leads.arrive(1, 15)
    leads.fall_back(None)
    assert " has started run_" in leads.backfill(lead(1, None)).reason


def test_entries_that_started_a_flow_are_found_by_their_time(leads: Leads) -> None:
    leads.backfill(lead(1, 15))
    plans: list[str] = []
    leads.arrive(1, 15)
    leads.connection.set_trace_callback(plans.append)
    leads.fall_back(None)
    leads.connection.set_trace_callback(None)
    [plan] = [plan for plan in plans if "coalesce(e.occurred_at, e.received_at)" in plan]
    steps = [row["detail"] for row in leads.connection.execute(f"EXPLAIN QUERY PLAN {plan}")]
    assert "SEARCH e USING INDEX events_by_time (connector=? AND connection=? AND <expr>>? AND <expr><?)" in steps


class ThreeLeads(Listing):
    """Three leads."""

    async def entries(self) -> AsyncIterator[Entry]:
        for number in range(3):
            yield Entry("a", polled.read_item(lead(number, 15), self.clock()))


def test_backfill_counts_the_runs_that_have_ended(leads: Leads) -> None:
    listing = ThreeLeads(leads.intake.adapter, leads.watch, lambda: leads.now)
    filling = Backfill(leads.intake.store, Selection(leads.watch, leads.watch.watchers[0].flow, listing))

    async def fill() -> None:
        filled = asyncio.create_task(filling.run())
        await asyncio.sleep(0.05)
        ended = "UPDATE runs SET status = ?, error = ?, finished_at = created_at WHERE trigger LIKE ?"
        error = json.dumps(Failure("look", "test.look", "no", "other", 1).as_json())
        leads.connection.execute(ended, ("succeeded", None, "%"))
        leads.connection.execute(ended, ("failed", error, "%lead-1%"))
        await filled

    run(fill())
    assert (filling.ended, filling.with_error, filling.open) == ({"succeeded": 2, "failed": 1}, {"failed"}, set())
