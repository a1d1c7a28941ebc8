"""Writes how one run and its steps go on, and returns each step as the journal then has it.

That a step has ended is written with what comes next: with the step that is begun after it, in one commit, and before
anything of that is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from connector.database import Connection
from connector.runs import records, transitions
from connector.runs.awaited import Awaited
from connector.runs.observers import Observation
from connector.runs.records import Failure
from connector.runs.store import Store
from connector.runs.transitions import Requests

Result = TypeVar("Result")
P = ParamSpec("P")
Write = Callable[[Connection, records.Run], object]


@dataclass(slots=True)
class RunWriter:
    store: Store
    run: records.Run
    clock: Callable[[], datetime]
    observation: Observation | None = None
    _ended: list[Write] = field(default_factory=list)
    """How steps ended, not written yet."""

    async def write(
        self, work: Callable[Concatenate[Connection, records.Run, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Do `work`, a function of `transitions`, after what was not written yet. Raises StoreError."""
        ended, self._ended = self._ended, []

        def write_all(connection: Connection) -> Result:
            for one in ended:
                one(connection, self.run)
            return work(connection, self.run, *args, **kwargs)

        try:
            return await self.store.write(write_all)
        except BaseException:
            self._ended = ended + self._ended  # it may be tried with another write; a second time changes nothing
            raise

    def keep_trace(self) -> None:
        """With what is written next."""
        self._ended.append(transitions.keep_trace)

    async def settle(self) -> None:
        """Write how steps ended where nothing may come next for long."""
        if self._ended:
            await self.write(transitions.require_ours)

    async def attempt(self, path: str, action: str, given: dict[str, Any], number: int, *, sending: bool) -> None:
        """An attempt has its input; where it is `sending`, nobody knows whether it takes effect until it has ended."""
        now = self.clock()
        await self.write(transitions.begin_attempt, path, action, given, number, now, sending=sending)
        if self.observation is not None:
            self.observation.begin(path, number, sending=sending)

    async def keep(self, path: str, kept: Mapping[str, Any]) -> None:
        """What an attempt has found out, for later ones."""
        await self.write(transitions.keep, path, kept)

    async def begin(self, path: str, action: str, given: Any) -> None:
        """The step has begun with this input, which stays as it is."""
        await self.write(transitions.begin_step, path, action, given, self.clock())

    async def pause(
        self,
        path: str,
        action: str,
        until: datetime,
        given: Any = None,
        error: Failure | None = None,
        requests: Requests = (),
    ) -> None:
        """The step goes on at `until`; where it has not begun, with this input."""
        await self.write(transitions.pause_step, path, action, given, until, self.clock(), error, requests)
        if self.observation is not None and error is not None:
            self.observation.end(path, action, "waiting", error)

    async def await_event(self, place: Awaited, action: str, until: datetime, given: Any) -> None:
        """The step waits for an event, until then at most."""
        await self.write(transitions.await_event, place, action, given, until, self.clock())

    async def take_event(self, path: str, action: str, event_id: str, output: Any) -> records.Step | None:
        """The step ends with the event; None where that serves another one."""
        now = self.clock()
        if not await self.write(transitions.take_event, path, action, event_id, output, now):
            return None
        return records.Step(path, action, "succeeded", None, output, None, None, 0, now, now)

    async def look_past(self, path: str, event_ids: Sequence[str]) -> None:
        """The events are none for the step."""
        await self.write(transitions.look_past, path, event_ids)

    async def stop_awaiting(self, path: str, action: str, reason: str) -> records.Step:
        """No event came in time."""
        now = self.clock()
        await self.write(transitions.stop_awaiting, path, action, reason, now)
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
        requests: Requests = (),
    ) -> records.Step:
        now = self.clock()
        ending = partial(
            transitions.finish_step,
            step=path,
            action=action,
            status=status,
            now=now,
            output=output,
            reason=reason,
            error=error,
            requests=requests,
        )
        self._ended.append(ending)
        if self.observation is not None:
            self.observation.end(path, action, status, error)
        return records.Step(path, action, status, None, output, reason, error, 0, now, now)

    async def fail(self, path: str, action: str, message: str, kind: str, attempts: int = 0) -> records.Step:
        return await self.finish(path, action, "failed", error=Failure(path, action, message, kind, attempts))
