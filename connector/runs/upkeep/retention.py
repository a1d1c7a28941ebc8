"""Removes what was kept for as long as it should be, a little at a time, so that nothing waits for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.errors import StoreError
from connector.flows.flow import Flow
from connector.runs.records import RunStatus
from connector.runs.store import Store
from connector.runs.upkeep import removal
from connector.settings import Keep

log = logging.getLogger(__name__)

FIRST_AFTER = 5.0
LOOK_EVERY = 600.0
PAUSE = 0.1
"""Seconds between two transactions."""
PART = 200
"""Runs or events of one transaction."""


@dataclass(slots=True)
class Removed:
    runs: int = 0
    events: int = 0
    """Whole, or their texts."""
    keys: int = 0
    revisions: int = 0

    @property
    def total(self) -> int:
        return self.runs + self.events + self.keys + self.revisions


class Retention:
    """Removes runs that ended longer ago than `keep` says, and what only they needed. `flows` are those served."""

    def __init__(
        self,
        store: Store,
        keep: Keep,
        flows: Sequence[Flow],
        clock: Callable[[], datetime],
        *,
        pause: float = PAUSE,
        first_after: float = FIRST_AFTER,
        every: float = LOOK_EVERY,
    ) -> None:
        self._store, self._keep, self._clock, self._pause = store, keep, clock, pause
        self._first_after, self._every = first_after, every
        self._windows = {flow.name: timedelta(seconds=flow.dedupe.window) for flow in flows if flow.dedupe}
        self._failing = self._told = False
        self._stopping = asyncio.Event()

    async def work(self) -> None:
        """Look now and then until `stop`. Whatever fails is tried again."""
        await self._rest(self._first_after)
        while not self._stopping.is_set():
            try:
                await self.look()
                self._failing = False
            except StoreError as error:
                if not self._failing:
                    log.error("no old runs are removed until this ends: %s", error)  # noqa: TRY400 - the sentence says it all
                self._failing = True
            except Exception:
                log.exception("removing old runs failed after a fault of this program; it is tried again")
            await self._rest(self._every)

    def stop(self) -> None:
        self._stopping.set()

    async def look(self) -> Removed:
        """Remove all that is due, and give its space back. Raises StoreError."""
        now, removed = self._clock(), Removed()
        for status, time in self._times().items():
            removed.runs += await self._repeat(removal.remove_runs, status, now - time)
        if self._times():
            removed.events += await self._pass_events(now, min(self._times().values()))
        for flow, window in self._windows.items():
            removed.keys += await self._repeat(removal.remove_keys, flow, now - window)
        if removed.runs:
            removed.revisions += await self._store.write(removal.remove_revisions)
        if removed.total:
            await self._shrink()
        return removed

    def _times(self) -> dict[RunStatus, timedelta]:
        times: dict[RunStatus, timedelta | None] = {
            "succeeded": self._keep.succeeded,
            "failed": self._keep.failed,
            "cancelled": self._keep.cancelled,
        }
        return {status: time for status, time in times.items() if time is not None}

    async def _repeat(self, remove: Callable[..., int], *place: object) -> int:
        """Remove one part after the other, until one is not full."""
        removed = 0
        while not self._stopping.is_set():
            part = await self._store.write(remove, *place, PART)
            removed += part
            if part < PART:
                break
            await self._rest(self._pause)
        return removed

    async def _pass_events(self, now: datetime, age: timedelta) -> int:
        removed, after = 0, ""
        while not self._stopping.is_set():
            passed = await self._store.write(removal.pass_events, after, now, age, PART)
            removed += passed.removed
            if passed.last is None:
                break
            after = passed.last
            await self._rest(self._pause)
        return removed

    async def _shrink(self) -> None:
        if not self._store.shrinks and not self._told:
            log.info(
                "the database file keeps its size, as an earlier version made it; chatforge db upgrade changes that"
            )
            self._told = True
        give_back: Callable[[], Awaitable[bool]] = self._store.give_back
        while not self._stopping.is_set() and await give_back():
            await self._rest(self._pause)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
