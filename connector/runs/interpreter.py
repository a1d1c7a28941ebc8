"""Does the steps of a run, one after the other, and writes the journal around each.

For an attempt: `started`, wait until the account may send, `sending`, the call, the result. What was finished is
read back and never done again. A step that a crash left in `sending` is ambiguous, and its effect class decides.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector.adapter import Adapter
from connector.errors import ActionError, ConnectorError, StoreError
from connector.flows.explanation import why_false
from connector.flows.expressions.functions import EvaluationError, as_time, from_time
from connector.flows.flow import Flow, Retry, Step
from connector.runs import records
from connector.runs.records import Failure
from connector.runs.store import Store
from connector.transport import Purpose

log = logging.getLogger(__name__)


ONCE = ("once", "destructive")
"""Effects of steps that a backfill leaves out."""


class _Paused(Exception):  # noqa: N818 - the run goes on later: after a wait, or in the next process
    pass


class _TooLate(Exception):  # noqa: N818 - the step is skipped
    pass


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Runs flows. `stopping` is asked before each step; a run that is stopped goes on in the next process."""

    adapter: Adapter
    store: Store
    clock: Callable[[], datetime]
    jitter: Callable[[], float] = random.random
    stopping: Callable[[], bool] = lambda: False
    in_flight: set[str] = field(default_factory=set)
    """The runs in a call that must not be cut off, because it cannot be repeated."""

    async def advance(self, run: records.Run, flow: Flow) -> None:
        """Run until the end, a wait or a decision that a person has to take. Raises StoreError."""
        progress = _Progress(self, run, self.store.read(lambda journal: journal.steps(run.id)))
        try:
            await progress.finish(flow)
        except _Paused:
            return
        finally:
            self.in_flight.discard(run.id)

    def delay(self, retry: Retry, attempt: int, asked: float | None) -> float:
        """Seconds until the next attempt: full jitter, and never earlier than the other side asked for."""
        ceiling = min(retry.max_delay, retry.delay * 2.0 ** min(attempt - 1, 30))
        return max(asked or 0.0, self.jitter() * ceiling)


class _Progress:
    """One run while a process works on it."""

    def __init__(self, interpreter: Interpreter, run: records.Run, journal: dict[str, records.Step]) -> None:
        self._interpreter = interpreter
        self._adapter = interpreter.adapter
        self._store = interpreter.store
        self._clock = interpreter.clock
        self._run = run
        self._journal = journal
        started = from_time(run.started_at or run.created_at)
        self._scope: dict[str, Any] = {
            "trigger": run.trigger,
            "steps": {},
            "status": {},
            "run": {"id": run.id, "flow": run.flow, "started_at": started},
        }

    async def finish(self, flow: Flow) -> None:
        failure, held = await self._all(flow.steps)
        if failure is None:
            await self._succeed(flow)
            return
        self._scope["error"] = {**failure.as_json(), "kind": "held"} if held else failure.as_json()
        second, second_held = await self._all(flow.on_error)
        if second_held and not held:
            failure, held = second or failure, True  # what may have been done twice comes before what failed
        status: records.RunStatus = "held" if held else "failed"
        await self._store.finish_run(self._run, status, self._clock(), error=failure)
        log.warning("the run %s of %s is %s: %a", self._run.id, self._run.flow, status, failure.message)

    async def _succeed(self, flow: Flow) -> None:
        try:
            outputs = flow.outputs.render(self._scope) if flow.outputs else None
        except EvaluationError as error:
            failure = Failure("", "", f"outputs: {error}", "expression", 0)
            await self._store.finish_run(self._run, "failed", self._clock(), error=failure)
        else:
            await self._store.finish_run(self._run, "succeeded", self._clock(), outputs=outputs)

    async def _all(self, steps: tuple[Step, ...]) -> tuple[Failure | None, bool]:
        """Do the steps; the failure that ends them, and whether it is held."""
        for step in steps:
            record = self._journal.get(step.id)
            if record is None or record.status not in records.FINISHED:
                record = await self._do(step, record)
            self._scope["steps"][step.id] = record.output
            self._scope["status"][step.id] = record.status
            if record.status == "held" or (record.status == "failed" and not step.continue_on_error):
                return record.error, record.status == "held"
        return None, False

    async def _do(self, step: Step, record: records.Step | None) -> records.Step:
        if self._interpreter.stopping():
            raise _Paused
        attempts = record.attempts if record else 0
        if record and record.status == "sending" and not self._is_repeatable(step):
            return await self._hold_after_crash(step, attempts)
        if record and record.status == "sending" and attempts >= step.retry.max_attempts:
            message = f"there is no record of how the call of {step.uses} ended, and it was the last attempt"
            return await self._fail(step, message, "ambiguous", attempts)
        try:
            if reason := self._reason_to_skip(step, record):
                return await self._end(step, "skipped", reason=reason)
            given = record.input if record and record.input is not None else step.input.render(self._scope)
        except EvaluationError as error:
            return await self._fail(step, str(error), "expression", attempts)
        # An attempt that was started and sent nothing is not counted twice.
        number = attempts if record and record.status == "started" else attempts + 1
        return await self._attempt(step, given, number)

    def _reason_to_skip(self, step: Step, record: records.Step | None) -> str | None:
        if record is None and self._run.without_once and self._adapter.effect(step.uses) in ONCE:
            return "a backfill leaves out what acts on somebody once; --allow-once does it"
        if record is None and step.condition and not step.condition.evaluate(self._scope):
            return f"if: {why_false(step.condition, self._scope)}"
        if record and record.status == "sending":
            return None  # it may have acted, so nobody may say that it was skipped
        return self._too_late(step)

    def _too_late(self, step: Step) -> str | None:
        if step.not_after and self._clock() > as_time(limit := step.not_after.evaluate(self._scope)):
            return f"not_after: it is later than {limit}"
        return None

    async def _hold_after_crash(self, step: Step, number: int) -> records.Step:
        message = (
            f"there is no record of how the call of {step.uses} ended, and nobody knows whether it took effect; "
            "look at the other side before you decide"
        )
        return await self._end(step, "held", error=Failure(step.id, step.uses, message, "ambiguous", number))

    async def _attempt(self, step: Step, input: dict[str, Any], number: int) -> records.Step:
        try:
            await self._store.start_attempt(self._run, step.id, step.uses, input, number, self._clock())
            output = await self._call(step, input, number)
        except _TooLate as late:
            return await self._end(step, "skipped", reason=str(late))
        except ActionError as error:
            return await self._after_error(step, error, number)
        except ConnectorError as error:
            if isinstance(error, StoreError):
                raise
            return await self._fail(step, str(error), "settings", number)
        return await self._end(step, "succeeded", output=output)

    async def _call(self, step: Step, input: dict[str, Any], number: int) -> dict[str, Any]:
        key = f"{self._run.id}:{step.id}"
        purpose: Purpose | None = "background" if self._run.backfill else None
        opened = self._adapter.open_call(
            step.uses, input, connection=step.connection, idempotency_key=key, purpose=purpose
        )
        async with opened as call:
            if reason := self._too_late(step):  # the wait for the budget may have been long
                raise _TooLate(reason)
            if not self._is_repeatable(step):
                self._interpreter.in_flight.add(self._run.id)
            await self._store.mark_sending(self._run, step.id, number, self._clock())
            return await call.send(step.timeout)

    def _is_repeatable(self, step: Step) -> bool:
        return self._adapter.effect(step.uses) in ("read", "idempotent")

    async def _after_error(self, step: Step, error: ActionError, number: int) -> records.Step:
        """Try again, hold or fail: what is certain, and what repeating would do, decide."""
        failure = Failure(step.id, step.uses, str(error), error.kind, number)
        if error.processed == "unknown" and not self._is_repeatable(step):
            return await self._end(step, "held", error=failure)
        if error.transient and number < step.retry.max_attempts:
            now = self._clock()
            wake_at = now + timedelta(seconds=self._interpreter.delay(step.retry, number, error.retry_after))
            await self._store.wait(self._run, step.id, failure, now, wake_at)
            raise _Paused
        return await self._end(step, "failed", error=failure)

    async def _fail(self, step: Step, message: str, kind: str, attempts: int) -> records.Step:
        return await self._end(step, "failed", error=Failure(step.id, step.uses, message, kind, attempts))

    async def _end(
        self,
        step: Step,
        status: records.StepStatus,
        *,
        output: dict[str, Any] | None = None,
        reason: str | None = None,
        error: Failure | None = None,
    ) -> records.Step:
        now = self._clock()
        await self._store.finish_step(
            self._run, step.id, step.uses, status, now, output=output, reason=reason, error=error
        )
        self._interpreter.in_flight.discard(self._run.id)
        return records.Step(step.id, step.uses, status, None, output, reason, error, 0, now, now)
