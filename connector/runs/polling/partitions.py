"""Finds the partitions of a list, such as the agents of an account, and keeps a walker for each."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.errors import StoreError
from connector.runs.polling import arrivals, lists, poll_notes
from connector.runs.polling.pace import Failures, Pace, explain
from connector.runs.polling.walker import Walker
from connector.runs.polling.watches import Watch
from connector.runs.store import Store

EVERY = 600.0
"""Seconds for which the list of partitions is taken as it was."""
SOONEST = 60.0
"""Seconds between two looks at it, where a webhook names an unknown one or there are none."""
END_WITHIN = 1.0
"""Seconds that tasks have to end; what takes longer, such as a write, ends by itself."""


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=END_WITHIN)


@dataclass(slots=True)
class Partitions:
    """The walkers of one list; partitions come and go."""

    watch: Watch
    pace: Pace
    store: Store
    clock: Callable[[], datetime]
    wake_worker: Callable[[], None]
    walkers: dict[str, tuple[Walker, asyncio.Task[None]]] = field(default_factory=dict)
    """Those that work."""
    refresh: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def _place(self) -> str:
        return f"the partitions of the {self.watch.list.name}"

    @property
    def named(self) -> set[str]:
        return {one.partition for one in self.watch.watchers if one.partition is not None}

    @property
    def refused(self) -> Sequence[str | None]:
        """The partitions that cannot be had, because the key or the plan is not accepted; None where that is all."""
        refused = [partition for partition, (walker, _) in self.walkers.items() if walker.is_refused]
        whole = len(refused) == len(self.walkers) if self.walkers else self.pace.is_refused(self._place)
        return [None] if whole else refused

    async def work(self) -> None:
        """Keep a walker for each partition until cancelled. Whatever fails is tried again."""
        failures = Failures(self.pace, self._place)
        try:
            while True:
                try:
                    found = await self._look()
                except Exception as error:  # of this program or a plugin too: polling does not end
                    pause = failures.begin(error, SOONEST)
                    await self._note(error)
                    await asyncio.sleep(pause)
                else:
                    failures.end()
                    await self._rest(EVERY if found else SOONEST)
        finally:
            await end([task for _, task in self.walkers.values()])

    def arrived(self, waiting: Collection[str | None]) -> None:
        """Look for entries that somebody waits for; in all partitions where it may be any."""
        if None in waiting:
            self.refresh.set()
        for walker, _ in self.walkers.values():
            walker.hurry(waiting)

    async def _note(self, error: Exception) -> None:
        if not isinstance(error, StoreError):
            with suppress(StoreError):  # the next try notes it
                await self.store.write(poll_notes.fail_partitions, self.watch, self._explain(error), self.clock())

    def _explain(self, error: Exception) -> str:
        action = f"{self.watch.connector}.{self.watch.list.partitions.action}"
        return f"{action} does not say what there is to poll: {explain(error)}"

    async def _rest(self, pause: float) -> None:
        """Rest so long, or less where a webhook names a partition that is not known."""
        self.refresh.clear()
        await asyncio.sleep(SOONEST)
        try:
            async with asyncio.timeout(pause - SOONEST):
                await self.refresh.wait()
        except TimeoutError:
            return

    async def _look(self) -> Collection[str]:
        """Start the walkers that are missing, first those of partitions that are known, and end those of gone ones."""
        follows = self.watch.follows
        known = {poll.partition for poll in self.store.query(lists.open_polls, self.watch)} if follows else set()
        for partition in sorted(known | self.named):
            await self._start(partition)
        if not follows:
            return self.named
        polled = self.watch.list
        output = await self.pace.adapter.ask(polled, polled.partitions, self.watch.connector, self.watch.connection)
        found = list(polled.read_partitions(output))
        await self.store.write(poll_notes.find_partitions, self.watch)
        for partition in found:
            await self._start(partition)
        for partition in {*self.walkers} - {*found} - self.named:
            await self._end(partition)
        return found

    async def _start(self, partition: str) -> None:
        if partition in self.walkers:
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
        task = asyncio.create_task(walker.work(), name=walker.place)
        self.walkers[partition] = walker, task
        task.add_done_callback(lambda _: self._forget(partition, walker))
        walker.hurry(self.store.query(arrivals.partitions_to_hurry, self.watch))

    async def _end(self, partition: str) -> None:
        """The partition is gone."""
        walker, task = self.walkers.pop(partition)
        await end([task])
        await self.store.write(lists.retire, walker.poll, self.clock())

    def _forget(self, partition: str, walker: Walker) -> None:
        """The walker has ended; where that was by mistake, the next look starts another one."""
        if partition in self.walkers and self.walkers[partition][0] is walker:
            del self.walkers[partition]
