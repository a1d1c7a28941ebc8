"""Reads a list whole, once, and leaves the state of its polls alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.adapter import Adapter
from connector.declare import Item, PollRequest
from connector.errors import ActionError, ConnectorError, NotFoundError
from connector.runs.polling.watches import Watch

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between the tries of a request that may succeed later."""
MOST_WALKS = 2
"""Walks through a list that changes so much between two pages that something may have been missed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a list, and the partition in which it stands."""

    partition: str
    item: Item


@dataclass(slots=True)
class Listing:
    """A list of one account, of one partition or of all. Its requests are background work."""

    adapter: Adapter
    watch: Watch
    clock: Callable[[], datetime]
    read: int = 0
    """Entries so far."""
    total: int | None = None
    """Entries in all, as far as the other side tells."""
    ended: bool = False
    """Whether all was read."""
    gone: list[str] = field(default_factory=list)
    """Partitions that were not found."""
    unsteady: list[str] = field(default_factory=list)
    """Partitions of which entries may have been missed."""
    uncounted: list[str] = field(default_factory=list)
    """Partitions in which nothing was found, where nothing tells how much there should be."""

    async def entries(self) -> AsyncIterator[Entry]:
        """Each entry once, in the order of the list, one partition after the other. Raises ConnectorError."""
        partitions = await self._partitions()
        self.total = await self._count(partitions)
        for partition in partitions:
            try:
                async for item in self._walk(partition):
                    self.read += 1
                    yield Entry(partition, item)
            except NotFoundError:
                if partition in self._named:
                    raise
                self.gone.append(partition)
        self.ended = True

    @property
    def _named(self) -> Sequence[str]:
        return [one.partition for one in self.watch.watchers if one.partition is not None]

    async def _partitions(self) -> Sequence[str]:
        if self._named:
            return self._named
        polled = self.watch.list
        return polled.read_partitions(await self._ask(polled.partitions))

    async def _count(self, partitions: Sequence[str]) -> int | None:
        """For a bar that shows how far it is; nothing depends on it."""
        polled, total = self.watch.list, 0
        for partition in partitions:
            try:
                counted = polled.read_count(await self._ask(polled.count(partition))) if polled.count else None
            except ConnectorError:
                return None
            if counted is None:
                return None
            total += counted
        return total

    async def _walk(self, partition: str) -> AsyncIterator[Item]:
        polled, seen = self.watch.list, set[str]()
        state: Mapping[str, Any] | None = None
        for _ in range(MOST_WALKS):
            step = polled.begin(partition, state, self.clock(), True)
            while step.request is not None:
                output, now = await self._ask(step.request), self.clock()
                items = polled.read(output, now)
                step = polled.take(partition, step.state, output, seen, now)
                for item in items:
                    if item.id not in seen:
                        seen.add(item.id)
                        yield item
                if step.swept is not None:
                    return
            state = step.state
        (self.unsteady if seen else self.uncounted).append(partition)

    async def _ask(self, request: PollRequest) -> dict[str, Any]:
        watch = self.watch
        for pause in (*PAUSES, None):
            try:
                return await self.adapter.ask(watch.list, request, watch.connector, watch.connection)
            except ActionError as error:
                if request.spares(error):
                    break
                if not error.transient or pause is None:
                    raise
                await asyncio.sleep(max(error.retry_after or 0.0, pause))
        return {}
