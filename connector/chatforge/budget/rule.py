"""When the next request of an account may start. Pure: times are seconds of a clock that never goes back.

The reference says 100 requests a minute for each API key, and not in which kind of window they are counted. A slot
is therefore freed a window after its request was *completed*: the server cannot have counted it later than that.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

from connector.transport import Purpose

WINDOW = 60.05
"""Seconds from the answer until a slot is free again."""
DEADLINE = 60.0
"""Seconds within which a request ends; `HttpOptions.total_timeout`."""
DOUBT = 120.0
"""Seconds after the deadline until the slot of a request of unknown outcome is free again."""

BACKGROUND_SHARE = 0.7
"""The part of all slots that background work may take."""
LEFT_OVER = 0.25
"""Where free slots are spread over the time until the next is freed, the part of one that is kept for a takeover.

Simulated for an hour with a backlog, a takeover every 3 s and a round trip of 0.5 s: with 0, 98.0 % of the budget is
used, and the 99th percentile of the takeovers' waits is 0.9 s; 0.25: 98.3 % and 1.1 s; 1: 99.1 % and 1.6 s; where
nothing is spread: 99.1 % and 14 s.
"""

RANKS: dict[Purpose, int] = {"takeover": 0, "action": 1, "interactive": 2, "background": 3}


@dataclass(frozen=True, slots=True)
class TakenSlot:
    """A slot in use, until `free_at`. `process` is whose it is."""

    id: str
    process: str
    purpose: Purpose
    started: float
    free_at: float

    @classmethod
    def start(cls, id: str, process: str, purpose: Purpose, now: float) -> Self:
        """Whoever dies under way leaves a slot that frees itself."""
        return cls(id, process, purpose, now, now + DEADLINE + DOUBT)


def free_after_answer(now: float) -> float:
    return now + WINDOW


def free_after_loss(started: float, now: float) -> float:
    return max(started + DEADLINE, now) + DOUBT


@dataclass(frozen=True, slots=True)
class Starts:
    """When the last request started, and when it was due: one that is late does not delay those after it."""

    last: float = -math.inf
    due: float = -math.inf

    def after(self, now: float, spacing: float) -> "Starts":
        """What they are when another one starts now."""
        return Starts(now, min(now, max(self.due + spacing, now - spacing)))


@dataclass(frozen=True, slots=True)
class Rule:
    """When a request may start, given the slots in use."""

    limit: int = 100
    """Requests a minute."""

    @property
    def spacing(self) -> float:
        """Seconds between two starts while more than half of the slots are taken."""
        return 60 / self.limit

    def delay(self, taken: Collection[TakenSlot], purpose: Purpose, starts: Starts, now: float) -> float:
        """Seconds until a request may start if no slot is freed early; 0 when it may start now.

        While more than half of the slots are taken, starts are spread, so that a burst does not come back every
        minute, and so that a slot is free for a takeover at any time. Takeovers do not wait for that.
        """
        ends = sorted(slot.free_at for slot in taken)
        waits = [0.0, _wait_until_fewer(ends, self.limit, now)]
        if purpose == "background":
            own = sorted(slot.free_at for slot in taken if slot.purpose == purpose)
            waits.append(_wait_until_fewer(own, max(1, int(self.limit * BACKGROUND_SHARE)), now))
        if purpose != "takeover":
            waits.append(min(self._spread(ends, starts, now), _wait_until_fewer(ends, self.limit // 2 + 1, now)))
        return max(waits)

    def _spread(self, ends: Sequence[float], starts: Starts, now: float) -> float:
        """Seconds until the next start, where the free slots have to last until one more is freed."""
        wait = starts.due + self.spacing - now
        free = self.limit - len(ends)
        if not ends or free <= 0:
            return wait
        last = max(starts.last, now - WINDOW)
        return max(wait, last + (ends[0] - last) / (free + LEFT_OVER) - now)

    def has_room(self, taken: int, purpose: Purpose) -> bool:
        """Whether one more may start without regard to those who wait, all of whom count as taken."""
        return taken <= self.limit // 2 or (purpose == "takeover" and taken < self.limit)


def _wait_until_fewer(ends: Sequence[float], limit: int, now: float) -> float:
    """Seconds until fewer than `limit` of the sorted `ends` are to come; 0 or less when that is so now."""
    return ends[len(ends) - limit] - now if len(ends) >= limit else 0.0
