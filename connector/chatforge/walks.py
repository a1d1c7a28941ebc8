"""What is remembered of a walk through a list, and what a page says about the way on. Pure.

The vendor documents neither the order of a list nor its largest page, and items come and go between two pages. So the
page size is learned, each page begins within the one before, and a walk that may have missed something is dirty.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from connector.chatforge.index import Order
from connector.chatforge.models import Time
from connector.declare import Item

PAGE = 50
"""How many items are asked for."""
WEEK = timedelta(days=7)
MOST_BACK = 6
"""Steps back in a row until a walk gives up."""
MOST_SEEN = 500
"""Ids that a head remembers of what it has seen."""
MOST_SEARCHED = 20
"""Steps back in one walk until it goes on without: the list has no lasting order."""
MOST_LOST = 40
"""Pages of one walk that do not touch the one before until it gives up; more after each dirty walk."""
ALERT_AFTER = 6
"""Dirty sweeps in a row."""

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
    empty_since: Time | None = None
    """Since when every walk has found nothing."""
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
        if self.dirty >= ALERT_AFTER and self.empty_since is not None:
            return (
                "the list is empty, and how many items there should be cannot be read (Get Analytics); what appears in "
                "it may be old, and begins a flow only where it is dated later than its start"
            )
        if self.dirty >= ALERT_AFTER:
            return (
                f"{self.dirty} sweeps in a row may have missed items, because the list changes too much between two "
                "pages; leads without a webhook may come late"
            )
        return None


def overlap(length: int) -> int:
    return min(length // 2, max(5, length // 10))


def begin_full(sweep: Sweep, now: datetime) -> None:
    sweep.number += 1
    sweep.walk = Walk(kind="full", began=now, started=True)


def advance_head(sweep: Sweep, head: Walk, ids: list[str], known: Collection[str], now: datetime) -> bool:
    """Whether the head was seen whole: what is new ends where something known begins."""
    if sweep.order is None:
        if sweep.walk is None and (len(ids) != sweep.count or not {*ids} <= {*known}):
            begin_full(sweep, now)
        return True
    if sweep.order == "newest_first":
        seen = {*head.tail}  # what came meanwhile has moved that here
        if not ids or not sweep.headed or ids[-1] in {*known} - seen or (head.repeated and {*ids} <= seen):
            return True
        head.repeated = {*ids} <= seen
        head.tail = [*head.tail, *ids][-MOST_SEEN:]
    else:
        lost = not ids or (sweep.headed and ids[0] not in known)  # items before it were deleted
        if _is_to_step_back(head, lost=lost):
            _step_back(sweep, head)
            return False
        if head.tail and {*ids} <= {*head.tail}:  # nothing follows, or the offset is ignored
            return True
        head.started, sweep.count = True, head.offset + len(ids)
        if len(ids) < sweep.cap and {*ids} <= {*known}:  # with news on it, a page may be short for being full
            return True
        head.tail = ids
    head.offset += len(ids) - overlap(len(ids))
    return False


def advance(sweep: Sweep, walk: Walk, items: Sequence[Item], now: datetime) -> bool:
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
    walk.offset += len(ids) - (0 if seems_last else overlap(len(ids)))
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
        walk.offset, walk.back = max(0, walk.offset - max(1, overlap(sweep.cap))), 1
    else:
        _step_back(sweep, walk)
    return False


def _find_tail(sweep: Sweep, walk: Walk, ids: list[str]) -> bool:
    """The page does not touch the one before it."""
    if walk.jumped:  # there was no promise that it would: the page before was short, and not the last one
        sweep.cap, walk.jumped = max(len(walk.tail), len(ids)), False
        walk.offset = walk.tail_at + len(walk.tail) - overlap(len(walk.tail))
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
