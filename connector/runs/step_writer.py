"""Writes how the steps of one run go on, and returns each as the journal then has it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.runs import records, transitions
from connector.runs.awaited import Awaited
from connector.runs.records import Failure
from connector.runs.store import Store


@dataclass(frozen=True, slots=True)
class StepWriter:
    store: Store
    run: records.Run
    clock: Callable[[], datetime]

    async def attempt(self, path: str, action: str, given: dict[str, Any], number: int, *, sending: bool) -> None:
        """An attempt has its input; where it is `sending`, nobody knows whether it takes effect until it has ended."""
        now = self.clock()
        await self.store.write(transitions.begin_attempt, self.run, path, action, given, number, now, sending=sending)

    async def begin(self, path: str, action: str, given: Any) -> None:
        """The step has begun with this input, which stays as it is."""
        await self.store.write(transitions.begin_step, self.run, path, action, given, self.clock())

    async def pause(
        self, path: str, action: str, until: datetime, given: Any = None, error: Failure | None = None
    ) -> None:
        """The step goes on at `until`; where it has not begun, with this input."""
        await self.store.write(transitions.pause_step, self.run, path, action, given, until, self.clock(), error)

    async def await_event(self, place: Awaited, action: str, until: datetime, given: Any) -> None:
        """The step waits for an event, until then at most."""
        await self.store.write(transitions.await_event, self.run, place, action, given, until, self.clock())

    async def take_event(self, path: str, action: str, event_id: str, output: Any) -> records.Step | None:
        """The step ends with the event; None where that serves another one."""
        now = self.clock()
        if not await self.store.write(transitions.take_event, self.run, path, action, event_id, output, now):
            return None
        return records.Step(path, action, "succeeded", None, output, None, None, 0, now, now)

    async def look_past(self, path: str, event_ids: Sequence[str]) -> None:
        """The events are none for the step."""
        await self.store.write(transitions.look_past, self.run, path, event_ids)

    async def stop_awaiting(self, path: str, action: str, reason: str) -> records.Step:
        """No event came in time."""
        now = self.clock()
        await self.store.write(transitions.stop_awaiting, self.run, path, action, reason, now)
        return records.Step(path, action, "succeeded", None, None, reason, None, 0, now, now)

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
        await self.store.write(
            transitions.finish_step, self.run, path, action, status, now, output=output, reason=reason, error=error
        )
        return records.Step(path, action, status, None, output, reason, error, 0, now, now)

    async def fail(self, path: str, action: str, message: str, kind: str, attempts: int = 0) -> records.Step:
        return await self.finish(path, action, "failed", error=Failure(path, action, message, kind, attempts))
