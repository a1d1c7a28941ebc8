"""Polls the lists that flows watch, and starts flows from webhooks whose entry does not appear in time.

One walker for each partition of each list of each account, whatever the number of flows. For a database only one
process may poll.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector.adapter import Adapter
from connector.errors import ConnectorError, StoreError
from connector.flows.flow import Flow
from connector.runs import arrivals, lists
from connector.runs.pace import Pace
from connector.runs.store import Store
from connector.runs.walker import STORE_PAUSE, Walker
from connector.runs.watches import Poll, Watch

log = logging.getLogger(__name__)

PARTITIONS_EVERY = 600.0
"""Seconds for which the list of partitions is taken as it was."""
PARTITIONS_SOONEST = 60.0
"""Seconds between two looks at it, where a webhook names an unknown one or there are none."""
LOOK_EVERY = 1.0


@dataclass(slots=True)
class _Listing:
    """The walkers of one list, and the look for partitions that come and go."""

    watch: Watch
    pace: Pace
    make: Callable[[Watch, Pace, Poll, bool], Walker]
    store: Store
    clock: Callable[[], datetime]
    walkers: dict[str, tuple[Walker, asyncio.Task[None]]] = field(default_factory=dict)
    refresh: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def named(self) -> set[str]:
        return {one.partition for one in self.watch.watchers if one.partition is not None}

    async def work(self) -> None:
        """Keep a walker for each partition until cancelled."""
        try:
            for partition in self.named:
                await self._start(partition)
            if any(one.partition is None for one in self.watch.watchers):
                for poll in self.store.query(lists.open_polls, self.watch):
                    await self._start(poll.partition)
                await self._follow()
            await asyncio.Event().wait()
        finally:
            tasks = [task for _, task in self.walkers.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def arrived(self, waiting: set[str | None]) -> None:
        """Look for entries that somebody waits for; in all partitions where it may be any."""
        if None in waiting:
            self.refresh.set()
        for partition, (walker, _) in self.walkers.items():
            if not waiting.isdisjoint((None, partition)):
                walker.hurry()

    async def _follow(self) -> None:
        while True:
            found: list[str] = []
            place = f"the partitions of the {self.watch.list.name}"
            try:
                found = await self._look()
                self.pace.end_failure(place)
            except ConnectorError as error:
                self.pace.begin_failure(place, error)
            soon = not found
            self.refresh.clear()
            await asyncio.sleep(PARTITIONS_SOONEST)
            try:
                async with asyncio.timeout(0 if soon else PARTITIONS_EVERY - PARTITIONS_SOONEST):
                    await self.refresh.wait()
            except TimeoutError:
                continue

    async def _look(self) -> list[str]:
        polled = self.watch.list
        output = await self.pace.adapter.ask(polled, polled.partitions, self.watch.connector, self.watch.connection)
        found = list(polled.read_partitions(output))
        for partition in found:
            await self._start(partition)
        for partition in {*self.walkers} - {*found} - self.named:
            walker, task = self.walkers.pop(partition)
            task.cancel()
            now = self.clock()
            await self.store.write(lists.retire, walker.poll, now)
        return found

    async def _start(self, partition: str) -> None:
        if partition in self.walkers and not self.walkers[partition][1].done():
            return
        poll = await self.store.write(lists.open_poll, self.watch, partition)
        walker = self.make(self.watch, self.pace, poll, partition in self.named)
        self.walkers[partition] = walker, asyncio.create_task(walker.work(), name=walker.place)
        waiting = self.store.query(arrivals.partitions_to_hurry, self.watch)
        if not waiting.isdisjoint((None, partition)):
            walker.hurry()


class Poller:
    """`work` until `stop`. `wake_worker` is called when there are new runs."""

    def __init__(
        self,
        adapter: Adapter,
        store: Store,
        flows: Sequence[Flow],
        watches: Sequence[Watch],
        clock: Callable[[], datetime],
        wake_worker: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._adapter, self._store, self._clock, self._wake_worker = adapter, store, clock, wake_worker
        self._off = [flow.name for flow in flows if not flow.enabled]
        self._watches = watches
        self._paces: dict[tuple[str, str], Pace] = {}
        self._listings: list[_Listing] = []
        for watch in watches:
            pace = self._paces.setdefault(watch.key[:2], Pace(adapter, watch.connector, watch.connection, monotonic))
            self._listings.append(_Listing(watch, pace, self._make_walker, store, clock))
        self._stopping = asyncio.Event()

    def arrived(self, watch: Watch) -> None:
        """A webhook waits for its entry of this list."""
        waiting = self._store.query(arrivals.partitions_to_hurry, watch)
        for listing in self._listings:
            if listing.watch.key == watch.key:
                listing.arrived(waiting)

    def stop(self) -> None:
        self._stopping.set()

    async def work(self) -> None:
        """Poll until `stop`. Requests that are under way then are dropped: they only read."""
        await self._subscribe()
        tasks = [asyncio.create_task(listing.work()) for listing in self._listings]
        tasks.append(asyncio.create_task(self._fall_back()))
        tasks.append(asyncio.create_task(self._stopping.wait()))  # type: ignore[arg-type] # its result is not used
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _make_walker(self, watch: Watch, pace: Pace, poll: Poll, named: bool) -> Walker:
        return Walker(self._adapter, self._store, watch, poll, pace, self._clock, self._wake_worker, named)

    async def _subscribe(self) -> None:
        """Begin to watch. Nothing is polled before that is known to the database."""
        while True:
            try:
                for flow in self._off:
                    await self._store.write(lists.unsubscribe, flow)
                for watch in self._watches:
                    await self._store.write(lists.subscribe, watch, self._clock())
            except StoreError as error:
                log.error("nothing is polled until this ends: %s", error)  # noqa: TRY400 - the sentence says it all
                await asyncio.sleep(STORE_PAUSE)
            else:
                return

    async def _fall_back(self) -> None:
        """Start flows whose wait for an entry is over."""
        failing = False
        while True:
            refused = [key for key, pace in self._paces.items() if pace.is_refused]
            now = self._clock()
            try:
                if self._store.query(arrivals.due, refused, now):
                    await self._store.write(arrivals.fall_back, self._watches, refused, self._adapter.read_webhook, now)
                    self._wake_worker()
                failing = False
            except StoreError as error:
                if not failing:
                    log.error("webhooks wait for their entries until this ends: %s", error)  # noqa: TRY400 - the sentence says it all
                failing = True
            await asyncio.sleep(STORE_PAUSE if failing else LOOK_EVERY)
