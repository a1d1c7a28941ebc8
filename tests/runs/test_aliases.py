"""Names that webhooks have for an agent: they say where a lead is looked for first, and never where not."""

import json

import pytest
from runs.leads import Leads, flow, lead

from connector.runs.polling import aliases, arrivals

SAME = {"visitor_email": "same@example.com"}


@pytest.fixture
def leads() -> Leads:
    """One flow that has seen the empty lists of two agents."""
    leads = Leads(lists={"a": [], "b": []})
    leads.serve(flow())
    look(leads)
    leads.pass_time(minutes=15)
    return leads


def look(leads: Leads) -> list[str]:
    return [*leads.look("a"), *leads.look("b")]


def teach(leads: Leads, number: int, agent: str, name: str = "abc") -> None:
    """Let a webhook with that name be recognised as a lead of the agent."""
    minutes = 100.0 * number
    leads.arrive(number, minutes, agent=name)
    leads.lists[agent].append(lead(number, minutes))
    look(leads)


def stands_for(leads: Leads, name: str = "abc") -> str | None:
    return aliases.find_partition(leads.connection, leads.watch, name)


def test_one_name_for_two_agents_doubles_no_lead(leads: Leads) -> None:
    for number, agent in enumerate("abba"):
        leads.arrive(number, 15, agent="abc")
        leads.lists[agent].append(lead(number, 15))
        look(leads)
        leads.pass_time(minutes=3)
        leads.fall_back()
    assert leads.runs() == ["main 0", "main 1", "main 2", "main 3"]


def test_name_that_was_learned_wrong_is_learned_anew(leads: Leads) -> None:
    teach(leads, 1, "a")
    assert stands_for(leads) == "a"
    teach(leads, 2, "b")
    assert stands_for(leads) == "b"


def test_name_of_two_agents_is_trusted_no_more(leads: Leads) -> None:
    for number, agent in enumerate("abaaa", 1):
        teach(leads, number, agent)
    assert stands_for(leads) is None
    assert stands_for(leads, "a") == "a", "its own name is no other one"


@pytest.mark.parametrize(("learned", "agent"), [("a", "a"), ("aba", "abc")])
def test_flow_that_starts_from_a_webhook_alone_gets_the_agent_that_its_name_stands_for(
    leads: Leads, learned: str, agent: str
) -> None:
    for number, taught in enumerate(learned, 1):
        teach(leads, number, taught)
    leads.arrive(9, 15, agent="abc")
    assert leads.fall_back(None) == ["main webhook of 9"]
    [trigger] = leads.connection.execute("SELECT trigger FROM runs ORDER BY rowid DESC LIMIT 1").fetchone()
    assert json.loads(trigger)["agent_id"] == agent


def test_webhook_is_rather_a_lead_of_the_agent_that_its_name_stands_for(leads: Leads) -> None:
    teach(leads, 1, "a")
    leads.lists = {"a": [lead(2, 12, **SAME)], "b": [lead(3, 15, **SAME)]}
    look(leads)
    leads.arrive(3, 15, agent="abc", **SAME)
    assert leads.bound()[0] == ("a", "lead-2")


def test_lead_is_rather_of_the_webhook_whose_name_stands_for_its_agent(leads: Leads) -> None:
    teach(leads, 1, "a")
    teach(leads, 2, "b", "xyz")
    leads.arrive(3, 15, agent="xyz", **SAME)
    leads.arrive(4, 12, agent="abc", **SAME)
    leads.lists["a"].append(lead(5, 15, **SAME))
    look(leads)
    assert leads.bound()[0] == ("a", "lead-5")
    [waiting] = leads.connection.execute("SELECT named FROM arrivals WHERE item IS NULL").fetchone()
    assert waiting == '"xyz"'


def test_lead_is_rather_of_the_webhook_that_names_its_agent_than_of_an_unknown_name(leads: Leads) -> None:
    leads.arrive(3, 15, agent="abc", **SAME)
    leads.arrive(4, 12, agent="a", **SAME)
    leads.lists["a"].append(lead(5, 15, **SAME))
    look(leads)
    [waiting] = leads.connection.execute("SELECT named FROM arrivals WHERE item IS NULL").fetchone()
    assert waiting == '"abc"'


@pytest.mark.parametrize(("learned", "meant"), [("", {None}), ("b", {"b"}), ("bab", {None})])
def test_agent_that_a_name_stands_for_is_looked_at_first(leads: Leads, learned: str, meant: set[str | None]) -> None:
    for number, agent in enumerate(learned, 1):
        teach(leads, number, agent)
    leads.arrive(9, 15, agent="abc")
    assert arrivals.partitions_to_hurry(leads.connection, leads.watch) == meant


def test_nobody_hurries_for_a_flow_that_is_not_served(leads: Leads) -> None:
    leads.arrive(1, 15)
    leads.serve(flow("other"))
    assert arrivals.partitions_to_hurry(leads.connection, leads.watch) == set()


def test_resent_webhook_starts_nothing_where_a_lead_of_another_agent_has(leads: Leads) -> None:
    teach(leads, 1, "a")
    run = leads.backfill(lead(2, 15), agent="b").run_id
    stored = leads.arrive(2, 15, agent="abc")
    assert leads.resend(stored.event_id).reason.endswith(f" tells of the same and has started {run}")
