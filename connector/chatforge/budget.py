"""How many requests one account may send: the rule, which is pure, and the waiting within one process.

The reference says 100 requests a minute for each API key, and not in which kind of window they are counted. A slot
is therefore freed a window after its request was *completed*: the server cannot have counted it later than that.
"""

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from connector.transport import Purpose

WINDOW = 60.05
"""Seconds from the answer until a slot is free again."""
DEADLINE = 60.0
"""Seconds within which a request ends; `HttpOptions.total_timeout`."""
DOUBT = 120.0
"""Seconds after the deadline until the slot of a request of unknown outcome is free again."""

BACKGROUND_SHARE = 0.7
"""The part of all slots that background work may take."""

_RANKS: dict[Purpose, int] = {"takeover": 0, "action": 1, "interactive": 2, "background": 3}


@dataclass(slots=True, eq=False)
class TakenSlot:
    """A slot in use. Times are seconds of the budget's clock."""

    purpose: Purpose
    started: float
    free_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.lose(self.started)  # whoever dies under way leaves a slot that frees itself

    def answer(self, now: float) -> None:
        self.free_at = now + WINDOW

    def lose(self, now: float) -> None:
        self.free_at = max(self.started + DEADLINE, now) + DOUBT


@dataclass(frozen=True, slots=True)
class Rule:
    """When a request may start, given the slots in use."""

    limit: int = 100
    """Requests a minute."""

    def delay(self, taken: Collection[TakenSlot], purpose: Purpose, last_start: float, now: float) -> float:
        """Seconds until a request may start if no slot is freed early; 0 when it may start now.

        While more than half of the slots are taken, starts are spread evenly, so that a burst does not come back
        every minute. Takeovers do not wait for that.
        """
        ends = sorted(slot.free_at for slot in taken)
        waits = [0.0, _wait_until_fewer(ends, self.limit, now)]
        if purpose == "background":
            own = sorted(slot.free_at for slot in taken if slot.purpose == purpose)
            waits.append(_wait_until_fewer(own, max(1, int(self.limit * BACKGROUND_SHARE)), now))
        if purpose != "takeover":
            spread = last_start + 60 / self.limit - now
            waits.append(min(spread, _wait_until_fewer(ends, self.limit // 2 + 1, now)))
        return max(waits)


def _wait_until_fewer(ends: Sequence[float], limit: int, now: float) -> float:
    """Seconds until fewer than `limit` of the sorted `ends` are to come; 0 or less when that is so now."""
    return ends[len(ends) - limit] - now if len(ends) >= limit else 0.0


@dataclass(slots=True, order=True)
class _Waiter:
    rank: int
    number: int
    changed: asyncio.Event = field(compare=False, default_factory=asyncio.Event)
    gone: bool = field(compare=False, default=False)


class RateBudget:
    """The budget of one account, for the tasks of one event loop.

    Those who wait are served by purpose (takeover, action, interactive, background), then in order of arrival.
    `clock` gives seconds that never go back; what waits uses the event loop's timers.
    """

    def __init__(self, limit: int = 100, clock: Callable[[], float] = time.monotonic) -> None:
        self._rule = Rule(limit)
        self._clock = clock
        self._taken: set[TakenSlot] = set()
        self._last_start = -math.inf
        self._waiting: list[_Waiter] = []
        self._numbers = itertools.count()

    async def take(self, purpose: Purpose) -> "RateSlot":
        """Wait until one more request may be sent. Being cancelled takes nothing."""
        waiter = _Waiter(_RANKS[purpose], next(self._numbers))
        heapq.heappush(self._waiting, waiter)
        try:
            while (delay := self._delay(waiter, purpose)) > 0:
                waiter.changed.clear()
                await _wait(waiter.changed, delay)
            return self._start(purpose)
        finally:
            waiter.gone = True
            self._wake_first()

    def _delay(self, waiter: _Waiter, purpose: Purpose) -> float:
        if self._find_first() is not waiter:
            return math.inf
        return self._rule.delay(self._taken, purpose, self._last_start, self._clock())

    def _start(self, purpose: Purpose) -> "RateSlot":
        now = self._clock()
        self._taken = {slot for slot in self._taken if slot.free_at > now}
        self._last_start = now
        slot = TakenSlot(purpose, now)
        self._taken.add(slot)
        return RateSlot(self, slot)

    def answered(self, slot: TakenSlot) -> None:
        slot.answer(self._clock())
        self._wake_first()

    def lost(self, slot: TakenSlot) -> None:
        slot.lose(self._clock())

    def unused(self, slot: TakenSlot) -> None:
        self._taken.discard(slot)
        self._wake_first()

    def _find_first(self) -> _Waiter | None:
        while self._waiting and self._waiting[0].gone:
            heapq.heappop(self._waiting)
        return self._waiting[0] if self._waiting else None

    def _wake_first(self) -> None:
        first = self._find_first()
        if first is not None:
            first.changed.set()


@dataclass(frozen=True, slots=True)
class RateSlot:
    """The right to send one request; `connector.transport.Slot`."""

    _budget: RateBudget
    _slot: TakenSlot

    def answered(self) -> None:
        self._budget.answered(self._slot)

    def lost(self) -> None:
        self._budget.lost(self._slot)

    def unused(self) -> None:
        self._budget.unused(self._slot)


async def _wait(changed: asyncio.Event, delay: float) -> None:
    try:
        async with asyncio.timeout(None if math.isinf(delay) else delay):
            await changed.wait()
    except TimeoutError:
        pass
