"""The poll of lists: pure steps over pages of a list that changes meanwhile."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.chatforge import triggers
from connector.declare import Event, Page, Trigger
from connector.errors import NotFoundError

NOW = datetime(2026, 3, 25, 12, 0, tzinfo=UTC)


def lead(name: str, minutes: float | None = -60.0) -> dict[str, Any]:
    made = None if minutes is None else (NOW + timedelta(minutes=minutes)).isoformat()
    return {"id": name, "visitor_name": "John Smith", "created_at": made}


def conversation(name: str, count: int | None) -> dict[str, Any]:
    return {"id": name, "message_count": count, "created_at": (NOW - timedelta(hours=1)).isoformat()}


class Account:
    """Answers what a poll asks from `lists`, by agent; at most `most` items a page."""

    def __init__(self, trigger: Trigger, most: int = 50, **input: Any) -> None:
        self.trigger, self.most = trigger, most
        self.wanted = trigger.input.model_validate(input)
        self.lists: dict[str, list[dict[str, Any]]] = {"a": []}
        self.ignores_offset = False
        self.agents: list[str] = []
        self.state: Any = None
        self.now = NOW
        self.asked: list[str] = []
        self.between: Callable[[int], None] = lambda _number: None

    def answer(self, action: str, input: dict[str, Any]) -> Page:
        self.asked.append(input.get("agent_id", "agents"))
        self.between(len(self.asked))
        if action == "list_agents":
            return {"agents": [{"id": agent} for agent in self.agents or self.lists]}
        if input["agent_id"] not in self.lists:
            return NotFoundError("agent not found")
        if action == "get_analytics":
            total = {"total": len(self.lists[input["agent_id"]])}
            return {"leads": total, "conversations": total}
        items = self.lists[input["agent_id"]][0 if self.ignores_offset else input["offset"] :]
        return {action.removeprefix("list_"): items[: min(self.most, input["limit"])]}

    def round(self) -> list[Event]:
        """One round to its end; the state goes through JSON after each step."""
        assert self.trigger.poll is not None
        events: list[Event] = []
        page: Page = None
        for _ in range(500):
            step = self.trigger.poll(self.wanted, self.state, page, self.now)
            self.state = json.loads(json.dumps(step.state))
            events += step.events
            if step.request is None:
                return events
            page = self.answer(step.request.action, dict(step.request.input))
        raise AssertionError("the round does not end")


def identities(events: list[Event]) -> list[str]:
    return [event.identity for event in events]


@pytest.mark.parametrize(
    ("start", "found"),
    [
        ("now", ["lead:fresh", "lead:edge"]),
        ("all", ["lead:fresh", "lead:edge", "lead:old", "lead:undated"]),
        ("2026-03-25T11:00:30Z", ["lead:fresh", "lead:edge", "lead:old"]),
        ("2026-03-25T11:01:00.001Z", ["lead:fresh", "lead:edge"]),
    ],
)
def test_first_round_gives_what_is_not_older_than_the_start(start: str, found: list[str]) -> None:
    account = Account(triggers.NEW_LEAD, start=start)
    account.lists["a"] = [lead("fresh", 0), lead("edge", -1), lead("old", -60), lead("undated", None)]
    assert identities(account.round()) == found
    assert account.round() == []


def test_lead_that_appears_later_is_found_wherever_it_stands() -> None:
    account = Account(triggers.NEW_LEAD, most=2)
    account.lists["a"] = [lead("1"), lead("2"), lead("3")]
    assert account.round() == []
    account.lists["a"] = [lead("1"), lead("2"), lead("back-dated", -9000), lead("3"), lead("undated", None)]
    assert identities(account.round()) == ["lead:back-dated", "lead:undated"]


def test_lead_that_slips_to_an_earlier_page_is_found_all_the_same() -> None:
    account = Account(triggers.NEW_LEAD, most=2, start="all")
    account.lists["a"] = [lead(str(number)) for number in range(6)]
    account.between = lambda number: account.lists["a"].__delitem__(slice(0, 2)) if number == 3 else None
    assert "lead:2" in identities(account.round())


@pytest.mark.parametrize("most", [1, 2, 7, 50])
@pytest.mark.parametrize("change", ["delete", "insert", "nothing"])
def test_old_lead_that_the_first_round_missed_is_not_told_as_new(most: int, change: str) -> None:
    account = Account(triggers.NEW_LEAD, most=most)
    listed = account.lists["a"] = [lead(str(number)) for number in range(60)]

    def move(number: int) -> None:
        if number == 3 and change == "delete":
            del listed[: most + 1]
        if number == 3 and change == "insert":
            listed[:0] = [lead(f"inserted-{index}") for index in range(most + 1)]

    account.between = move
    told = identities([event for _ in range(3) for event in account.round()])
    assert all(identity.startswith("lead:inserted") for identity in told)
    listed.append(lead("fresh", 1))
    assert identities(account.round()) == ["lead:fresh"]


@pytest.mark.parametrize("length", [0, 1, 2, 5, 50, 51, 100, 101])
def test_list_of_any_length_is_walked_without_a_doubt_at_once(length: int) -> None:
    account = Account(triggers.NEW_LEAD)
    account.lists["a"] = [lead(str(number)) for number in range(length)]
    account.round()
    account.lists["a"].append(lead("back-dated", -9000))
    assert identities(account.round()) == ["lead:back-dated"]


def test_full_walk_overlaps_its_pages_and_looks_back_from_the_end() -> None:
    account = Account(triggers.NEW_LEAD)
    account.lists["a"] = [lead(str(number)) for number in range(120)]
    account.round()
    account.asked.clear()
    account.round()
    assert account.asked == ["a"] * 5


def test_start_in_the_future_is_kept() -> None:
    account = Account(triggers.NEW_LEAD, start=(NOW + timedelta(days=1)).isoformat())
    account.round()
    account.lists["a"] = [lead("early", 5)]
    assert account.round() == []
    account.now += timedelta(days=1, minutes=1)
    account.lists["a"].append(lead("due", 24 * 60))
    assert identities(account.round()) == ["lead:due"]


def test_new_agent_begins_at_the_start_of_the_flow() -> None:
    account = Account(triggers.NEW_LEAD)
    account.round()
    account.now += timedelta(minutes=11)
    account.lists["b"] = [lead("before", -10), lead("since", 5)]
    assert identities(account.round()) == ["lead:since"]


def test_agents_are_listed_anew_after_ten_minutes_only() -> None:
    account = Account(triggers.NEW_LEAD)
    account.round()
    account.now += timedelta(minutes=9, seconds=59)
    account.round()
    assert account.asked == ["agents", "a", "a", "a"]  # an empty list is counted, at first
    account.now += timedelta(seconds=1)
    account.round()
    assert account.asked[4:6] == ["agents", "a"]


def test_agent_that_is_gone_is_left_out_and_the_others_go_on() -> None:
    account = Account(triggers.NEW_LEAD, start="all")
    account.lists = {"gone": [], "b": [lead("1")]}
    account.between = lambda number: account.lists.pop("gone", None) and None if number == 2 else None
    assert identities(account.round()) == ["lead:1"]
    account.round()
    assert account.asked == ["agents", "gone", "b", "b", "b", "b"]


def test_agent_that_the_flow_names_and_is_not_there_is_an_error() -> None:
    with pytest.raises(NotFoundError):
        Account(triggers.NEW_LEAD, agent_id="other").round()


def test_list_that_ignores_the_offset_ends() -> None:
    account = Account(triggers.NEW_LEAD, start="all", agent_id="a")
    account.lists["a"] = [lead("1")]
    account.ignores_offset = True
    assert identities(account.round()) == ["lead:1"]


def test_list_that_repeats_itself_in_another_order_ends() -> None:
    account = Account(triggers.NEW_LEAD, start="all", agent_id="a")
    pages = [[lead("1"), lead("2")], [lead("3"), lead("4")]]
    account.between = lambda number: account.lists.update(a=pages[number % 2])
    account.ignores_offset = True
    assert sorted(identities(account.round())) == ["lead:1", "lead:2", "lead:3", "lead:4"]


def test_agent_that_is_listed_twice_is_walked_once() -> None:
    account = Account(triggers.NEW_LEAD)
    account.agents = ["a", "a"]
    account.round()
    assert account.asked == ["agents", "a", "a"]


def test_conversation_is_updated_when_its_messages_become_more() -> None:
    account = Account(triggers.CONVERSATION_CHANGED, start="all")
    account.lists["a"] = [conversation("1", 3), conversation("2", None)]
    assert account.round() == []
    account.lists["a"] = [conversation("1", 5), conversation("2", 1), conversation("3", 9)]
    assert identities(account.round()) == ["conversation:1:5", "conversation:2:1"]
    account.lists["a"] = [conversation("1", 4), conversation("2", 1), conversation("3", 10)]
    assert identities(account.round()) == ["conversation:3:10"]
    account.lists["a"] = [conversation("1", 5)]
    assert account.round() == []  # fewer for a while is not more afterwards


def test_new_conversation_is_told_once() -> None:
    account = Account(triggers.NEW_CONVERSATION)
    account.round()
    account.lists["a"] = [conversation("1", 1)]
    assert identities(account.round()) == ["conversation:1"]
    account.lists["a"] = [conversation("1", 2)]
    assert account.round() == []
