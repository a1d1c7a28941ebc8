import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from connector.declare import Item
from connector.runs.backfills import MOST_SORTED, Selection
from connector.runs.listings import Entry, Listing

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
