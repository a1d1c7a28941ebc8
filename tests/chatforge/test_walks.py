"""Walks through one list that has odd ways; each asks for pages until its round ends."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from connector.chatforge import sweep
from connector.chatforge.sweep import Sweep
from connector.declare import Item

NOW = datetime(2026, 3, 25, 12, 0, tzinfo=UTC)

Pages = Callable[[int], list[Item]]
"""(offset) → the page."""


def items(count: int) -> list[Item]:
    """The oldest first, a minute apart."""
    return [Item(str(number), {}, NOW - timedelta(days=1) + timedelta(minutes=number)) for number in range(count)]


def round_of(
    state: Sweep, page: Pages, seen: set[str], *, later: timedelta = timedelta(), count: int | None = 0
) -> int:
    """The number of its requests."""
    sweep.begin(state, NOW + later)
    for requests in range(3_000):
        asked = sweep.ask(state)
        if asked is None:
            return requests
        if asked.what == "count":
            sweep.take_count(state, count, NOW + later)
            continue
        found = page(asked.offset)
        known = seen & {item.id for item in found}
        seen |= {item.id for item in found}
        sweep.take(state, found, known, NOW + later)
    raise AssertionError("the round does not end")


def test_head_ends_where_the_offset_is_ignored() -> None:
    state, seen, listed = Sweep(), set[str](), items(130)
    round_of(state, lambda offset: listed[offset : offset + 50], seen, count=130)
    assert state.order == "oldest_first"
    assert round_of(state, lambda _offset: listed[:50], seen, later=timedelta(minutes=1)) <= 2
    assert round_of(state, lambda offset: listed[offset : offset + 50], seen, later=timedelta(minutes=2)) <= 8
    assert round_of(state, lambda offset: listed[offset : offset + 50], seen, later=timedelta(minutes=3)) == 1


def test_end_that_looks_different_each_time_makes_the_walk_dirty() -> None:
    listed, chance = items(30), Random(1)  # noqa: S311 - the same each time

    def page(offset: int) -> list[Item]:
        return [*chance.sample(listed[:-1], len(listed) - 1), listed[-1]][offset : offset + 10]

    state = Sweep()
    assert round_of(state, page, set()) < 30
    assert (state.dirty, state.swept_at) == (1, None)


def test_list_without_a_lasting_order_is_seen_to_its_end() -> None:
    listed, chance = items(60), Random(1)  # noqa: S311 - the same each time

    def page(offset: int) -> list[Item]:
        same = chance.sample(listed[:20], 20) + chance.sample(listed[20:], 40)
        return same[offset : offset + 2]

    state, seen = Sweep(), set[str]()
    for number in range(12):
        round_of(state, page, seen, later=timedelta(hours=2 * number))
    assert seen == {item.id for item in listed}


def test_full_page_is_not_the_end_of_a_list() -> None:
    """`offset` is ignored for one request, whose page overlaps the one before by chance."""
    listed, state, seen, asked = items(39), Sweep(cap=20), set[str](), list[int]()

    def page(offset: int) -> list[Item]:
        asked.append(offset)
        begin = 0 if len(asked) == 3 else offset
        return listed[begin : begin + 20]

    round_of(state, page, seen)
    assert len(seen) == 39


def test_head_finds_what_moves_away_from_it_while_more_comes() -> None:
    """Between two pages so many come that the second one ends with what the first one has shown."""
    state, seen, listed = Sweep(), set[str](), items(200)[::-1]
    for _ in range(2):
        round_of(state, lambda offset: listed[offset : offset + 50], seen)
    rush = [Item(f"new-{number}", {}, NOW + timedelta(seconds=number)) for number in range(200)]

    def page(offset: int) -> list[Item]:
        there = 140 if offset == 0 else 200
        return [*rush[:there][::-1], *listed][offset : offset + 50]

    round_of(state, page, seen, later=timedelta(minutes=1))
    assert {f"new-{number}" for number in range(155)} <= seen


def test_head_finds_all_that_came_where_the_page_size_was_not_known() -> None:
    state, seen, listed = Sweep(), set[str](), items(12)
    for _ in range(2):
        round_of(state, lambda offset: listed[offset : offset + 20], seen)
    assert (state.order, state.cap) == ("oldest_first", 50)
    listed = items(60)
    round_of(state, lambda offset: listed[offset : offset + 20], seen, later=timedelta(minutes=1))
    assert len(seen) == 60
    assert round_of(state, lambda offset: listed[offset : offset + 20], seen, later=timedelta(minutes=2)) == 1


def test_empty_list_that_nothing_counts_is_believed_to_be_empty_after_two_hours() -> None:
    state = Sweep()
    for minutes in (0, 1, 30, 60, 119):
        round_of(state, lambda _offset: [], set(), count=None, later=timedelta(minutes=minutes))
        assert state.swept_at is None
    round_of(state, lambda _offset: [], set(), count=None, later=timedelta(minutes=120))
    assert (state.swept_at, state.alert) == (NOW + timedelta(minutes=120), None)
    round_of(state, lambda _offset: [], set(), count=None, later=timedelta(minutes=140))
    assert state.swept_at == NOW + timedelta(minutes=140), "it was empty before"


def test_list_that_has_become_empty_and_that_nothing_counts_is_believed_in_time() -> None:
    state, listed = Sweep(), items(5)
    round_of(state, lambda offset: listed[offset : offset + 50], set())
    for minutes in range(20, 140, 15):
        round_of(state, lambda _offset: [], set(), count=None, later=timedelta(minutes=minutes))
        assert (state.swept_at, state.count) == (NOW, 5)
    assert "is empty" in (state.alert or "")
    round_of(state, lambda _offset: [], set(), count=None, later=timedelta(minutes=280))
    assert (state.count, state.dirty) == (0, 0)


def test_list_that_shows_something_between_is_not_believed_to_be_empty() -> None:
    state, listed = Sweep(), items(5)
    for minutes in (0, 60, 119):
        round_of(state, lambda _offset: [], set(), count=None, later=timedelta(minutes=minutes))
    round_of(state, lambda offset: listed[offset : offset + 50], set(), later=timedelta(minutes=130))
    round_of(state, lambda _offset: [], set(), count=None, later=timedelta(minutes=150))
    assert (state.swept_at, state.count) == (NOW + timedelta(minutes=130), 5)
