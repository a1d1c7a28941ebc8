"""Walks one list of ChatForge, page by page, while it changes. Pure: it says what to ask and reads what came.

The vendor documents neither the order of a list nor its largest page, and items come and go between two pages. So the
order and the page size are learned, each page begins within the one before, and a walk that may have missed something
is dirty and is repeated.

Three walks: the *head* looks at every poll at the end where new items are, once the order is known, and at the whole of
a list that fits on a page; the *week* goes back seven days, hourly; the *full* walk sees the whole list, every six
hours, and all the time while a longer list has no order.
"""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from connector.chatforge.index import Order
from connector.chatforge.walks import PAGE, Sweep, Walk, advance, advance_head, begin_full, overlap
from connector.declare import Item

__all__ = ["PAGE", "Ask", "Sweep", "ask", "begin", "take", "take_count"]

WEEK_EVERY = timedelta(hours=1)
FULL_EVERY = timedelta(hours=6)
SMALL_EVERY = timedelta(minutes=10)
"""The pause between two full walks of a list that fits on a page."""
RETRY_EVERY = timedelta(minutes=5)
"""How much longer the pause after each further dirty full walk is, where the order is known."""
RETRY_AT_MOST = timedelta(hours=1)

BELIEVED_AFTER = timedelta(hours=2)
"""For how long a list must have been seen empty until it is believed to be, where nothing counts it."""
_EVIDENCE = 8
"""Pairs of neighbours with different times that show an order."""
_AGREEING = 0.8
"""The part of them that stands in that order: a lead with an older date does not undo it."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The next request: a page at an offset, or how many items there are. A `sweep` has time, a head has not."""

    what: Literal["page", "count"]
    offset: int = 0
    sweep: bool = False


def begin(sweep: Sweep, now: datetime, *, wanted: bool = False) -> None:
    """Begin a round. `wanted` says that somebody waits for a full walk that begins from now on."""
    if sweep.head is None and (sweep.order is not None or _is_small(sweep)):
        sweep.head = Walk(kind="head", began=now, offset=_end(sweep))
    if sweep.walk is None:
        if _is_full_due(sweep, now, wanted=wanted):
            begin_full(sweep, now)
        elif sweep.order is not None and _is_over(sweep.week_at, WEEK_EVERY, now):
            sweep.walk = Walk(kind="week", began=now, offset=_end(sweep))


def ask(sweep: Sweep) -> Ask | None:
    """The next request of the round, or None at its end. The head comes before the sweep."""
    if sweep.head is not None:
        if sweep.order == "oldest_first" and sweep.count is None:
            sweep.asked = "count"
            return Ask("count")
        sweep.asked = "head"
        return Ask("page", sweep.head.offset)
    if sweep.walk is None:
        sweep.asked = None
        return None
    if sweep.walk.kind == "full" and sweep.walk.confirming and sweep.walk.offset < 0:
        sweep.asked = "count"
        return Ask("count", sweep=True)
    sweep.asked = "walk"
    return Ask("page", sweep.walk.offset, sweep=True)


def take_count(sweep: Sweep, count: int | None, now: datetime) -> datetime | None:
    """How many items the vendor counts; None where it does not say. Returns as `take` does."""
    if sweep.head is not None:
        sweep.count = count
        if count is None:
            sweep.head = None  # the full walk will tell where the list ends
        else:
            sweep.head.offset = _end(sweep)
        return None
    assert sweep.walk is not None  # noqa: S101 - it was asked for by one of both
    # An empty list that should not be empty must not make everything new when it is back.
    sweep.walk.dirty |= bool(count) if count is not None else not _is_long_empty(sweep, now)
    sweep.count = sweep.count if sweep.walk.dirty else 0
    return _finish(sweep, sweep.walk, now)


def take(sweep: Sweep, items: Sequence[Item], known: Collection[str], now: datetime) -> datetime | None:
    """Read the page that was asked for; `known` are the ids of it that were seen before.

    Returns when the full walk began that has now ended clean, None where none has.
    """
    _learn(sweep, items)
    if items:
        sweep.empty_since = None
    elif sweep.asked == "walk" and sweep.walk is not None and sweep.walk.offset == 0:
        sweep.empty_since = sweep.empty_since or now
    if sweep.asked == "head" and sweep.head is not None:
        if advance_head(sweep, sweep.head, [item.id for item in items], known, now):
            sweep.head, sweep.headed = None, True
    elif sweep.asked == "walk" and sweep.walk is not None and advance(sweep, sweep.walk, items, now):
        return _finish(sweep, sweep.walk, now)
    return None


def _end(sweep: Sweep) -> int:
    """Where to look for new items: the start of a newest-first list, else a little before its end."""
    return 0 if sweep.order != "oldest_first" else max(0, (sweep.count or 0) - overlap(sweep.cap))


def _is_long_empty(sweep: Sweep, now: datetime) -> bool:
    """Whether the list was empty at each walk for long enough, or was known to be."""
    return sweep.count == 0 or (sweep.empty_since is not None and _is_over(sweep.empty_since, BELIEVED_AFTER, now))


def _is_over(moment: datetime | None, pause: timedelta, now: datetime) -> bool:
    """Whether `pause` has passed; also where the clock was set back meanwhile."""
    return moment is None or not moment <= now < moment + pause


def _is_small(sweep: Sweep) -> bool:
    """Whether the whole list was seen, and fits well on one page."""
    return sweep.swept_at is not None and sweep.count is not None and sweep.count <= sweep.cap // 2


def _is_full_due(sweep: Sweep, now: datetime, *, wanted: bool) -> bool:
    if sweep.order is None and not _is_small(sweep):
        return True
    if sweep.retry_at is not None and sweep.retry_at - RETRY_AT_MOST <= now < sweep.retry_at:
        return False
    if sweep.swept_at is None or sweep.dirty or wanted:
        return True
    pause = SMALL_EVERY if sweep.order is None else max(FULL_EVERY, timedelta(seconds=sweep.took))
    return _is_over(sweep.swept_at, pause, now)


def _learn(sweep: Sweep, items: Sequence[Item]) -> None:
    """See from one page in which order the list stands, or that it has none."""
    sweep.cap = max(sweep.cap, len(items))
    times = [item.occurred_at for item in items if item.occurred_at is not None]
    pairs = [(one, other) for one, other in itertools.pairwise(times) if one != other]
    if len(pairs) < _EVIDENCE:
        return
    rising = sum(one < other for one, other in pairs) / len(pairs)
    order: Order | None = None
    if rising >= _AGREEING:
        order = "oldest_first"
    elif rising <= 1 - _AGREEING:
        order = "newest_first"
    if order != sweep.order:
        sweep.order, sweep.head, sweep.headed = order, None, False
        if sweep.walk is not None and sweep.walk.kind == "week":
            sweep.walk = None


def _finish(sweep: Sweep, walk: Walk, now: datetime) -> datetime | None:
    sweep.walk = None
    if walk.kind == "week":
        sweep.week_at = now
        return None
    if walk.dirty:
        sweep.dirty += 1
        sweep.retry_at = now + min(RETRY_EVERY * (sweep.dirty - 1), RETRY_AT_MOST)
        return None
    sweep.took, sweep.swept_at, sweep.week_at = max(0.0, (now - walk.began).total_seconds()), now, now
    sweep.dirty, sweep.retry_at, sweep.offset_ignored = 0, None, False
    return walk.began
