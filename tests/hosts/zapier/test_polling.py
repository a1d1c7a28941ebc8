"""What the generated app polls in the real Zapier platform: new leads, new conversations, lists to choose from."""

import json
from datetime import timedelta

import httpx
import pytest
from hosts.results import record

pytestmark = pytest.mark.hosts

NEW_LEAD = {"kind": "triggers", "key": "new_lead"}
NEW_CONVERSATION = {"kind": "triggers", "key": "new_conversation"}


@pytest.mark.parametrize("order", ["newest_first", "oldest_first", "shuffled"])
def test_leads_and_conversations_come_newest_first_in_the_form_of_the_sample(app, now, order):
    app.set(list_order=order, max_limit=20)
    app.visit_often(30, now)
    definitions = json.loads((app.folder / "definitions.json").read_text())["triggers"]
    expected = [f"{position}@example.com" for position in reversed(range(30))]
    for polled, key in zip(app.run(NEW_LEAD, NEW_CONVERSATION), ("new_lead", "new_conversation"), strict=True):
        items = polled["output"]
        assert [item["visitor_email"] for item in items] == expected
        assert len({item["id"] for item in items}) == 30
        assert {*items[0]} == {*definitions[key]["sample"]} == {field["key"] for field in definitions[key]["output"]}
        assert items[0]["agent_id"] == app.sandbox.agent_id
    record("zapier", "poll", "polling triggers")


def test_all_agents_are_polled_unless_one_is_chosen(app, now):
    created, *_ = app.run({"kind": "creates", "key": "create_agent", "input": {"name": "Sales"}})
    other = created["output"]["agent"]["id"]
    app.visit("ann@example.com", now - timedelta(minutes=1))
    app.visit("bob@example.com", now, agent_id=other)
    both, one = app.run(NEW_LEAD, {**NEW_LEAD, "input": {"agent_id": other}})
    assert [lead["visitor_email"] for lead in both["output"]] == ["bob@example.com", "ann@example.com"]
    assert [lead["agent_id"] for lead in one["output"]] == [other]


@pytest.mark.parametrize(("number", "read", "requests"), [(0, 0, 1), (45, 45, 2), (120, 120, 4), (620, 200, 5)])
def test_longer_list_is_read_at_both_ends(app, now, number, read, requests):
    app.visit_often(number, now)
    [polled] = app.run({**NEW_LEAD, "input": {"agent_id": app.sandbox.agent_id}})
    found = [lead["visitor_email"] for lead in polled["output"]]
    assert len(found) == len({*found}) == read
    assert found[:1] == [f"{number - 1}@example.com"] * bool(number)
    assert app.requests().get("v1-leads") == requests


def test_list_that_is_shorter_than_its_count_is_read_whole(app, now):
    app.visit_often(130, now)
    fault = {"action": "v1-analytics", "status": 200, "body": {"leads": {"total": 900}}}
    httpx.post(f"{app.sandbox.control_url}/faults", json=fault).raise_for_status()
    [polled] = app.run({**NEW_LEAD, "input": {"agent_id": app.sandbox.agent_id}})
    assert len(polled["output"]) == 130


def test_old_lead_that_comes_into_view_of_a_long_list_starts_nothing(app, now):
    app.visit_often(420, now, timedelta(hours=1))
    [polled] = app.run(NEW_LEAD)
    [first] = app.run(NEW_LEAD, isPopulatingDedupe=True)
    assert (len(polled["output"]), len(first["output"])) == (7 * 24, 420)


def test_lead_of_any_age_is_told_of_a_short_list(app, now):
    app.visit("ann@example.com", now - timedelta(days=400))
    [polled] = app.run(NEW_LEAD)
    assert [lead["visitor_email"] for lead in polled["output"]] == ["ann@example.com"]


def test_entry_without_an_id_or_a_time_is_told(app, now):
    strange = [{"visitor_email": "a@example.com"}, {"id": 7}, {"id": "one", "created_at": now.isoformat()}]
    for body in ({"leads": strange}, {"leads": []}):
        fault = {"action": "v1-leads", "status": 200, "body": body}
        httpx.post(f"{app.sandbox.control_url}/faults", json=fault).raise_for_status()
    [polled] = app.run({**NEW_LEAD, "input": {"agent_id": app.sandbox.agent_id}})
    leads = polled["output"]
    assert [lead["id"].partition("-")[0] for lead in leads] == ["unreadable", "unreadable", "one"]
    assert all(lead["captured_at"] for lead in leads)


def test_account_that_needs_too_many_requests_is_told_to_choose_an_agent(app, now):
    create = {"kind": "creates", "key": "create_agent", "input": {"name": "Sales"}}
    app.run(*[create] * 60)
    [polled] = app.run(NEW_LEAD)
    assert "one poll asks ChatForge 60 times at most" in polled["message"]
    assert app.requests()["v1-leads"] == 59


def test_agents_and_conversations_can_be_chosen_from(app, now):
    app.set(max_limit=20)
    app.visit_often(30, now)
    app.visit("late@example.com", now, name="John")
    choose = {"kind": "triggers", "key": "conversations"}
    agents, without_agent, conversations = app.run(
        {"kind": "triggers", "key": "agents"}, choose, {**choose, "input": {"agent_id": app.sandbox.agent_id}}
    )
    assert [agent["name"] for agent in agents["output"]] == ["Support Agent"]
    assert "choose agent_id first" in without_agent["message"]
    labels = {item["id"]: item["visitor_name"] for item in conversations["output"]}
    assert len(labels) == 31
    assert {label for key, label in labels.items() if label != key} == {"John"}
