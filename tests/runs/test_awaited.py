"""Which events are offered to a step that waits: what is new, and each thing once however many events tell of it."""

from datetime import timedelta

import pytest
from runs.leads import KEY, Leads, flow, lead
from simulator.world import START

from connector.flows.catalogue import Catalogue
from connector.runs import awaited
from connector.runs.awaited import Awaited
from connector.runs.listeners import find_pinned
from connector.runs.records import write_time
from connector.sqlite import transaction


@pytest.fixture
def leads() -> Leads:
    """A run has started from lead 1 of the list of agent `a`."""
    leads = Leads()
    leads.serve(flow())
    leads.look()
    leads.pass_time(minutes=15)
    leads.lists["a"] = [lead(1, 15)]
    leads.look()
    leads.pass_time(minutes=1)
    return leads


def wait(leads: Leads) -> str:
    """Let a step of the first run wait for events since its start; the run."""
    run = leads.connection.execute("SELECT id FROM runs ORDER BY rowid").fetchone()
    with transaction(leads.connection):
        leads.connection.execute(
            "INSERT INTO steps (run_id, step, action, status, attempts, started_at) "
            "VALUES (?, 'reply', 'test.ping', 'waiting', 0, ?)",
            (run["id"], write_time(START)),
        )
        awaited.begin(leads.connection, Awaited(run["id"], "reply", *KEY), START + timedelta(minutes=15))
    return str(run["id"])


def sources(leads: Leads, run_id: str) -> list[str]:
    return [event.source for event in awaited.candidates(leads.connection, run_id, "reply")]


def test_event_that_started_the_run_is_not_what_it_waits_for(leads: Leads) -> None:
    assert sources(leads, wait(leads)) == []


def test_webhook_of_the_lead_that_started_the_run_is_not_what_it_waits_for(leads: Leads) -> None:
    run_id = wait(leads)
    leads.arrive(1, 15)
    assert sources(leads, run_id) == []


@pytest.mark.parametrize("begun", ["before", "after"])
def test_lead_whose_webhook_came_first_is_offered_once(leads: Leads, begun: str) -> None:
    run_id = wait(leads) if begun == "before" else ""
    leads.arrive(2, 16)
    leads.lists["a"].insert(0, lead(2, 16))
    assert leads.look() == ["main 2"]
    assert sources(leads, run_id or wait(leads)) == ["webhook"]


@pytest.mark.parametrize("begun", ["before", "after"])
def test_lead_that_was_listed_first_is_offered_once(leads: Leads, begun: str) -> None:
    run_id = wait(leads) if begun == "before" else ""
    leads.lists["a"].insert(0, lead(2, 16))
    leads.look()
    leads.arrive(2, 16)
    assert sources(leads, run_id or wait(leads)) == ["poll"]


def test_lead_of_the_past_that_a_backfill_runs_over_is_not_offered(leads: Leads) -> None:
    run_id = wait(leads)
    leads.backfill(lead(7, -9_000))
    assert sources(leads, run_id) == []


def test_event_that_was_taken_is_offered_to_nobody_else_and_stays_with_its_step(leads: Leads) -> None:
    run_id = wait(leads)
    stored = leads.arrive(2, 16)
    with transaction(leads.connection):
        assert awaited.take(leads.connection, stored.event_id, run_id, "reply")
        assert awaited.take(leads.connection, stored.event_id, run_id, "reply"), "again after a crash"
        assert not awaited.take(leads.connection, stored.event_id, run_id, "another")


def test_damaged_revision_of_a_run_that_waits_does_not_keep_a_server_from_starting(leads: Leads) -> None:
    wait(leads)
    leads.connection.execute("UPDATE revisions SET calls = 'x'")
    assert find_pinned(leads.connection, Catalogue({}, {}), []) == []
