"""Writes how the steps of one run go on, and returns each as the journal then has it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.runs import records
from connector.runs.awaited import Awaited
from connector.runs.records import Failure
from connector.runs.store import Store


@dataclass(frozen=True, slots=True)
class StepWriter:
    store: Store
    run: records.Run
    clock: Callable[[], datetime]

    async def begin(self, path: str, action: str, given: Any) -> None:
        """The step has begun with this input, which stays as it is."""
        await self.store.begin_step(self.run, path, action, given, self.clock())

    async def pause(
        self, path: str, action: str, until: datetime, given: Any = None, error: Failure | None = None
    ) -> None:
        """The step goes on at `until`; where it has not begun, with this input."""
        await self.store.pause_step(self.run, path, action, given, until, self.clock(), error=error)

    async def await_event(self, place: Awaited, action: str, until: datetime, given: Any) -> None:
        """The step waits for an event, until then at most."""
        await self.store.pause_step(self.run, place.step, action, given, until, self.clock(), place=place)

    async def take_event(self, path: str, action: str, event_id: str, output: Any) -> records.Step | None:
        """The step ends with the event; None where that serves another one."""
        now = self.clock()
        if not await self.store.take_event(self.run, path, action, event_id, output, now):
            return None
        return records.Step(path, action, "succeeded", None, output, None, None, 0, now, now)

    async def finish(
        self,
        path: str,
        action: str,
        status: records.StepStatus,
        *,
        output: Any = None,
        reason: str | None = None,
        error: Failure | None = None,
    ) -> records.Step:
        now = self.clock()
        await self.store.finish_step(self.run, path, action, status, now, output=output, reason=reason, error=error)
        return records.Step(path, action, status, None, output, reason, error, 0, now, now)

    async def fail(self, path: str, action: str, message: str, kind: str, attempts: int = 0) -> records.Step:
        return await self.finish(path, action, "failed", error=Failure(path, action, message, kind, attempts))
