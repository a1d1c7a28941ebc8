"""Finds the newest item of a list that matches, in few requests and never more pages than allowed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic

from connector.chatforge.index import Item, Listing, find_order

PAGE = 50
_MARGIN = 10
"""How much of the last page is left for items that came after they were counted."""


@dataclass(frozen=True, slots=True)
class Source(Generic[Item]):
    """Where the items come from."""

    fetch: Callable[[int], Awaitable[Sequence[Item]]]
    """The page at an offset."""
    count: Callable[[], Awaitable[int | None]]
    """About how many items there are; None where that is unknown."""
    listing: Listing[Item]


@dataclass(frozen=True, slots=True)
class Matches(Generic[Item]):
    """What was found, and whether anything newer is ruled out."""

    items: Sequence[Item]
    complete: bool


@dataclass(slots=True)
class Search(Generic[Item]):
    """One look at a list. It begins at the end where new items are, once the order is known."""

    source: Source[Item]
    matches: Callable[[Item], bool]
    pages_left: int
    decisive: bool = False
    """One match is enough: there can be no other."""
    seen: dict[str, Item] = field(default_factory=dict)
    counted: bool = False

    async def run(self) -> Matches[Item]:
        """Look at up to `pages_left` pages, and at what earlier searches have seen."""
        listing = self.source.listing
        complete = whole = False
        if listing.order == "oldest_first" and (count := await self._count()) is not None:
            complete = await self._look_from_the_end(0, count)
        if not complete and self.pages_left:
            complete, whole = await self._look_from_the_start()
        listing.remember(self.seen, whole=whole)
        return Matches([item for item in listing.items.values() if self.matches(item)], complete)

    async def _look_from_the_start(self) -> tuple[bool, bool]:
        """Whether nothing newer can follow, and whether the whole list was seen."""
        walked: dict[str, Item] = {}
        offset = 0
        while self.pages_left:
            page = await self._take(offset)
            known = len(walked)
            walked |= {item.id: item for item in page}
            if len(walked) == known:  # an empty page is the end; a repeated one means that `offset` has no effect
                return not page, not page
            offset += len(page)
            self.source.listing.order = order = find_order(list(walked.values()))
            if order == "oldest_first" and self.pages_left and (count := await self._count()) is not None:
                return await self._look_from_the_end(offset, count), False
            if self._has_passed_a_match(list(walked.values())):
                return True, False
        return False, False

    async def _look_from_the_end(self, walked: int, count: int) -> bool:
        """Of an oldest-first list: whether nothing newer can stand elsewhere. `walked` items were seen already."""
        start = max(walked, count - PAGE + _MARGIN)
        tail = await self._take_span(start, None)
        if tail == [] and start > walked:  # there are fewer than counted
            start = walked
            tail = await self._take_span(start, None)
        while tail is not None:
            if find_order(tail) == "newest_first":
                self.source.listing.order = None  # it was learned by chance, or the vendor has changed it
                return False
            if start <= walked or self._has_passed_a_match(tail[::-1]):
                return True
            start, end = max(walked, start - PAGE), start
            span = await self._take_span(start, end)
            tail = None if span is None else span + tail
        return False

    async def _take_span(self, start: int, end: int | None) -> list[Item] | None:
        """The items from `start` on until `end`, or until an empty page; the server may send fewer than asked for.

        None where there were too many for `pages_left`, or a page only repeats what was seen.
        """
        items: list[Item] = []
        while end is None or start + len(items) < end:
            known = len(self.seen)
            page = await self._take(start + len(items)) if self.pages_left else None
            if page is None or (page and len(self.seen) == known):
                return None
            if not page:
                break
            items += page
        return items

    async def _count(self) -> int | None:
        """Asked once: an answer without a number has none the next time either."""
        if self.counted:
            return None
        self.counted = True
        return await self.source.count()

    async def _take(self, offset: int) -> Sequence[Item]:
        self.pages_left -= 1
        page = await self.source.fetch(offset)
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
