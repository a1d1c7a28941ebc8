"""Does the steps of a run, one after the other, and writes the journal around each.

What was finished is read back and never done again. A run that waits is left, and goes on from its journal when its
time has come.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from connector import whereabouts
from connector.adapter import Adapter
from connector.errors import InputError, SettingsError, StoreError
from connector.flows import parameters
from connector.flows.explanation import why_false
from connector.flows.expressions.evaluation import Scope
from connector.flows.expressions.functions import EvaluationError
from connector.flows.flow import MOST_ITEMS, Approve, Call, Each, Flow, Step, Stop, Switch, Wait, WaitFor
from connector.runs import pins, records, transitions
from connector.runs.calling import Caller, is_in_doubt, too_late
from connector.runs.cancelling import Cancelling
from connector.runs.claims import Claim
from connector.runs.effects import ONCE
from connector.runs.frames import End, Frame, action_of
from connector.runs.observers import Observation, Observer, Part
from connector.runs.pausing import Paused, Pausing
from connector.runs.pins import Pin
from connector.runs.records import Failure
from connector.runs.run_writer import RunWriter
from connector.runs.store import Store
from connector.runs.transitions import CancelRequestedError, StaleRunError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """Runs flows. `stopping` is asked before each step; a run that is stopped goes on in the next process."""

    adapter: Adapter
    store: Store
    clock: Callable[[], datetime]
    jitter: Callable[[], float] = random.random
    stopping: Callable[[], bool] = lambda: False
    in_flight: Counter[str] = field(default_factory=Counter)
    """The runs in a call that must not be cut off, because it cannot be repeated."""
    cancelling: Cancelling = field(default_factory=Cancelling)
    log: logging.Logger = log
    """Is told how runs end."""
    observers: Sequence[Observer] = ()

    def observe(self, claim: Claim) -> Observation:
        """The run, for those who are told how it goes on."""
        past = claim.past
        part = Part(claim.run, past.decisions, past.last_at or claim.run.created_at)
        return Observation(part, self.clock, self.observers)

    async def advance(self, claim: Claim, flow: Flow) -> None:
        """Run until the end, a wait or a decision that a person has to take. Raises StoreError."""
        with self.cancelling.of(claim.run):
            await self._advance(claim, flow)

    async def _advance(self, claim: Claim, flow: Flow) -> None:
        progress, run = _Progress(self, claim), claim.run
        try:
            await progress.finish(flow)
        except CancelRequestedError:
            await progress.cancel()
            self.log.info("the run %s of %s was cancelled", run.id, run.flow)
        except Paused as paused:
            if paused.until is None:
                await progress.write(transitions.leave_run, progress.worked())
            else:
                await progress.write(transitions.pause_run, paused.until, progress.worked(), self.clock())
        except asyncio.CancelledError:
            with suppress(StaleRunError):  # the write that was waited for may have ended the run
                await progress.write(transitions.leave_run, progress.worked())
            raise
        except StoreError:
            raise
        except Exception:  # a fault of this program; what is known is kept all the same
            await progress.write(transitions.leave_run, progress.worked())
            raise


def _kind_of(error: EvaluationError | SettingsError) -> str:
    return "expression" if isinstance(error, EvaluationError) else "settings"


class _Progress:
    """One run while a process works on it."""

    def __init__(self, interpreter: Interpreter, claim: Claim) -> None:
        self._adapter, self._clock = interpreter.adapter, interpreter.clock
        self._stopping, self._cancelling = interpreter.stopping, interpreter.cancelling
        self._run, self._log = claim.run, interpreter.log
        self._journal = dict(claim.steps)
        self._pins = claim.pins
        self._began = self._clock()
        self._limit: float | None = None
        """Seconds for which the run may work, also in steps that stand inside others; none in `on_error`."""
        self._observation = interpreter.observe(claim)
        self._writer = RunWriter(interpreter.store, self._run, self._clock, self._observation)
        if self._run.trace is not None:
            self._writer.keep_trace()
        self.write = self._writer.write
        self._caller = Caller(
            self._adapter,
            self._writer,
            self._clock,
            interpreter.jitter,
            interpreter.in_flight,
            interpreter.cancelling,
            claim.past,
        )
        self._pausing = Pausing(self._adapter, self._writer, self._clock)

    def worked(self) -> float:
        """Seconds for which the run has neither waited nor been held."""
        return self._run.worked + (self._clock() - self._began).total_seconds()

    async def finish(self, flow: Flow) -> None:
        self._limit = flow.timeout
        self._awaits = any(isinstance(step.does, WaitFor) for _, step in flow.all_steps())
        try:
            frame = Frame.of(flow, self._run, self._run.trigger, self._adapter.config(flow.config))
            end, outputs = await self._whole(frame)
        except EvaluationError as error:
            end, outputs = End("failed", Failure("", "", str(error), "expression", 0)), None
        except SettingsError as error:
            end, outputs = End("failed", Failure("", "", str(error), "settings", 0)), None
        now = self._clock()
        if end is None or end.failure is None:
            reason = end.reason if end else None
            await self._end_run("succeeded", now, outputs=outputs, reason=reason)
            return
        ended = await self._end_run("held" if end.is_held else "failed", now, error=end.failure)
        with whereabouts.at(**({"step": end.failure.step} if end.failure.step else {})):
            self._log.warning("the run %s of %s is %s: %r", self._run.id, self._run.flow, ended, end.failure.message)

    async def cancel(self) -> None:
        """As a person has asked for it."""
        await self.write(transitions.cancel_run, self._clock())
        self._observation.end_run("cancelled", None)

    async def _end_run(
        self, status: records.RunStatus, now: datetime, error: Failure | None = None, **values: Any
    ) -> records.RunStatus:
        ended = await self.write(transitions.finish_run, status, now, awaits=self._awaits, error=error, **values)
        self._observation.end_run(ended, error)
        return ended

    async def _whole(self, frame: Frame) -> tuple[End | None, Any]:
        """The steps of a flow, what it does after a failure, and its outputs."""
        end = await self._all(frame.flow.steps, frame)
        if end is None:
            try:
                return None, frame.flow.outputs.render(frame.scope) if frame.flow.outputs else None
            except EvaluationError as error:
                end = End("failed", Failure("", "", f"outputs: {error}", "expression", 0))
        if end.failure is None:
            return end, None
        frame.scope["error"] = {**end.failure.as_json(), **({"kind": "held"} if end.is_held else {})}
        limit, self._limit = self._limit, None
        second = await self._all(frame.flow.on_error, frame)
        self._limit = limit
        # What may have been done twice comes before what failed.
        return second if second and second.is_held and not end.is_held else end, None

    async def _all(self, steps: Sequence[Step], frame: Frame) -> End | None:
        """Do the steps; why they ended early."""
        for step in steps:
            path = frame.path(step)
            record = self._journal.get(path)
            if record is None or record.status not in records.FINISHED:
                if record is None and (late := self._is_late(path, "begun")):
                    return End("failed", Failure(path, "", late, "timeout", 0))
                with whereabouts.at(step=path):
                    record = self._journal[path] = await self._do(step, frame, record)
            frame.keep(step, record, self._journal)
            if (end := self._end(step, record, frame)) is not None:
                return end
        return None

    def _is_late(self, path: str, left: str) -> str | None:
        """Why the step goes on no more, where the run has worked for too long."""
        if self._limit is None or self.worked() <= self._limit:
            return None
        limit = f"{self._limit:g} s, which is its timeout"
        return f"the run has worked for more than {limit}, and {path} was not {left}"

    def _end(self, step: Step, record: records.Step, frame: Frame) -> End | None:
        """Why no step comes after this one."""
        if record.status == "held":
            return End("held", record.error)
        if record.status == "failed" and not (isinstance(step.does, Call) and step.does.continue_on_error):
            return End("failed", record.error)
        for one in step.walk():
            done = self._journal.get(frame.path(one))
            if isinstance(one.does, Stop) and done and done.status == "succeeded":
                return End("stopped", reason=done.reason or "")
        return None

    async def _do(self, step: Step, frame: Frame, record: records.Step | None) -> records.Step:
        self._require_going_on(record)
        path, does = frame.path(step), step.does
        action = action_of(does)
        try:
            if isinstance(does, Call):
                each = self._each(step, does, does.each, frame, record) if does.each else None
                return await (each or self._one(step, does, path, frame, record))
            if isinstance(does, Wait | WaitFor) and record and (late := self._is_late(path, "finished")):
                return await self._writer.fail(path, action, late, "timeout")
            if reason := self._reason_to_skip(step, frame.scope, record):
                return await self._writer.finish(path, action, "skipped", reason=reason)
            return await self._control(does, path, frame, record)
        except (EvaluationError, SettingsError) as error:
            attempts = record.attempts if record else 0
            return await self._writer.fail(path, action, str(error), _kind_of(error), attempts)

    def _require_going_on(self, record: records.Step | None) -> None:
        """Raise Paused where the process ends, CancelRequestedError where a person wants the run cancelled."""
        if self._stopping():
            raise Paused(None)
        if record is None or record.status != "sending":  # how that one ended is written down first
            self._cancelling.require_going_on(self._run.id)

    async def _control(
        self, does: Wait | WaitFor | Approve | Switch | Stop, path: str, frame: Frame, record: records.Step | None
    ) -> records.Step:
        """A step that calls nothing."""
        match does:
            case Wait():
                return await self._pausing.wait(does, path, frame.scope, record)
            case WaitFor():
                if (pin := pins.find_any(self._pins, path)) is not None:
                    return await self._pinned(pin, path, does.uses, {})
                return await self._pausing.wait_for(does, path, frame.scope, record)
            case Approve():
                return await self._approve(does, path, frame, record)
            case Switch():
                return await self._switch(does, path, frame, record)
            case Stop():
                reason = does.reason.render(frame.scope)
                return await self._writer.finish(path, "stop", "succeeded", output={}, reason=reason)

    def _reason_to_skip(self, step: Step, scope: Scope, record: records.Step | None) -> str | None:
        if record is None and isinstance(step.does, Call) and self._is_left_out(step.does):
            return "a backfill leaves out what acts on somebody once; --allow-once does it"
        if record is None and step.condition and not step.condition.evaluate(scope):
            return f"if: {why_false(step.condition, scope)}"
        if record and (record.status == "sending" or is_in_doubt(record)):
            return None  # it may have acted
        if record and record.wake_at is None and record.attempts == 0:
            return None  # it has begun with what stands inside it
        return too_late(step, scope, self._clock())

    def _is_left_out(self, call: Call) -> bool:
        return call.flow is None and self._run.without_once and self._adapter.effect(call.uses, call.constants) in ONCE

    async def _one(self, step: Step, call: Call, path: str, frame: Frame, record: records.Step | None) -> records.Step:
        """One call: the only one of a step, or that for one item."""
        if call.flow is None and (late := self._is_late(path, "finished" if record else "begun")):
            return await self._caller.give_up(step, call, path, frame.scope, record, late)
        if reason := self._reason_to_skip(step, frame.scope, record):
            return await self._writer.finish(path, call.uses, "skipped", reason=reason)
        find = pins.find if call.flow else pins.find_any
        if (pin := find(self._pins, path)) is not None:
            return await self._pinned(pin, path, call.uses, call.input.render(frame.scope))
        if call.flow is None:
            return await self._caller.call(step, call, path, frame.scope, record)
        if record is None:
            given = call.input.render(frame.scope)
            await self._writer.begin(path, call.uses, given)
            if refused := parameters.refuse(call.flow.inputs, given):
                return await self._writer.fail(path, call.uses, f"{call.uses} refuses its input: {refused[0]}", "input")
        else:
            given = record.input
        inner = frame.calling(call.flow, path, given, self._adapter.config(call.flow.config))
        end, outputs = await self._whole(inner)
        return await self._finish(path, call.uses, end, outputs if outputs is not None or end else {})

    async def _pinned(self, pin: Pin, path: str, action: str, given: Any) -> records.Step:
        """Give the step what a person has pinned; an input that its action would not take fails it all the same."""
        await self._writer.begin(path, action, given)
        if action in self._adapter.registry.actions:
            try:
                self._adapter.read_input(action, given)
            except InputError as error:
                return await self._writer.fail(path, action, str(error), error.kind, 1)
        return await pin.finish(self._writer, path, action)

    async def _finish(self, path: str, action: str, end: End | None, output: Any = None) -> records.Step:
        """The outcome of a step by that of the steps inside it."""
        if end is None or end.failure is None:
            reason = end.reason if end else None
            return await self._writer.finish(path, action, "succeeded", output=output, reason=reason)
        return await self._writer.finish(path, action, "held" if end.is_held else "failed", error=end.failure)

    async def _each(
        self, step: Step, call: Call, each: Each, frame: Frame, record: records.Step | None
    ) -> records.Step:
        """A call for each item; those that fail or wait keep no other one from going on."""
        path = frame.path(step)
        if record is None:
            items = each.items.evaluate(frame.scope)
            if len(items) > MOST_ITEMS:
                raise EvaluationError(f"for_each: the list has {len(items)} items; at most {MOST_ITEMS} are allowed")
            await self._writer.begin(path, call.uses, {"items": items})
        else:
            items = (record.input or {})["items"]
        if (pin := pins.find(self._pins, path)) is not None:
            return await pin.finish(self._writer, path, call.uses)
        turns = asyncio.Semaphore(each.most)
        pairs = enumerate(items)
        done = await asyncio.gather(
            *(self._item(step, call, frame, index, item, turns) for index, item in pairs), return_exceptions=True
        )
        return await self._gathered(path, call, done)

    async def _item(
        self, step: Step, call: Call, frame: Frame, index: int, item: Any, turns: asyncio.Semaphore
    ) -> records.Step:
        path = f"{frame.path(step)}[{index}]"
        record = self._journal.get(path)
        if record is not None and record.status in records.FINISHED:
            return record
        async with turns:
            self._require_going_on(record)
            inside = replace(frame, scope={**frame.scope, "item": item, "index": index})
            try:
                with whereabouts.at(step=path):
                    done = await self._one(step, call, path, inside, record)
            except (EvaluationError, SettingsError) as error:
                done = await self._writer.fail(path, call.uses, str(error), _kind_of(error))
        self._journal[path] = done
        if call.each and call.each.most > 1:  # others are under way, and may be for long
            await self._writer.settle()
        return done

    async def _gathered(self, path: str, call: Call, done: Sequence[records.Step | BaseException]) -> records.Step:
        """The outcome of all items."""
        for fault in done:
            if isinstance(fault, BaseException) and not isinstance(fault, Paused):
                raise fault
        pauses = [one for one in done if isinstance(one, Paused)]
        if pauses:
            times = [one.until for one in pauses if one.until is not None]
            raise Paused(min(times) if len(times) == len(pauses) else None)  # None: the process ends
        items = [one for one in done if isinstance(one, records.Step)]
        for status in ("held", "failed"):
            for one in items:
                if one.status == status and (status == "held" or not call.continue_on_error):
                    return await self._finish(path, call.uses, End(status, one.error))
        return await self._writer.finish(path, call.uses, "succeeded", output=[one.output for one in items])

    async def _switch(self, switch: Switch, path: str, frame: Frame, record: records.Step | None) -> records.Step:
        value = (record.input or {})["on"] if record else switch.on.evaluate(frame.scope)
        if record is None:
            await self._writer.begin(path, "switch", {"on": value})
        return await self._finish(path, "switch", await self._all(switch.choose(value), frame), {})

    async def _approve(self, asked: Approve, path: str, frame: Frame, record: records.Step | None) -> records.Step:
        """Ask by the steps of `notify`, then wait for the answer."""
        title = (record.input or {})["title"] if record else asked.title.render(frame.scope)
        if record is None:
            await self._writer.begin(path, "approve", {"title": title, "form": asked.describe_form()})
        if record is None or record.status == "started":
            inside = replace(frame, scope={**frame.scope, "approve": {"title": title}})
            if (end := await self._all(asked.notify, inside)) is not None:
                return await self._finish(path, "approve", end)
        return await self._pausing.approval(asked, path, record, pins.find_any(self._pins, path))
