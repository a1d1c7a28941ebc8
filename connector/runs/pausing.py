"""Steps that wait: for a time, for an event, for a person. A run that waits holds no task."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.adapter import Adapter
from connector.declare import connector_of
from connector.errors import EventError, WebhookError
from connector.flows.expressions.evaluation import Scope
from connector.flows.expressions.functions import EvaluationError, as_time, from_time
from connector.flows.flow import Approve, Wait, WaitFor
from connector.runs import awaited, records, transitions
from connector.runs.awaited import Awaited
from connector.runs.decisions import answers
from connector.runs.decisions.answers import Answer
from connector.runs.pins import Pin
from connector.runs.resends import read_delivery
from connector.runs.run_writer import RunWriter

NEVER = datetime(9000, 1, 1, tzinfo=UTC)


class Paused(Exception):  # noqa: N818 - the run goes on later: at a time, or in the next process where that is None
    def __init__(self, until: datetime | None) -> None:
        super().__init__()
        self.until = until


@dataclass(frozen=True, slots=True)
class Pausing:
    """For the steps of one run. Each method ends its step or raises Paused."""

    adapter: Adapter
    writer: RunWriter
    clock: Callable[[], datetime]

    async def wait(self, wait: Wait, path: str, scope: Scope, record: records.Step | None) -> records.Step:
        """Until the time that was written down first."""
        until = record.wake_at if record else None
        if until is None:
            until = self._end_of(wait, scope)
            await self.writer.pause(path, "wait", until, {"until": from_time(until)})
        if self.clock() < until:
            raise Paused(until)
        return await self.writer.finish(path, "wait", "succeeded", output={})

    def _end_of(self, wait: Wait, scope: Scope) -> datetime:
        if wait.until is not None:
            return as_time(wait.until.evaluate(scope))
        return self._after(wait.duration)

    def _after(self, seconds: float) -> datetime:
        """In so many seconds, or at the end of the calendar."""
        now = self.clock()
        return now + min(timedelta(seconds=seconds), max(NEVER - now, timedelta()))

    async def wait_for(self, wanted: WaitFor, path: str, scope: Scope, record: records.Step | None) -> records.Step:
        """Until an event is taken that was stored since the run started; the output is null where the time is over."""
        until = record.wake_at if record else None
        if until is None:
            until = self._after(wanted.timeout)
            place = Awaited(self.writer.run.id, path, connector_of(wanted.uses), wanted.connection)
            await self.writer.await_event(place, wanted.uses, until, {"until": from_time(until)})
        if (found := await self._take(wanted, path, scope)) is not None:
            return found
        if self.clock() >= until:
            return await self.writer.stop_awaiting(path, wanted.uses, "no such event came in time")
        raise Paused(until)

    async def _take(self, wanted: WaitFor, path: str, scope: Scope) -> records.Step | None:
        """The end of the step with the first event that matches and serves no other one."""
        others = []
        for stored in self.writer.store.query(awaited.candidates, self.writer.run.id, path):
            seen = self._matching(wanted, stored, scope)
            if seen is not None and (ended := await self.writer.take_event(path, wanted.uses, stored.id, seen)):
                return ended
            others.append(stored.id)
        if others:
            await self.writer.look_past(path, others)
        return None

    def _matching(self, wanted: WaitFor, stored: records.Event, scope: Scope) -> dict[str, Any] | None:
        """What the step reads of the event; None where it is none for it, or cannot be read as one."""
        try:
            event = read_delivery(self.adapter, stored).event
            seen = self.adapter.select(wanted.uses, wanted.input, event, stored.received_at)
            matches = seen is not None and (wanted.match is None or wanted.match.evaluate({**scope, "event": seen}))
        except (EventError, WebhookError, EvaluationError):
            return None
        return seen if matches else None

    async def approval(
        self, asked: Approve, path: str, record: records.Step | None, pin: Pin | None = None
    ) -> records.Step:
        """Until somebody has answered, or the time is over; a pin answers at once, as far as it says by a yes."""
        if pin is not None:
            given = _output(asked, Answer(True, None, self.clock(), {}))
            filled = pin if pin.kind else replace(pin, output={**given, **pin.output})
            return await filled.finish(self.writer, path, "approve")
        until = record.wake_at if record else None
        if until is None:
            until = self._after(asked.timeout) if asked.timeout else NEVER
            await self.writer.pause(path, "approve", until)
        store, run_id = self.writer.store, self.writer.run.id
        answer = store.query(answers.find, run_id, path)
        if answer is None and self.clock() < until:
            raise Paused(until)
        if answer is None:  # from now on nobody else's counts
            nobody = Answer(asked.on_timeout == "approve", None, self.clock(), {})
            answer = await self.writer.write(transitions.answer_for_nobody, path, nobody)
        if answer.by is None and asked.on_timeout == "fail":
            return await self.writer.fail(path, "approve", "nobody has answered in time", "timeout")
        return await self.writer.finish(path, "approve", "succeeded", output=_output(asked, answer))


def _output(asked: Approve, answer: Answer) -> dict[str, Any]:
    form = {name: answer.form.get(name, field.default) for name, field in asked.form.items()}
    return {"approved": answer.approved, "by": answer.by, "at": from_time(answer.at), **form}
