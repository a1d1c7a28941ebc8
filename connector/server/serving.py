"""What works for the flows that are served, and takes their files over when these change.

Runs are pinned to their revision, so that only what starts them is made anew: who receives, polls, keeps the clock and
removes. All of these have their state in the database.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connector.adapter import Adapter
from connector.errors import ConnectorError, StoreError
from connector.flows.flow import Flow
from connector.runs.intake import Intake
from connector.runs.listeners import find_listeners, find_pinned
from connector.runs.polling.poller import Poller
from connector.runs.polling.watches import find_watches
from connector.runs.schedules import Scheduler
from connector.runs.store import Store
from connector.runs.upkeep.retention import Retention
from connector.server.flow_files import FlowFile, FlowFiles, flows_of, keep_last
from connector.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds
_PATIENCE = 10
"""Looks, while a file changes at each: one that always does keeps the others from being taken over no longer."""


@dataclass(frozen=True, slots=True)
class Maker:
    """What the parts of each set of flows are made with."""

    adapter: Adapter
    store: Store
    settings: Settings
    wake: Callable[[], None]
    clock: Callable[[], datetime]

    def make(self, flows: Sequence[Flow], clock_since: datetime | None = None) -> "Parts":
        """`clock_since`: since when the clock starts flows in this process. Raises StoreError."""
        listeners = find_listeners(flows)
        listeners += self.store.query(find_pinned, self.adapter.catalogue, listeners)
        started = [*(flow for flow in flows if flow.trigger), *listeners]
        intake = Intake(self.adapter, self.store, started, self.wake)
        watches = find_watches(self.adapter, intake.flows, intake.decide)
        poller = Poller(intake, watches, self.clock)
        intake = replace(intake, watches=watches, arrived=poller.arrived)
        retention = Retention(self.store, self.settings.keep, flows, self.clock)
        return Parts(intake, poller, Scheduler(intake, self.clock, clock_since), retention)


@dataclass(frozen=True, slots=True)
class Parts:
    intake: Intake
    poller: Poller
    scheduler: Scheduler
    retention: Retention

    async def work(self) -> None:
        """Until one of them ends, or `stop`."""
        working = (self.poller, self.scheduler, self.retention)
        tasks = [asyncio.create_task(part.work()) for part in working]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.stop()
        await asyncio.wait(tasks)
        for task in tasks:
            task.result()

    def stop(self) -> None:
        for part in (self.poller, self.scheduler, self.retention):
            part.stop()


class Serving:
    """The flows that are served now: `flows` at first. Where `source` is None, they stay as they are."""

    def __init__(
        self, maker: Maker, flows: Sequence[Flow], source: FlowFiles | None, *, every: float = LOOK_EVERY
    ) -> None:
        self.files = source.first if source else [FlowFile(flow.name, flow.source, flow) for flow in flows]
        self._maker, self._source, self._every = maker, source, every
        self._stamp = source.stamped if source else None
        self._parts = maker.make(self.flows)
        self._stopping = asyncio.Event()

    @property
    def flows(self) -> Sequence[Flow]:
        return flows_of(self.files)

    @property
    def intake(self) -> Intake:
        return self._parts.intake

    @property
    def upcoming(self) -> Mapping[str, datetime] | None:
        """When the clock starts each flow next; None before that is known."""
        return self._parts.scheduler.upcoming

    def stop(self) -> None:
        self._stopping.set()
        self._parts.stop()

    async def work(self) -> None:
        """Until `stop`, or until a part of it ends by a fault."""
        while not self._stopping.is_set():
            working = asyncio.create_task(self._parts.work())
            looking = asyncio.create_task(self._look())
            await asyncio.wait((working, looking), return_when=asyncio.FIRST_COMPLETED)
            self._parts.stop()
            looking.cancel()
            await asyncio.wait((working, looking))
            working.result()
            if looking.cancelled():
                return
            self._parts = looking.result()
            if self._stopping.is_set():
                self._parts.stop()

    async def _look(self) -> Parts:
        """Wait until files have changed that flows are made of. Returns what works for them from now on."""
        seen, waited = self._stamp, 0
        while True:
            await asyncio.sleep(self._every)
            if self._source is None:
                continue
            now = await asyncio.to_thread(self._source.stamp)
            settled, seen = now == seen or waited == _PATIENCE, now
            waited = 0 if settled else waited + 1
            if settled and now != self._stamp:  # one that is being written is read when that is over
                parts = await self._take_over_or_stay(self._source, now)
                if parts is not None:
                    return parts

    async def _take_over_or_stay(self, source: FlowFiles, stamp: object) -> Parts | None:
        """None where the flows are as before. Whatever is wrong with the files, what is served goes on."""
        try:
            parts = await self._take_over(source)
        except StoreError as error:
            log.error("the flows go on as they are until this ends: %s", error)  # noqa: TRY400 - the sentence says it all
            return None  # the files are read again at the next look
        except ConnectorError as error:
            log.error("the flows go on as they are: %s", error)  # noqa: TRY400 - the sentence says it all
            parts = None
        except Exception:
            log.exception("the flows go on as they are, after a fault of this program, until a file changes")
            parts = None
        self._stamp = stamp
        return parts

    async def _take_over(self, source: FlowFiles) -> Parts | None:
        """None where the flows are as before. Raises ConnectorError; then nothing has changed."""
        before, files = self.files, keep_last(self.files, await asyncio.to_thread(source.read))
        same = _revisions(before) == _revisions(files)
        parts = None if same else self._maker.make(flows_of(files), self._parts.scheduler.running_since)
        self.files = files
        _tell(before, files)
        return parts


def _revisions(files: Sequence[FlowFile]) -> dict[str, str]:
    return {flow.name: flow.revision for flow in flows_of(files)}


def _tell(before: Sequence[FlowFile], now: Sequence[FlowFile]) -> None:
    old, new = _revisions(before), _revisions(now)
    for name in sorted(new):
        if new[name] != old.get(name):
            log.info("flow %s: %s", name, "its file was taken over" if name in old else "is served from now on")
    for name in sorted(old.keys() - new.keys()):
        log.info("flow %s: its file is gone, so it starts nothing more", name)
    for file in now:
        if file.why is not None and file not in before:
            rest = "its last good revision is served" if file.flow else "nothing of it is served"
            log.error("%s is not taken over, %s: %s", file.path, rest, file.why)
