"""The join: which lead of the list a webhook is, in both orders, and what becomes of one whose lead does not come."""

from dataclasses import replace

import pytest
from runs.leads import Leads, flow, lead

from connector.runs.polling import arrivals


@pytest.fixture
def leads() -> Leads:
    """One flow that has seen the empty list of agent `a`."""
    leads = Leads()
    leads.serve(flow())
    leads.look()
    leads.pass_time(minutes=15)
    return leads


def test_lead_that_is_listed_first_keeps_its_webhook_from_starting_anything(leads: Leads) -> None:
    leads.lists["a"] = [lead(1, 15)]
    assert leads.look() == ["main 1"]
    stored = leads.arrive(1, 15)
    assert [start.run_id for start in stored.starts] == [None]
    assert "it is 'lead-1' of the list, seen before, which started run_" in leads.reasons()[0]


def test_webhook_that_comes_first_waits_for_its_lead_which_starts_the_flow(leads: Leads) -> None:
    assert leads.arrive(1, 15).starts == []
    leads.lists["a"] = [lead(1, 15)]
    assert leads.look() == ["main 1"]
    leads.pass_time(hours=1)
    assert leads.fall_back() == []
    assert leads.reasons() == ["it is the same as 'lead-1' of the list, whose own event decides"]


def test_webhook_starts_the_flow_by_itself_when_its_wait_is_over(leads: Leads) -> None:
    leads.arrive(1, 15)
    leads.pass_time(seconds=119)
    assert leads.fall_back() == []
    leads.pass_time(seconds=2)
    assert leads.fall_back() == ["main webhook of 1"]
    assert leads.fall_back() == []


def test_lead_that_is_listed_after_the_fall_back_starts_nothing(leads: Leads) -> None:
    leads.arrive(1, 15)
    leads.pass_time(minutes=3)
    leads.fall_back()
    leads.lists["a"] = [lead(1, 15)]
    leads.pass_time(days=6)
    assert leads.look() == []
    assert "its webhook evt_" in leads.reasons()[0]


def test_webhook_starts_the_flow_at_once_while_the_key_is_refused(leads: Leads) -> None:
    leads.arrive(1, 15)
    assert leads.fall_back(None) == ["main webhook of 1"]


@pytest.mark.parametrize(
    ("refused", "agent", "told"),
    [("a", "a", ["main webhook of 1"]), ("b", "a", []), ("a", "abc", []), (None, "abc", ["main webhook of 1"])],
    ids=["its agent", "another agent", "unknown agent", "all agents"],
)
def test_webhook_starts_the_flow_at_once_where_its_own_agent_is_refused(
    leads: Leads, refused: str | None, agent: str, told: list[str]
) -> None:
    leads.arrive(1, 15, agent=agent)
    assert leads.fall_back(refused) == told


@pytest.mark.parametrize(("seconds", "told"), [(59, []), (61, ["main webhook of 1"])])
def test_webhook_starts_the_flow_at_once_where_the_clock_was_set_back_by_a_minute(
    leads: Leads, seconds: float, told: list[str]
) -> None:
    leads.arrive(1, 15)
    leads.pass_time(seconds=-seconds)
    assert leads.fall_back() == told


def test_two_webhooks_of_one_visitor_are_two_leads(leads: Leads) -> None:
    for number in (1, 2):
        leads.arrive(number, 14 + number, visitor_email="same@example.com")
    leads.lists["a"] = [lead(number, 14 + number, visitor_email="same@example.com") for number in (1, 2)]
    assert leads.look() == ["main 1", "main 2"]
    leads.pass_time(minutes=5)
    assert leads.fall_back() == []


def test_one_lead_of_a_visitor_takes_one_of_two_webhooks(leads: Leads) -> None:
    for number in (1, 2):
        leads.arrive(number, 14 + number, visitor_email="same@example.com")
    leads.lists["a"] = [lead(2, 16, visitor_email="same@example.com")]
    assert leads.look() == ["main 2"]
    leads.pass_time(minutes=5)
    assert leads.fall_back() == ["main webhook of 1"]


def test_webhook_is_the_nearest_lead_in_time(leads: Leads) -> None:
    leads.lists["a"] = [lead(number, 10 + number, visitor_email="same@example.com") for number in (1, 4, 7)]
    leads.look()
    leads.arrive(4, 13.9, visitor_email="same@example.com")
    bound = leads.connection.execute("SELECT item FROM arrivals").fetchone()[0]
    assert bound == '"lead-4"'


@pytest.mark.parametrize(("apart", "told"), [(10, []), (10.01, ["main webhook of 1"])])
def test_lead_and_webhook_are_at_most_ten_minutes_apart(leads: Leads, apart: float, told: list[str]) -> None:
    leads.arrive(1, 15)
    leads.lists["a"] = [lead(1, 15 + apart)]
    assert leads.look() == ["main 1"]
    leads.pass_time(minutes=5)
    assert leads.fall_back() == told


def test_webhook_that_names_the_agent_otherwise_teaches_the_name(leads: Leads) -> None:
    leads.lists["a"] = [lead(1, 15), lead(2, 14)]
    leads.look()
    leads.arrive(1, 15, agent="abc123")
    leads.lists["b"] = [lead(2, 15, id="of b")]
    leads.look("b")
    leads.arrive(2, 15, agent="abc123")
    bound = leads.connection.execute("SELECT item, partition FROM arrivals WHERE item LIKE '%2%'").fetchall()
    assert [tuple(row) for row in bound] == [('"lead-2"', '"a"')]


def test_webhook_that_names_the_agent_takes_its_lead_back_from_one_of_an_agent_that_is_not_listed_yet(
    leads: Leads,
) -> None:
    leads.arrive(2, 15, agent="new", visitor_email="same@example.com")
    leads.lists["a"] = [lead(1, 14, visitor_email="same@example.com")]
    assert leads.look() == ["main 1"]
    leads.pass_time(minutes=5)
    leads.arrive(1, 14, visitor_email="same@example.com")
    assert leads.fall_back() == []
    leads.lists["new"] = [lead(2, 15, visitor_email="same@example.com")]
    assert leads.look("new") == ["main 2"]
    leads.pass_time(minutes=5)
    assert leads.fall_back() == []


def test_webhook_whose_lead_is_taken_back_starts_the_flow_by_itself_in_the_end(leads: Leads) -> None:
    leads.arrive(2, 15, agent="new", visitor_email="same@example.com")
    leads.lists["a"] = [lead(1, 14, visitor_email="same@example.com")]
    leads.look()
    leads.arrive(1, 14, visitor_email="same@example.com")
    leads.pass_time(minutes=5)
    assert leads.fall_back() == ["main webhook of 2"]


def test_lead_whose_webhook_has_started_the_flow_is_not_taken_back(leads: Leads) -> None:
    leads.arrive(2, 15, agent="new", visitor_email="same@example.com")
    leads.pass_time(minutes=5)
    assert leads.fall_back() == ["main webhook of 2"]
    leads.lists["a"] = [lead(1, 14, visitor_email="same@example.com")]
    assert leads.look() == []
    leads.arrive(1, 14, visitor_email="same@example.com")
    leads.pass_time(minutes=5)
    assert leads.fall_back() == ["main webhook of 1"]


def test_name_of_an_agent_is_not_learned_where_the_lead_could_be_of_another(leads: Leads) -> None:
    leads.lists = {"a": [lead(1, 15)], "b": [lead(1, 15, id="of b")]}
    leads.look("a")
    leads.look("b")
    leads.arrive(1, 15, agent="abc123")
    assert leads.connection.execute("SELECT count(*) FROM aliases").fetchone()[0] == 0


def test_webhook_starts_its_lead_though_that_is_older_than_the_flow() -> None:
    leads = Leads()
    leads.serve(flow(), flow("listed", "new_lead"))
    leads.arrive(1, -5)
    leads.lists["a"] = [lead(1, -5), lead(2, -5)]
    assert leads.look() == ["main 1"]


def test_webhook_of_a_lead_that_was_seen_starts_the_flow_that_began_later(leads: Leads) -> None:
    leads.lists["a"] = [lead(1, 10)]
    leads.look()
    leads.serve(flow(), flow("later"))
    stored = leads.arrive(1, 10)
    assert [bool(start.run_id) for start in stored.starts] == [False, True]
    assert leads.runs() == ["main 1", "later 1"]


def test_flow_that_wants_all_later_does_not_get_what_its_webhook_has_started(leads: Leads) -> None:
    leads.arrive(1, 15)
    leads.pass_time(minutes=3)
    leads.fall_back()
    leads.lists["a"] = [lead(1, 15)]
    leads.look()
    leads.serve(flow(start="all"))
    leads.pass_time(minutes=20)
    assert leads.look() == []


def test_webhook_from_the_future_is_held_and_its_lead_starts_the_flow(leads: Leads) -> None:
    stored = leads.arrive(1, 30)
    assert [(start.run_id, start.held) for start in stored.starts] == [(None, True)]
    leads.lists["a"] = [lead(1, 30)]
    assert leads.look() == ["main 1"]
    assert leads.fall_back() == []


def test_webhook_waits_until_its_flow_is_served_again(leads: Leads) -> None:
    leads.arrive(1, 15)
    leads.serve(flow("other"))
    leads.pass_time(hours=1)
    assert leads.fall_back() == []
    leads.serve(flow())
    assert leads.fall_back() == ["main webhook of 1"]


def strand(leads: Leads) -> None:
    """Let a webhook wait while its flow is not served, and another flow take its lead."""
    leads.arrive(1, 15)
    leads.serve(flow("other"), off=["main"])
    leads.lists["a"] = [lead(1, 15)]
    assert leads.look() == ["other 1"]


def test_flow_that_is_not_served_while_another_takes_the_lead_starts_from_the_webhook_later(leads: Leads) -> None:
    strand(leads)
    leads.pass_time(minutes=5)
    leads.serve(flow(), flow("other"))
    assert arrivals.partitions_to_hurry(leads.connection, leads.watch) == set(), "its lead was found"
    assert leads.look() == []
    assert leads.fall_back() == ["main 1"], "and knows which lead it is"
    leads.serve(flow(start="all"), flow("other"))
    leads.pass_time(minutes=20)
    assert leads.look() == []


def test_flow_that_gets_the_lead_that_another_took_before_starts_nothing_from_the_webhook(leads: Leads) -> None:
    strand(leads)
    leads.serve(flow(start="all"), flow("other"))
    leads.pass_time(minutes=20)
    assert leads.look() == ["main 1"]
    assert leads.fall_back() == []
    assert "it is 'lead-1' of the list, seen before, which started run_" in leads.reasons()[-1]


def test_flow_that_watches_another_agent_is_not_told_of_a_lead(leads: Leads) -> None:
    leads.serve(flow(), flow("named", agent="b"))
    leads.lists["b"] = [lead(9, 15)]
    leads.arrive(9, 15, agent="abc")
    leads.look("b")  # the name stands for b
    event_id = leads.arrive(1, 15, agent="abc").event_id
    leads.lists["a"] = [lead(1, 15)]
    assert leads.look() == ["main 1"]
    leads.pass_time(minutes=3)
    assert leads.fall_back() == [], "the webhook was of another agent"
    told = leads.connection.execute("SELECT flow FROM starts WHERE event_id = ?", (event_id,)).fetchall()
    assert [row["flow"] for row in told] == ["main"]


def test_only_webhooks_near_a_lead_in_time_are_compared_with_it(leads: Leads) -> None:
    for number in range(100):
        leads.arrive(number, 15 + 5 * number)
    compared, join = [], leads.watch.list.join

    def measure(webhook: object, entry: object) -> float | None:
        compared.append(webhook)
        return join.distance(webhook, entry)

    polled = replace(leads.watch.list, join=replace(join, distance=measure))
    leads.watch = replace(leads.watch, list=polled)
    leads.pass_time(hours=10)
    leads.lists["a"] = [lead(0, 15), lead(99, 510)]
    assert leads.look() == ["main 0", "main 99"]
    assert len(compared) == 6


def test_webhook_that_comes_again_is_not_a_second_one(leads: Leads) -> None:
    first, second = (leads.arrive(1, 15) for _ in range(2))
    assert (first.new, second.new) == (True, False)
    leads.lists["a"] = [lead(1, 15)]
    assert leads.look() == ["main 1"]


def test_lead_that_is_listed_long_after_the_fall_back_starts_nothing(leads: Leads) -> None:
    """The key was refused for longer than webhooks are usually recognised."""
    leads.arrive(1, 15)
    assert leads.fall_back(None) == ["main webhook of 1"]
    leads.lists["a"] = [lead(1, 15), lead(2, 15)]
    leads.pass_time(days=8)
    assert leads.look() == ["main 2"]
