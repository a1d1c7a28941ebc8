"""Makes one call of an action, with what comes before and after it in the journal.

For an attempt: `started` where it may have to wait until it may send, the wait, `sending`, the call, the result. A call
that a crash left in `sending` is ambiguous, and the effect class of its action decides.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from connector.adapter import Adapter
from connector.declare import Keeping
from connector.errors import ActionError, ConnectorError, InputError, StoreError
from connector.flows.calls import REPEATABLE
from connector.flows.expressions.evaluation import Scope
from connector.flows.expressions.functions import EvaluationError, as_time
from connector.flows.flow import Call, Retry, Step
from connector.runs import records
from connector.runs.cancelling import Cancelling
from connector.runs.decisions.interventions import Past, is_within
from connector.runs.pausing import Paused
from connector.runs.records import Failure
from connector.runs.run_writer import RunWriter
from connector.transport import Purpose

_DOUBT = "ambiguous"
"""The kind of an error after which nobody knows whether the call took effect."""


class _TooLate(Exception):  # noqa: N818 - the step is skipped
    pass


def too_late(step: Step, scope: Scope, now: datetime) -> str | None:
    """Why the step may not begin any more. Raises EvaluationError."""
    if step.not_after and now > as_time(limit := step.not_after.evaluate(scope)):
        return f"not_after: it is later than {limit}"
    return None


def is_in_doubt(record: records.Step) -> bool:
    """Whether an attempt of the step may have taken effect, and the flow says that it may be made again."""
    return record.error is not None and record.error.kind == _DOUBT


@dataclass(frozen=True, slots=True)
class Caller:
    """For the calls of one run. `in_flight` holds the runs in a call that must not be cut off."""

    adapter: Adapter
    writer: RunWriter
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    in_flight: Counter[str]
    cancelling: Cancelling
    past: Past = field(default_factory=Past)
    """What people have decided about the run."""

    async def call(self, step: Step, call: Call, path: str, scope: Scope, record: records.Step | None) -> records.Step:
        """Make the call, or go on with it where the journal has begun it. Raises EvaluationError and Paused."""
        one = self._one(step, call, path, scope, record)
        if record and record.wake_at and record.status == "waiting" and self.clock() < record.wake_at:
            raise Paused(record.wake_at)
        if record and record.status == "sending":
            if not self.is_repeatable(call):
                return await one.leave_open(_UNKNOWN.format(action=call.uses), _DOUBT)
            if one.attempts >= call.retry.max_attempts:
                message = f"there is no record of how the call of {call.uses} ended, and it was the last attempt"
                return await one.fail(message, _DOUBT)
        given = record.input if record and record.input is not None else call.input.render(scope)
        # An attempt that was started and sent nothing is not counted twice.
        number = one.attempts if record and record.status == "started" else one.attempts + 1
        return await replace(one, attempts=number).attempt(given)

    async def give_up(
        self, step: Step, call: Call, path: str, scope: Scope, record: records.Step | None, late: str
    ) -> records.Step:
        """End a call that goes on no more; it fails unless it may have taken effect."""
        return await self._one(step, call, path, scope, record).fail(late, "timeout")

    def _one(self, step: Step, call: Call, path: str, scope: Scope, record: records.Step | None) -> "_One":
        doubt = record is not None and (record.status == "sending" or is_in_doubt(record))
        is_open = doubt and self.adapter.effect(call.uses, call.constants) not in REPEATABLE
        attempts, kept = (record.attempts, record.kept) if record else (0, self.past.kept.get(path, {}))
        return _One(self, step, call, path, scope, attempts, is_open, kept)

    @contextmanager
    def flight(self) -> Iterator[Callable[[], None]]:
        """What to call before a request that must not be cut off; it may be from the end on."""
        run_id, begun = self.writer.run.id, False

        def take_off() -> None:
            nonlocal begun
            begun = True
            self.in_flight[run_id] += 1

        try:
            yield take_off
        finally:
            if begun:
                self.in_flight[run_id] -= 1
                if not self.in_flight[run_id]:
                    del self.in_flight[run_id]

    def times_repeated(self, path: str) -> int:
        """How often a person has had the step done once more, by itself or with a step that it stands inside."""
        return sum(times for one, times in self.past.repeats.items() if is_within(path, one))

    def is_repeatable(self, call: Call) -> bool:
        """Whether nothing happens twice when the call is made twice, or the flow says that it may."""
        return self.adapter.effect(call.uses, call.constants) in REPEATABLE or call.on_ambiguous == "retry"

    def delay(self, retry: Retry, attempt: int, asked: float | None) -> float:
        """Seconds until the next attempt: full jitter, and never earlier than the other side asked for."""
        ceiling = min(retry.max_delay, retry.delay * 2.0 ** min(attempt - 1, 30))
        return max(asked or 0.0, self.jitter() * ceiling)


_UNKNOWN = (
    "there is no record of how the call of {action} ended, and nobody knows whether it took effect; "
    "look at the other side before you decide"
)


@dataclass(frozen=True, slots=True)
class _One:
    """One call of a run."""

    caller: Caller
    step: Step
    does: Call
    path: str
    scope: Scope
    attempts: int
    is_open: bool
    """Whether an earlier attempt may have acted, which must not be done twice."""
    kept: Mapping[str, Any]
    """What earlier attempts have found out."""
    requests: list[Mapping[str, Any]] = field(default_factory=list)
    """What this attempt has sent."""

    async def attempt(self, given: dict[str, Any]) -> records.Step:
        with self.caller.flight() as take_off:
            return await self._attempt(given, take_off)

    async def _attempt(self, given: dict[str, Any], take_off: Callable[[], None]) -> records.Step:
        try:
            if self.caller.adapter.may_wait(self.does.uses, self.does.connection):
                await self._begin(given, sending=False)
            output = await self._send(given, take_off)
        except _TooLate as late:
            if self.is_open:
                return await self.leave_open(f"an earlier attempt may have taken effect, and {late}", _DOUBT)
            return await self._finish("skipped", reason=str(late))
        except InputError as error:
            await self._begin(given, sending=False)  # so that it can be seen
            return await self._after(error)
        except ActionError as error:
            return await self._after(error)
        except StoreError:
            raise
        except ConnectorError as error:
            return await self.fail(str(error), "settings")
        try:
            if (until := self.does.retry.until) is not None and not until.evaluate({**self.scope, "output": output}):
                return await self._again(f"until: {until.text} is false", "until", None)
        except EvaluationError as error:
            return await self.fail(f"until: {error}", "expression")
        return await self._finish("succeeded", output=output)

    async def _begin(self, given: dict[str, Any], *, sending: bool) -> None:
        await self.caller.writer.attempt(self.path, self.does.uses, given, self.attempts, sending=sending)

    async def _send(self, given: dict[str, Any], take_off: Callable[[], None]) -> dict[str, Any]:
        run = self.caller.writer.run
        purpose: Purpose | None = "background" if run.backfill else None
        opened = self.caller.adapter.open_call(
            self.does.uses,
            given,
            connection=self.does.connection,
            idempotency_key=self._key(),
            purpose=purpose,
            keeping=Keeping(self.kept, partial(self.caller.writer.keep, self.path)),
        )
        async with AsyncExitStack() as stack:
            async with self.caller.cancelling.wait(run.id):
                call = await stack.enter_async_context(opened)
            if reason := too_late(self.step, self.scope, self.caller.clock()):  # the wait for the budget may be long
                raise _TooLate(reason)
            if not self.caller.is_repeatable(self.does):
                take_off()
            await self._begin(given, sending=True)
            try:
                return await call.send(self.does.timeout)
            finally:
                self.requests.extend(call.requests())

    def _key(self) -> str:
        """By what the other side recognises a repetition, unless a person wants one."""
        if self.does.idempotency_key is not None:
            given: str = self.does.idempotency_key.render(self.scope)
            return given
        times = self.caller.times_repeated(self.path)
        return f"{self.caller.writer.run.id}:{self.path}" + (f":{times + 1}" if times else "")

    async def _after(self, error: ActionError) -> records.Step:
        """Try again, hold or fail: what is certain, and what repeating would do, decide."""
        if error.processed == "unknown" and not self.caller.is_repeatable(self.does):
            return await self.leave_open(str(error), error.kind)
        acts_once = self.caller.adapter.effect(self.does.uses, self.does.constants) not in REPEATABLE
        one = replace(self, is_open=self.is_open or (error.processed == "unknown" and acts_once))
        if error.transient or (error.processed == "unknown" and self.does.on_ambiguous == "retry"):
            return await one._again(str(error), error.kind, error.retry_after)
        return await self.fail(str(error), error.kind)

    async def _again(self, message: str, kind: str, asked: float | None) -> records.Step:
        """Another attempt follows, unless it was the last one."""
        kind = _DOUBT if self.is_open else kind
        if self.attempts >= self.does.retry.max_attempts:
            return await self.fail(message, kind)
        failure = self._failure(message, kind)
        seconds = self.caller.delay(self.does.retry, self.attempts, asked)
        wake_at = self.caller.clock() + timedelta(seconds=seconds)
        await self.caller.writer.pause(self.path, self.does.uses, wake_at, error=failure, requests=self.requests)
        raise Paused(wake_at)

    async def leave_open(self, message: str, kind: str) -> records.Step:
        """Nobody knows whether it took effect: hold it, or skip it where the flow says so."""
        if self.does.on_ambiguous == "skip":
            return await self._finish("skipped", reason=f"on_ambiguous: {message}")
        return await self._finish("held", error=self._failure(message, kind))

    async def fail(self, message: str, kind: str) -> records.Step:
        if self.is_open:
            return await self.leave_open(f"an earlier attempt may have taken effect, and now {message}", _DOUBT)
        return await self._finish("failed", error=self._failure(message, kind))

    def _failure(self, message: str, kind: str) -> Failure:
        return Failure(self.path, self.does.uses, message, kind, self.attempts)

    async def _finish(
        self,
        status: records.StepStatus,
        *,
        output: Any = None,
        reason: str | None = None,
        error: Failure | None = None,
    ) -> records.Step:
        return await self.caller.writer.finish(
            self.path, self.does.uses, status, output=output, reason=reason, error=error, requests=self.requests
        )
