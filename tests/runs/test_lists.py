"""The page transaction: what of a list is told to which flow, and what is kept of it."""

from datetime import timedelta

import pytest
from runs.leads import Leads, flow, lead
from simulator.world import START

from connector.runs.polling import lists


@pytest.fixture
def leads() -> Leads:
    return Leads()


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("now", ["main 1", "main 2"]),
        ("all", ["main 1", "main 2", "main 3", "main 4"]),
        ((START - timedelta(hours=1)).isoformat(), ["main 1", "main 2", "main 3"]),
    ],
)
def test_first_sweep_tells_what_is_not_older_than_the_start(leads: Leads, start: str, told: list[str]) -> None:
    leads.serve(flow(start=start))
    leads.lists["a"] = [lead(1, 1), lead(2, -0.9), lead(3, -60), lead(4, None)]
    assert leads.look() == told
    assert leads.look() == []


def test_start_is_read_on_the_clock_of_the_other_side(leads: Leads) -> None:
    leads.ahead = timedelta(hours=2)
    leads.serve(flow())
    leads.lists["a"] = [lead(1, 120), lead(2, 60)]
    assert leads.look() == ["main 1"]


def test_start_is_not_read_from_a_count_that_tells_no_time(leads: Leads) -> None:
    leads.serve(flow("first"))
    leads.lists["a"] = [lead(number, number - 500) for number in range(60)]
    leads.look()
    leads.connection.execute("UPDATE polls SET state = json_set(state, '$.count', NULL)")
    leads.ahead = timedelta(hours=-1)
    leads.pass_time(hours=1)
    leads.serve(flow("first"), flow("later"))
    leads.lists["a"].append(lead(60, 1))
    assert leads.look() == ["first 60", "later 60"]


def test_lead_that_a_clean_sweep_did_not_show_is_new_whatever_its_date(leads: Leads) -> None:
    leads.serve(flow())
    leads.lists["a"] = [lead(1, -60)]
    leads.look()
    leads.pass_time(minutes=20)
    leads.lists["a"] += [lead(2, -9_000), lead(3, None)]
    assert leads.look() == ["main 2", "main 3"]


def test_page_that_is_not_committed_is_told_by_the_next_look(leads: Leads) -> None:
    leads.serve(flow(start="all"))
    leads.lists["a"] = [lead(1)]
    poll = lists.open_poll(leads.connection, leads.watch, "a")
    lists.begin_round(leads.connection, leads.watch, poll, leads.now)
    leads.connection.execute("BEGIN")
    assert lists.take_page(leads.connection, leads.watch, poll, {"items": leads.lists["a"]}, leads.now).started
    leads.connection.execute("ROLLBACK")
    assert leads.runs() == []
    assert leads.look() == ["main 1"]


def test_second_flow_that_wants_all_gets_its_own_history(leads: Leads) -> None:
    leads.lists["a"] = [lead(1, -60), lead(2)]
    leads.serve(flow())
    assert leads.look() == ["main 2"]
    leads.pass_time(minutes=5)
    leads.serve(flow(), flow("second", "new_lead", "all"))
    assert leads.look() == ["second 1", "second 2"]


def test_second_flow_that_begins_now_gets_nothing_that_was_seen(leads: Leads) -> None:
    leads.lists["a"] = [lead(1, -60)]
    leads.serve(flow())
    leads.look()
    leads.pass_time(minutes=10)
    leads.serve(flow(), flow("second"))
    leads.lists["a"] += [lead(2, 10)]
    assert leads.look() == ["main 2", "second 2"]


@pytest.mark.parametrize("off", [[], ["main"]], ids=["second flow", "flow that was off"])
def test_flow_that_begins_now_gets_nothing_of_the_time_when_nobody_looked(leads: Leads, off: list[str]) -> None:
    leads.serve(flow())
    leads.look()
    leads.pass_time(days=60)
    leads.lists["a"] = [lead(number, 1_440 * number) for number in range(1, 60)]
    leads.serve(flow("main" if off else "second"), off=off)
    assert leads.look() == []
    leads.lists["a"] += [lead(60, 1_440 * 60)]
    assert leads.look() == ["main 60" if off else "second 60"]


def test_flow_whose_start_was_edited_gets_what_it_had_not(leads: Leads) -> None:
    leads.lists["a"] = [lead(1, -60), lead(2)]
    leads.serve(flow())
    assert leads.look() == ["main 2"]
    leads.serve(flow(start="all"))
    assert leads.look() == ["main 1"]


def test_flow_that_was_off_begins_anew(leads: Leads) -> None:
    leads.serve(flow(), flow("other"))
    leads.look()
    leads.serve(flow("other"), off=["main"])
    leads.pass_time(minutes=20)
    leads.lists["a"] = [lead(1, 2)]
    assert leads.look() == ["other 1"]
    leads.serve(flow(), flow("other"))
    leads.lists["a"] += [lead(2, 20)]
    assert leads.look() == ["main 2", "other 2"]


def test_flow_that_was_not_served_gets_what_came_meanwhile(leads: Leads) -> None:
    leads.lists["a"] = [lead(1, -60)]
    leads.serve(flow(), flow("other"))
    leads.look()
    leads.serve(flow("other"))
    leads.pass_time(minutes=20)
    leads.lists["a"] += [lead(2, 5)]
    assert leads.look() == ["other 2"]
    leads.serve(flow(), flow("other"))
    leads.pass_time(hours=7)
    assert leads.look() == ["main 2"]


def test_flow_that_went_on_with_a_clock_set_back_has_missed_nothing(leads: Leads) -> None:
    leads.serve(flow(agent="a"), flow("other", agent="b"))
    leads.lists["b"] = []
    leads.look("b")
    leads.pass_time(hours=-1)
    leads.ahead = timedelta(hours=1)
    leads.look("a")
    leads.serve(flow(agent="a"), flow("other", agent="b"))
    leads.lists["a"] = [lead(1, None)]
    leads.pass_time(minutes=11)
    assert leads.look("a") == ["main 1"]


def test_clock_that_is_set_back_does_not_make_new_leads_old(leads: Leads) -> None:
    leads.serve(flow())
    leads.pass_time(hours=-1)
    leads.ahead = timedelta(hours=1)
    leads.look()
    leads.pass_time(minutes=11)
    leads.lists["a"] = [lead(1, None)]
    assert leads.look() == ["main 1"]


def test_flow_gets_what_its_own_sweep_did_not_show_though_others_had_seen_it(leads: Leads) -> None:
    listed = leads.lists["a"] = [lead(1)]
    leads.serve(flow("first"))
    leads.look()
    leads.lists["a"] = []
    leads.pass_time(minutes=20)
    leads.serve(flow("first"), flow("second", start="all"))
    leads.look()
    leads.pass_time(hours=7)
    leads.look()
    leads.lists["a"] = listed
    leads.pass_time(hours=7)
    assert leads.look() == ["second 1"]


def test_agent_that_comes_back_brings_only_what_is_new(leads: Leads) -> None:
    leads.serve(flow(start="all"))
    leads.lists["a"] = [lead(1)]
    leads.look()
    [poll] = lists.open_polls(leads.connection, leads.watch)
    lists.retire(leads.connection, poll, leads.now)
    assert lists.open_polls(leads.connection, leads.watch) == []
    leads.pass_time(hours=1)
    leads.lists["a"] += [lead(2, 30)]
    assert leads.look() == ["main 2"]


@pytest.mark.parametrize(("sweeps", "days", "known"), [(2, 10, 1), (4, 0.1, 1), (4, 10, 0)])
def test_lead_is_forgotten_after_a_week_and_three_sweeps_without_it(
    leads: Leads, sweeps: int, days: float, known: int
) -> None:
    leads.serve(flow())
    leads.lists["a"] = [lead(1)]
    leads.look()
    leads.lists["a"] = [lead(2)]
    for _ in range(sweeps):
        leads.pass_time(days=days / sweeps)
        leads.look()
    observed = leads.connection.execute("SELECT count(*) FROM observed WHERE item LIKE '%lead-1%'").fetchone()[0]
    leads.lists["a"] = [lead(1), lead(2)]
    leads.pass_time(minutes=11)
    assert (observed, leads.look()) == (known, [])  # what was told is known by its event, too


def test_dirty_sweep_is_no_reason_to_forget_a_lead(leads: Leads) -> None:
    leads.serve(flow())
    leads.lists["a"] = [lead(1, -9_000), lead(2, -8_000)]
    leads.look()
    for counted in (2, 2, 2, 1):  # the list is empty though it should not be, and then lacks one for a moment
        leads.pass_time(days=3)
        leads.lists["a"], leads.counted = [lead(2, -8_000)] if counted == 1 else [], counted
        leads.look()
    leads.lists["a"], leads.counted = [lead(1, -9_000), lead(2, -8_000)], None
    leads.pass_time(hours=1)
    assert leads.look() == []
    assert leads.connection.execute("SELECT count(*) FROM observed").fetchone()[0] == 2


def test_lead_that_cannot_be_read_is_held_once_and_costs_no_other(leads: Leads) -> None:
    leads.serve(flow(start="all"))
    leads.lists["a"] = [lead(1, visitor_name=42), lead(2)]
    assert leads.look() == ["main 2"]
    held = leads.connection.execute("SELECT count(*) FROM starts WHERE held").fetchone()[0]
    assert (held, leads.look()) == (1, [])


def test_failure_is_noted_with_its_beginning_until_a_page_comes(leads: Leads) -> None:
    leads.serve(flow())
    leads.look()
    [poll] = lists.open_polls(leads.connection, leads.watch)
    for minutes in (1, 2):
        lists.fail(leads.connection, poll, "no answer came", leads.now + timedelta(minutes=minutes))
    failure = "SELECT failing_since, error FROM polls"
    assert tuple(leads.connection.execute(failure).fetchone()) == ("2026-03-25T10:31:00.000000Z", '"no answer came"')
    leads.pass_time(minutes=11)
    leads.look()
    assert tuple(leads.connection.execute(failure).fetchone()) == (None, None)
