"""Finds the newest item of a list that matches, in few requests and never more pages than allowed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from connector.chatforge.index import Item, Listing, find_order

PAGE = 50
_MARGIN = 10
"""How much of the last page is left for items that came after they were counted."""


@dataclass(frozen=True, slots=True)
class Matches(Generic[Item]):
    """What was found, and whether anything newer is ruled out."""

    items: Sequence[Item]
    complete: bool


@dataclass(slots=True)
class Search(Generic[Item]):
    """One look at a list. It begins at the end where new items are, once the order is known.

    `fetch` gives the page at an offset, `count` the number of items, or None where that is unknown.
    """

    fetch: Callable[[int], Awaitable[Sequence[Item]]]
    count: Callable[[], Awaitable[int | None]]
    listing: Listing[Item]
    matches: Callable[[Item], bool]
    pages_left: int
    decisive: bool = False
    """One match is enough: there can be no other."""
    seen: dict[str, Item] = field(default_factory=dict)

    async def run(self) -> Matches[Item]:
        """Look at up to `pages_left` pages, and at what earlier searches have seen."""
        complete = whole = False
        if self.listing.order == "oldest_first" and (count := await self.count()) is not None:
            complete = await self._look_from_the_end(0, count)
        if not complete and self.pages_left:
            complete, whole = await self._look_from_the_start()
        self.listing.remember(self.seen, whole=whole)
        return Matches([item for item in self.listing.items.values() if self.matches(item)], complete)

    async def _look_from_the_start(self) -> tuple[bool, bool]:
        """Whether nothing newer can follow, and whether the whole list was seen."""
        walked: dict[str, Item] = {}
        offset, counted = 0, True
        while self.pages_left:
            page = await self._take(offset)
            known = len(walked)
            walked |= {item.id: item for item in page}
            if len(walked) == known:  # an empty page is the end; a repeated one means that `offset` has no effect
                return not page, not page
            offset += len(page)
            self.listing.order = find_order(list(walked.values()))
            if self.listing.order == "oldest_first" and self.pages_left and counted:
                if (count := await self.count()) is not None:
                    return await self._look_from_the_end(offset, count), False
                counted = False
            if self._has_passed_a_match(list(walked.values())):
                return True, False
        return False, False

    async def _look_from_the_end(self, walked: int, count: int) -> bool:
        """Of an oldest-first list: whether nothing newer can stand elsewhere. `walked` items were seen already."""
        start, end = max(walked, count - PAGE + _MARGIN), count
        tail: list[Item] = []
        while self.pages_left:
            span = await self._take_span(start, end)
            if span is None:
                return False
            if find_order(tail := span + tail) == "newest_first":
                self.listing.order = None  # it was learned by chance, or the vendor has changed it
                return False
            if start <= walked or self._has_passed_a_match(tail[::-1]):
                return True
            start, end = max(walked, start - PAGE), start
        return False

    async def _take_span(self, start: int, end: int) -> list[Item] | None:
        """The items from `start` on until `end`, in as many pages as the server's own limit makes of them.

        None where there were too many for `pages_left`, or a page only repeats what was seen.
        """
        items: list[Item] = []
        while start + len(items) < end:
            known = len(self.seen)
            page = await self._take(start + len(items)) if self.pages_left else None
            if page is None or (page and len(self.seen) == known):
                return None
            if not page:
                break
            items += page
        return items

    async def _take(self, offset: int) -> Sequence[Item]:
        self.pages_left -= 1
        page = await self.fetch(offset)
        self.seen |= {item.id: item for item in page}
        return page

    def _has_passed_a_match(self, newest_first: list[Item]) -> bool:
        """Whether there is a match, and in the order of the list something older after it."""
        found = [item for item in newest_first if self.matches(item)]
        if self.decisive and found:
            return True
        last = newest_first[-1].created_at if newest_first else None
        if last is None or find_order(newest_first) != "newest_first":
            return False
        return any(item.created_at is not None and item.created_at > last for item in found)
