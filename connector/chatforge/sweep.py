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

from pydantic import BaseModel, ConfigDict

from connector.chatforge.index import Order
from connector.chatforge.models import Time
from connector.declare import Item

PAGE = 50
"""How many items are asked for."""
WEEK = timedelta(days=7)
WEEK_EVERY = timedelta(hours=1)
FULL_EVERY = timedelta(hours=6)
SMALL_EVERY = timedelta(minutes=10)
"""The pause between two full walks of a list that fits on a page."""
MOST_BACK = 6
"""Steps back in a row until a walk gives up."""
MOST_SEARCHED = 20
"""Steps back in one walk until it goes on without: the list has no lasting order."""
MOST_LOST = 40
"""Pages of one walk that do not touch the one before until it gives up; more after each dirty walk."""
RETRY_EVERY = timedelta(minutes=5)
"""How much longer the pause after each further dirty full walk is, where the order is known."""
RETRY_AT_MOST = timedelta(hours=1)
ALERT_AFTER = 6
"""Dirty sweeps in a row."""

_EVIDENCE = 8
"""Pairs of neighbours with different times that show an order."""
_AGREEING = 0.8
"""The part of them that stands in that order: a lead with an older date does not undo it."""

Kind = Literal["head", "week", "full"]


class Walk(BaseModel):
    """One way through the list. `tail` are the ids of the page before, which stood at `tail_at`."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    began: Time
    offset: int = 0
    tail: list[str] = []
    tail_at: int = 0
    jumped: bool = False
    """Asked right behind a short page, to see whether that was the last one."""
    confirming: bool = False
    """Looking back from an empty page."""
    repeated: bool = False
    """Asking again for a page that equals the one before it."""
    back: int = 0
    """Steps back in a row."""
    started: bool = False
    """Whether the place was found at which this walk begins, where it is not the start of the list."""
    lost: int = 0
    """Pages that did not touch the one before."""
    ends: int = 0
    """Looks back from an empty page that did not show the end."""
    dirty: bool = False


class Sweep(BaseModel):
    """What is remembered of one list; plain JSON, of a size that does not grow with the list."""

    model_config = ConfigDict(extra="forbid")

    order: Order | None = None
    cap: int = PAGE
    """The most items of a page, as far as is known."""
    count: int | None = None
    """How many items there were when the end was seen last."""
    head: Walk | None = None
    walk: Walk | None = None
    asked: Literal["head", "walk", "count"] | None = None
    headed: bool = False
    """Whether the head was seen before, so that what is known there is where it ended."""
    number: int = 0
    """Of the full walk that is under way or was the last one."""
    swept_at: Time | None = None
    """The end of the last clean full walk."""
    took: float = 0.0
    """Its seconds."""
    week_at: Time | None = None
    dirty: int = 0
    """Full walks in a row that may have missed something."""
    retry_at: Time | None = None
    offset_ignored: bool = False

    @property
    def alert(self) -> str | None:
        """What an operator should know, as one sentence."""
        if self.offset_ignored:
            return "ChatForge ignores `offset`: only the first page of this list can be seen; report it to the vendor"
        if self.dirty >= ALERT_AFTER:
            return (
                f"{self.dirty} sweeps in a row may have missed items, because the list changes too much between two "
                "pages; leads without a webhook may come late"
            )
        return None


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
            _begin_full(sweep, now)
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
    sweep.walk.dirty |= bool(sweep.count if count is None else count)
    sweep.count = sweep.count if sweep.walk.dirty else 0
    return _finish(sweep, sweep.walk, now)


def take(sweep: Sweep, items: Sequence[Item], known: Collection[str], now: datetime) -> datetime | None:
    """Read the page that was asked for; `known` are the ids of it that were seen before.

    Returns when the full walk began that has now ended clean, None where none has.
    """
    _learn(sweep, items)
    if sweep.asked == "head" and sweep.head is not None:
        if _advance_head(sweep, sweep.head, [item.id for item in items], known, now):
            sweep.head, sweep.headed = None, True
    elif sweep.asked == "walk" and sweep.walk is not None and _advance(sweep, sweep.walk, items, now):
        return _finish(sweep, sweep.walk, now)
    return None


def _end(sweep: Sweep) -> int:
    """Where to look for new items: the start of a newest-first list, else a little before its end."""
    return 0 if sweep.order != "oldest_first" else max(0, (sweep.count or 0) - _overlap(sweep.cap))


def _overlap(length: int) -> int:
    return min(length // 2, max(5, length // 10))


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


def _begin_full(sweep: Sweep, now: datetime) -> None:
    sweep.number += 1
    sweep.walk = Walk(kind="full", began=now, started=True)


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


def _advance_head(sweep: Sweep, head: Walk, ids: list[str], known: Collection[str], now: datetime) -> bool:
    """Whether the head was seen whole: what is new ends where something known begins."""
    if sweep.order is None:
        if sweep.walk is None and (len(ids) != sweep.count or not {*ids} <= {*known}):
            _begin_full(sweep, now)
        return True
    if sweep.order == "newest_first":
        if not ids or not sweep.headed or ids[-1] in known or {*ids} <= {*head.tail}:
            return True
    else:
        lost = not ids or (sweep.headed and ids[0] not in known)  # items before it were deleted
        if _is_to_step_back(head, lost=lost):
            _step_back(sweep, head)
            return False
        if head.tail and {*ids} <= {*head.tail}:  # the same page again: the offset is ignored
            return True
        head.started, sweep.count = True, head.offset + len(ids)
        if len(ids) < sweep.cap:
            return True
    head.tail, head.offset = ids, head.offset + len(ids) - _overlap(len(ids))
    return False


def _advance(sweep: Sweep, walk: Walk, items: Sequence[Item], now: datetime) -> bool:
    """Whether the walk has ended; else its next offset is set."""
    ids = [item.id for item in items]
    if walk.kind == "week":
        old = [item.occurred_at < now - WEEK for item in items if item.occurred_at is not None]
        if sweep.order == "newest_first" and old and old[-1]:
            return True
        if sweep.order == "oldest_first" and _is_to_step_back(walk, lost=not ids or not (old and old[0])):
            _step_back(sweep, walk)
            return False
        walk.started = True
    if not ids:
        return _look_back(sweep, walk)
    if ids == walk.tail and walk.offset != walk.tail_at and not walk.confirming:
        return _ask_again(sweep, walk)
    walk.repeated = False
    if walk.tail and {*ids}.isdisjoint(walk.tail) and walk.offset > 0:
        walk.dirty |= sweep.cap == 1  # such pages cannot touch
        if sweep.cap > 1:
            return _find_tail(sweep, walk, ids)
    # A full page does not show that nothing follows; pages of one item are never clean.
    if walk.confirming and {*ids} <= {*walk.tail} and (len(ids) < sweep.cap or sweep.cap == 1):
        sweep.count = walk.offset + len(ids)
        return True
    walk.ends += walk.confirming
    if walk.ends > MOST_BACK:
        walk.dirty = True
        return True
    _go_on(sweep, walk, ids)
    return False


def _go_on(sweep: Sweep, walk: Walk, ids: list[str]) -> None:
    """To the next page: within this one, or right behind it where the list seems to end."""
    seems_last = len(ids) < sweep.cap or {*ids} <= {*walk.tail}
    walk.tail, walk.tail_at, walk.jumped = ids, walk.offset, seems_last
    walk.offset += len(ids) - (0 if seems_last else _overlap(len(ids)))
    walk.back, walk.confirming = 0, False


def _look_back(sweep: Sweep, walk: Walk) -> bool:
    """The page is empty: see whether the list ends there, or where it ends now."""
    if walk.kind == "week":
        return True
    if walk.offset == 0:  # and what stood here before is gone, or nothing did; the vendor's count tells
        walk.confirming, walk.offset = True, -1
        return False
    walk.confirming, walk.jumped = True, False
    if walk.back == 0:
        walk.offset, walk.back = max(0, walk.offset - max(1, _overlap(sweep.cap))), 1
    else:
        _step_back(sweep, walk)
    return False


def _find_tail(sweep: Sweep, walk: Walk, ids: list[str]) -> bool:
    """The page does not touch the one before it."""
    if walk.jumped:  # there was no promise that it would: the page before was short, and not the last one
        sweep.cap, walk.jumped = max(len(walk.tail), len(ids)), False
        walk.offset = walk.tail_at + len(walk.tail) - _overlap(len(walk.tail))
        return False
    walk.dirty, walk.lost = True, walk.lost + 1
    if walk.back < MOST_BACK and walk.lost <= MOST_SEARCHED:
        _step_back(sweep, walk)
    else:
        _go_on(sweep, walk, ids)
    return walk.lost >= MOST_LOST * (1 + sweep.dirty)


def _ask_again(sweep: Sweep, walk: Walk) -> bool:
    """The page equals the one at another offset: that may be chance once."""
    sweep.offset_ignored = walk.dirty = walk.repeated
    walk.repeated = True
    return sweep.offset_ignored


def _is_to_step_back(walk: Walk, *, lost: bool) -> bool:
    return lost and not walk.started and walk.offset > 0 and walk.back < MOST_BACK


def _step_back(sweep: Sweep, walk: Walk) -> None:
    walk.offset, walk.back = max(0, walk.offset - sweep.cap * 2**walk.back), walk.back + 1


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
