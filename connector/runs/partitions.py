"""Finds the partitions of a list, such as the agents of an account, and keeps a walker for each."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from connector.errors import ConnectorError, StoreError
from connector.runs import arrivals, lists
from connector.runs.pace import Pace
from connector.runs.store import Store
from connector.runs.walker import STORE_PAUSE, Walker
from connector.runs.watches import Watch

EVERY = 600.0
"""Seconds for which the list of partitions is taken as it was."""
SOONEST = 60.0
"""Seconds between two looks at it, where a webhook names an unknown one or there are none."""


@dataclass(slots=True)
class Partitions:
    """The walkers of one list; partitions come and go."""

    watch: Watch
    pace: Pace
    store: Store
    clock: Callable[[], datetime]
    wake_worker: Callable[[], None]
    walkers: dict[str, tuple[Walker, asyncio.Task[None]]] = field(default_factory=dict)
    refresh: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def _place(self) -> str:
        return f"the partitions of the {self.watch.list.name}"

    @property
    def named(self) -> set[str]:
        return {one.partition for one in self.watch.watchers if one.partition is not None}

    async def work(self) -> None:
        """Keep a walker for each partition until cancelled."""
        try:
            await self._start_known()
            if any(one.partition is None for one in self.watch.watchers):
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

    async def _start_known(self) -> None:
        """Start the walkers of what the flows name, and of what was found before."""
        while True:
            try:
                known = set(self.named)
                if any(one.partition is None for one in self.watch.watchers):
                    known |= {poll.partition for poll in self.store.query(lists.open_polls, self.watch)}
                for partition in sorted(known):
                    await self._start(partition)
            except StoreError as error:
                self.pace.begin_failure(self._place, error)
                await asyncio.sleep(STORE_PAUSE)
            else:
                return

    async def _follow(self) -> None:
        while True:
            found: list[str] = []
            try:
                found = await self._look()
                self.pace.end_failure(self._place)
            except ConnectorError as error:
                self.pace.begin_failure(self._place, error)
            soon = not found
            self.refresh.clear()
            await asyncio.sleep(SOONEST)
            try:
                async with asyncio.timeout(0 if soon else EVERY - SOONEST):
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
        walker = Walker(
            self.pace.adapter,
            self.store,
            self.watch,
            poll,
            self.pace,
            self.clock,
            self.wake_worker,
            partition in self.named,
        )
        self.walkers[partition] = walker, asyncio.create_task(walker.work(), name=walker.place)
        waiting = self.store.query(arrivals.partitions_to_hurry, self.watch)
        if not waiting.isdisjoint((None, partition)):
            walker.hurry()
