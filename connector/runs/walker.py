"""Polls one partition of a list: at every pause, when somebody waits for an entry, and through long walks between."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from connector.adapter import Adapter
from connector.declare import ListStep
from connector.errors import ActionError, ConnectorError, NotFoundError
from connector.runs import arrivals, lists
from connector.runs.pace import Pace
from connector.runs.store import Store
from connector.runs.watches import Poll, Watch

log = logging.getLogger(__name__)

HURRY = 2.0
"""Seconds until the second look for an entry that somebody waits for; each further pause is twice as long."""
LONGEST_PAUSE = 300.0
"""Seconds between two tries at most, while requests fail."""
STORE_PAUSE = 1.0


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
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _next: float = 0.0
    _hurry: float | None = None
    _reserved: float | None = None
    _failures: int = 0
    _step: ListStep | None = None

    @property
    def place(self) -> str:
        return f"the {self.watch.list.name} of {self.poll.partition!a}"

    @property
    def every(self) -> float:
        """The pause that the flows want, in seconds."""
        wanted = [one.every for one in self.watch.watchers if one.partition in (None, self.poll.partition)]
        return min(wanted, default=60.0)

    def hurry(self) -> None:
        """Look now, and again soon: somebody waits for an entry."""
        self._hurry = HURRY
        self._woken.set()

    async def work(self) -> None:
        """Poll until cancelled."""
        self.pace.needs[self] = 60 / self.every
        try:
            while not await self._is_gone():
                pass
        finally:
            self.pace.needs.pop(self, None)
            self.pace.failing.pop(self.place, None)

    async def _is_gone(self) -> bool:
        """Go on; whether that has shown that the partition is gone. Whatever fails is tried again."""
        try:
            try:
                await self._go_on()
            except NotFoundError as error:
                if not self.named:
                    await self.store.write(lists.retire, self.poll, self.clock())
                    return True
                await self._fail(error)
            except ActionError as error:
                await self._fail(error)
        except ConnectorError as error:  # the database, or a setting
            self.pace.begin_failure(self.place, error)
            self._put_off(STORE_PAUSE)
        except Exception:
            log.exception("polling %s failed after a fault of this program; it is tried again", self.place)
            self._put_off(LONGEST_PAUSE)
        return False

    async def _go_on(self) -> None:
        """One request, or a rest."""
        now = self.pace.monotonic()
        if self._woken.is_set() or now >= self._next:
            self._woken.clear()
            self._next = now + self.every * self.pace.stretch()
            begin = self.clock()
            self._step = await self.store.write(lists.begin_round, self.watch, self.poll, begin)
        if self._step is None or self._step.request is None:
            self._hurry_on()
            await self._rest(self._next)
        elif self._step.patient and await self._rest(self._reserve()):
            return  # there is something new to look for first
        else:
            await self._ask(self._step)

    def _reserve(self) -> float:
        """When the next page of a long walk may be asked for; the same until it is, or others would always be first."""
        if self._reserved is None:
            self._reserved = self.pace.reserve_patient()
        return self._reserved

    async def _ask(self, step: ListStep) -> None:
        assert step.request is not None  # noqa: S101 - the caller has looked
        if step.patient:
            self._reserved = None
        output = await self.adapter.ask(self.watch.list, step.request, self.watch.connector, self.watch.connection)
        now = self.clock()
        taken = await self.store.write(lists.take_page, self.watch, self.poll, output, now)
        self._step, self._failures = taken.step, 0
        self.pace.end_failure(self.place)
        if taken.started:
            self.wake_worker()

    def _hurry_on(self) -> None:
        """At the end of a round: look again soon where somebody still waits."""
        if self._hurry is None:
            return
        waiting = self.store.query(arrivals.partitions_to_hurry, self.watch)
        if waiting.isdisjoint((None, self.poll.partition)):
            self._hurry = None
            return
        self._next = min(self._next, self.pace.monotonic() + self._hurry)
        self._hurry = min(self._hurry * 2, self.every)

    async def _rest(self, until: float) -> bool:
        """Rest until then, or until the next look is due; whether that comes first."""
        end = min(until, self._next)
        try:
            async with asyncio.timeout(max(0.0, end - self.pace.monotonic())):
                await self._woken.wait()
        except TimeoutError:
            return end < until
        return True

    async def _fail(self, error: ActionError) -> None:
        """Note it, and try again later: the next pauses are longer, and never shorter than the other side asked for."""
        self.pace.begin_failure(self.place, error)
        pause = min(LONGEST_PAUSE, self.every * 2.0 ** min(self._failures, 20))
        self._failures += 1
        self._put_off(max(error.retry_after or 0.0, pause))
        await self.store.write(lists.fail, self.poll, str(error), self.clock())

    def _put_off(self, seconds: float) -> None:
        self._step, self._next = None, self.pace.monotonic() + seconds
