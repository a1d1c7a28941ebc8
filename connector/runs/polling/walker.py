"""Polls one partition of a list: at every pause, when somebody waits for an entry, and through long walks between."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.adapter import Adapter
from connector.declare import ListStep, PollRequest
from connector.errors import ActionError, NotFoundError, StoreError
from connector.runs.polling import arrivals, lists
from connector.runs.polling.pace import Failures, Pace, explain
from connector.runs.polling.watches import Poll, Watch
from connector.runs.store import Store

HURRY = 2.0
"""Seconds until the second look for an entry that somebody waits for; each further pause is twice as long."""


@dataclass(slots=True, eq=False)
class Walker:
    """The poll of one partition; `work` ends where the partition is gone and `named` is False."""

    adapter: Adapter
    store: Store
    watch: Watch
    poll: Poll
    pace: Pace
    clock: Callable[[], datetime]
    wake_worker: Callable[[], None]
    named: bool
    """Whether a flow names the partition."""
    _failures: Failures = field(init=False)
    _earlier: asyncio.Event = field(default_factory=asyncio.Event)
    """The next look is due earlier than it was."""
    _next: float = 0.0
    _not_before: float = 0.0
    """Until then a failure keeps it from asking."""
    _hurry: float | None = None
    _reserved: float | None = None
    _step: ListStep | None = None

    @property
    def place(self) -> str:
        return f"the {self.watch.list.name} of {self.poll.partition!a}"

    @property
    def every(self) -> float:
        """The pause that the flows want, in seconds."""
        wanted = [one.every for one in self.watch.watchers if one.partition in (None, self.poll.partition)]
        return min(wanted, default=60.0)

    @property
    def is_refused(self) -> bool:
        """Whether the partition cannot be had, because the key or the plan is not accepted."""
        return self.pace.is_refused(self.place)

    def hurry(self, waiting: Collection[str | None]) -> None:
        """Look now, and again soon, where somebody waits for an entry of this partition; None in `waiting`: of any."""
        if not self._is_meant(waiting):
            return
        self._hurry = HURRY
        self._look_at(self.pace.monotonic(), waiting)

    async def work(self) -> None:
        """Poll until cancelled."""
        with self.pace.share(self, self.place, self.every) as self._failures:
            while not await self._is_gone():
                pass

    async def _is_gone(self) -> bool:
        """Go on; whether that has shown that the partition is gone. Whatever fails is tried again."""
        try:
            try:
                await self._go_on()
            except NotFoundError:
                if self.named:
                    raise
                await self.store.write(lists.retire, self.poll, self.clock())
                return True
        except Exception as error:  # of this program or a plugin too: a poll does not end
            await self._fail(error)
        return False

    async def _go_on(self) -> None:
        """One request, or a rest."""
        now = self.pace.monotonic()
        if now >= self._next:
            await self._begin_round(now)
        if self._step is None:  # after a failure
            await self._rest(self._next)
        elif self._step.request is None:
            self._hurry_on()
            await self._rest(self._next)
        elif self._step.patient and await self._rest(self._reserve()):
            return  # there is something new to look for first
        else:
            await self._ask(self._step.request, patient=self._step.patient)

    async def _begin_round(self, now: float) -> None:
        stretch, at = self.pace.stretch(), self.clock()
        pause = self.every * stretch
        self._next = now + pause
        due_at = at + timedelta(seconds=pause)
        self._step = await self.store.write(lists.begin_round, self.watch, self.poll, at, due_at, stretch)

    def _reserve(self) -> float:
        """When the next page of a long walk may be asked for; the same until it is, or others would always be first."""
        if self._reserved is None:
            self._reserved = self.pace.reserve_patient()
        return self._reserved

    async def _ask(self, request: PollRequest, *, patient: bool) -> None:
        if patient:
            self._reserved = None
        try:
            output = await self.adapter.ask(self.watch.list, request, self.watch.connector, self.watch.connection)
        except ActionError as error:
            if not request.spares(error):
                raise
            output = {}
        taken = await self.store.write(lists.take_page, self.watch, self.poll, output, self.clock())
        self._step = taken.step
        self._failures.end()
        if taken.started:
            self.wake_worker()

    def _is_meant(self, waiting: Collection[str | None]) -> bool:
        return None in waiting or self.poll.partition in waiting

    def _hurry_on(self) -> None:
        """At the end of a round: look again soon where somebody still waits."""
        if self._hurry is None:
            return
        waiting = self.store.query(arrivals.partitions_to_hurry, self.watch)
        if not self._is_meant(waiting):
            self._hurry = None
            return
        self._look_at(self.pace.monotonic() + self._hurry, waiting)
        self._hurry = min(self._hurry * 2, self.every)

    def _look_at(self, at: float, waiting: Collection[str | None]) -> None:
        """Look then, unless a look is due before, or a failure forbids it; in turn where others may be meant."""
        at = max(at, self._not_before)
        if self.poll.partition not in waiting:
            at = self.pace.reserve_hurried(at, self._next)
        if at < self._next:
            self._next = at
            self._earlier.set()

    async def _rest(self, until: float) -> bool:
        """Rest until then, or until the next look is due; whether that comes first."""
        while (now := self.pace.monotonic()) < (end := min(until, self._next)):
            self._earlier.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(end - now):
                    await self._earlier.wait()
        return self._next < until

    async def _fail(self, error: Exception) -> None:
        """Note it, and try again later, whoever waits."""
        pause = self._failures.begin(error, self.every)
        self._step, self._next = None, self.pace.monotonic() + pause
        self._not_before = self._next
        if not isinstance(error, StoreError):
            with suppress(StoreError):  # the next try notes it
                await self.store.write(lists.fail, self.poll, explain(error), self.clock())
