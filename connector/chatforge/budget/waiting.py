"""The waiting for the budget: within a process by purpose, then in order of arrival; among processes by the ledger."""

import asyncio
import heapq
import itertools
import logging
import math
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import httpx

from connector.chatforge.budget.clock import Clock, machine_clock
from connector.chatforge.budget.learning import Learned
from connector.chatforge.budget.ledger import Answer, Ledger, Reply, Wanted
from connector.chatforge.budget.rule import RANKS, TakenSlot, free_after_answer, free_after_loss
from connector.chatforge.budget.shared import Memory, Storage
from connector.retry_after import read_retry_after
from connector.transport import Purpose

log = logging.getLogger("connector.chatforge.budget")

Result = TypeVar("Result")


@dataclass(slots=True, order=True)
class _Waiter:
    rank: int
    number: int
    purpose: Purpose = field(compare=False)
    changed: asyncio.Event = field(compare=False, default_factory=asyncio.Event)
    gone: bool = field(compare=False, default=False)


class RateBudget:
    """The budget of one account; `connector.transport.Budget`. Used in one event loop.

    Those who wait are served by purpose (takeover, action, interactive, background), then in order of arrival;
    of several processes first the one that started a request longest ago. `configured` is requests a minute,
    `account` what the account is called in the storage.
    """

    def __init__(
        self, configured: int = 100, storage: Storage | None = None, account: str = "", clock: Clock | None = None
    ) -> None:
        self._configured, self._account = configured, account
        self._storage = storage or Memory()
        self._clock = clock or machine_clock()
        self._process = secrets.token_hex(8)
        self._learned = Learned()
        self._known: tuple[TakenSlot, ...] = ()
        self._own: dict[str, TakenSlot] = {}
        self._unused: set[str] = set()
        self._answers: list[Answer] = []
        self._dirty = False
        self._writing: asyncio.Task[None] | None = None
        self._waiting: list[_Waiter] = []
        self._counts: Counter[Purpose] = Counter()
        self._numbers = itertools.count()

    @property
    def limit(self) -> int:
        """Requests a minute: as configured, or fewer after refusals (429); as it was last seen."""
        return self._learned.limit(self._configured)

    async def used(self) -> int:
        """Requests of the last minute, of all processes that share the storage; one that was lost counts longer."""
        return await self._transact(lambda ledger: len(ledger.taken()))

    async def take(self, purpose: Purpose) -> "RateSlot":
        """Wait until one more request may be sent. Being cancelled takes nothing."""
        waiter = _Waiter(RANKS[purpose], next(self._numbers), purpose)
        heapq.heappush(self._waiting, waiter)
        self._counts[purpose] += 1
        try:
            while True:
                waiter.changed.clear()
                delay = math.inf
                if self._find_first() is waiter:
                    reply = await self._ask(purpose)
                    if reply.slot is not None:
                        return RateSlot(self, reply.slot.id)
                    delay = reply.delay / self._clock.speed
                await _wait(waiter.changed, delay)
        finally:
            waiter.gone = True
            self._counts[purpose] -= 1
            self._wake_first()

    async def _ask(self, purpose: Purpose) -> Reply:
        wanted = Wanted(secrets.token_hex(8), self._process, purpose, self._second(purpose), self._configured)
        try:
            reply = await self._transact(lambda ledger: ledger.ask(wanted))
        except BaseException:  # cancelled: nobody knows whether it was granted
            self._unused.add(wanted.slot)
            self._write_soon()
            raise
        self._known = reply.taken
        if reply.slot is not None:
            self._own[wanted.slot] = reply.slot
        return reply

    def _second(self, first: Purpose) -> Purpose | None:
        """The purpose of whoever comes after the first one here."""
        others = self._counts - Counter([first])
        return min(others, key=RANKS.__getitem__, default=None)

    async def _transact(self, work: Callable[[Ledger], Result]) -> Result:
        """Write down what happened here since the last time, then do `work`."""
        unused, answers = tuple(self._unused), tuple(self._answers)

        def run(connection: sqlite3.Connection) -> tuple[Result, Learned]:  # on another thread
            ledger = Ledger(connection, self._account, self._clock.read())
            ledger.open(self._known, self._learned)
            ledger.drop(unused)
            ledger.match(self._own.copy())
            for answer in answers:
                ledger.learn(answer, self._configured)
            return work(ledger), ledger.account()[1]

        result, learned = await self._storage.run(run)
        self._unused.difference_update(unused)
        self._answers = [answer for answer in self._answers if answer not in answers]
        now = self._clock.read().now
        self._own = {slot.id: slot for slot in self._own.values() if slot.free_at > now}
        self._take_in(learned)
        return result

    def _take_in(self, learned: Learned) -> None:
        before, self._learned = self._learned, learned
        if learned.lowered > before.lowered:
            told = (
                "ChatForge has refused requests (429): at most %d of %d a minute are sent until it stops; "
                "see chatforge doctor"
            )
            log.warning(told, self.limit, self._configured)

    def answered(self, id: str, response: httpx.Response | None) -> None:
        """The slot is free a window from now; None: the request was certainly not taken."""
        moment, slot = self._clock.read(), self._own.get(id)
        if slot is None:
            return
        self._own[id] = replace(slot, free_at=free_after_answer(moment.now))
        if response is not None:
            refused = response.status_code == 429
            told = read_retry_after(response.headers, self._clock.date()) if refused else None
            self._answers.append(Answer(id, slot.started, moment, refused, told))
        self._write_soon()

    def lost(self, id: str) -> None:
        """Nobody knows whether or when the request was counted."""
        if (slot := self._own.get(id)) is not None:
            self._own[id] = replace(slot, free_at=free_after_loss(slot.started, self._clock.read().now))
            self._write_soon()

    def unused(self, id: str) -> None:
        """The request was not sent."""
        if self._own.pop(id, None) is not None:
            self._unused.add(id)
            self._known = tuple(slot for slot in self._known if slot.id != id)
            self._write_soon()

    def _write_soon(self) -> None:
        self._dirty = True
        task = asyncio.current_task()
        if self._writing is None and not (task and task.cancelling()):  # a loop that ends must not get new tasks
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._dirty:
                self._dirty = False
                await self._transact(self._leave)
            self._wake_first()
        except BaseException:
            self._dirty = True
            raise
        finally:
            self._writing = None

    def _leave(self, ledger: Ledger) -> None:
        if not +self._counts:
            ledger.leave(self._process)

    async def aclose(self) -> None:
        """Write down what is not written yet, and close the storage."""
        if self._writing is not None:
            await self._writing
        if self._dirty:
            self._dirty = False
            await self._transact(self._leave)
        await self._storage.aclose()

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
    _id: str

    def answered(self, response: httpx.Response | None) -> None:
        self._budget.answered(self._id, response)

    def lost(self) -> None:
        self._budget.lost(self._id)

    def unused(self) -> None:
        self._budget.unused(self._id)


async def _wait(changed: asyncio.Event, delay: float) -> None:
    try:
        async with asyncio.timeout(None if math.isinf(delay) else delay):
            await changed.wait()
    except TimeoutError:
        pass
