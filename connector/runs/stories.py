"""One sentence of what happened to a run, and what a person can do about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from connector.flows.durations import render
from connector.runs import records
from connector.runs.decisions.doubts import find_doubts
from connector.runs.decisions.places import ActsOnce
from connector.runs.pausing import NEVER
from connector.runs.waits import RunView, Waiting

_WRONG_ACCOUNT = ("authentication", "plan", "settings")


@dataclass(frozen=True, slots=True)
class Choice:
    """What can be done about a run: a change of the page, and the command that does the same."""

    change: Literal["retry", "cancel", "resolve", "approve"]
    step: str | None
    sentence: str
    command: str


@dataclass(frozen=True, slots=True)
class Story:
    sentence: str
    choices: Sequence[Choice]


def tell(view: RunView, acts_once: ActsOnce) -> Story:
    doubts = find_doubts({step.id: step for step in view.steps}, acts_once)
    return Story(_sentence(view, doubts), list(_choices(view, doubts)))


def _sentence(view: RunView, doubts: Sequence[records.Step]) -> str:
    run = view.run
    match run.status:
        case "succeeded" if left := left_out(view.steps):
            return f"It ended after {_took(run)}, and left out {left}"
        case "succeeded":
            done = f"It did all its steps in {_took(run)}"
            return f"{done}, and stopped early: {run.reason}" if run.reason else f"{done}."
        case "held" if doubts:
            names = " and ".join(step.id for step in doubts)
            return f"Nobody knows whether {names} took effect: {_why(run, doubts[0])}"
        case "failed" | "held":
            return f"{_where(run)}{run.error.message if run.error else run.reason or 'it cannot go on'}"
        case "cancelled":
            return f"It was {run.reason or 'cancelled'}."
        case _ if view.waiting:
            return f"It goes on later: {waits_of(view.waiting)}"
        case "queued":
            return "It waits for its turn."
        case _:
            return "It is at work."


def left_out(steps: Iterable[records.Step]) -> str:
    """The steps that were skipped, each with its reason; empty where none was."""
    return "; ".join(f"{step.id}: {step.reason}" for step in steps if step.status == "skipped")


def _where(run: records.Run) -> str:
    if run.error is None or not run.error.step:
        return ""
    attempts = f" after {run.error.attempts} attempts" if run.error.attempts > 1 else ""
    return f"The step {run.error.step} failed{attempts}: "


def _why(run: records.Run, step: records.Step) -> str:
    error = step.error or run.error
    return error.message if error else step.reason or "the server ended in the middle of it"


def _took(run: records.Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return "no time"
    seconds = (run.finished_at - run.started_at).total_seconds()
    return f"{seconds:.2f} s" if seconds < 60 else render(round(seconds))


def waits_of(waiting: Sequence[Waiting]) -> str:
    """What a run waits for, in one clause; empty for nothing."""
    return "; ".join(_waits(one) for one in waiting)


def _waits(waiting: Waiting) -> str:
    until = "" if waiting.until is None or waiting.until >= NEVER else f" until {_moment(waiting.until)}"
    match waiting.what:
        case "runs":
            return f"{len(waiting.runs)} other run(s) with the same concurrency key are before it"
        case "attempt":
            return f"{waiting.step} failed, and is tried again at {_moment(waiting.until)}"
        case "time":
            return f"{waiting.step} waits{until}"
        case "event":
            return f"{waiting.step} waits for an event of {waiting.trigger}{until}"
        case "approval" if waiting.answer is not None:
            return f"{waiting.step} was answered by {waiting.answer.by or 'nobody in time'}, and goes on"
        case "approval":
            return f"{waiting.step} asks a person{until}: {(waiting.asked or {}).get('title', '')}"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def _choices(view: RunView, doubts: Sequence[records.Step]) -> list[Choice]:
    run = view.run
    choices = [
        Choice("approve", one.step, f"Answer what {one.step} asks.", f"chatforge runs approve {run.id} {one.step}")
        for one in view.waiting
        if one.what == "approval" and one.answer is None
    ]
    for step in doubts:
        look = f"Look at the other side whether {step.id} took effect, and say so."
        choices.append(
            Choice("resolve", step.id, look, f"chatforge runs resolve {run.id} --step {step.id} --done, or --not-done")
        )
    if run.status in ("failed", "held", "cancelled") and not doubts:
        latest = " --latest" if is_about_the_flow(run) else ""
        choices.append(Choice("retry", None, _retry_sentence(run), f"chatforge runs retry {run.id}{latest}"))
    if run.status in ("queued", "waiting", "running"):
        choices.append(
            Choice("cancel", None, "End it; what it has done stays done.", f"chatforge runs cancel {run.id}")
        )
    return choices


def is_about_the_flow(run: records.Run) -> bool:
    """Whether it cannot go on with the text that it began with."""
    return run.status == "held" and (run.error is None or not run.error.step)


def _retry_sentence(run: records.Run) -> str:
    if is_about_the_flow(run):
        return "Correct the flow, then let the run go on with it as it is now."
    if run.error is not None and run.error.kind in _WRONG_ACCOUNT:
        return (
            "Correct the key or the setting, start the server again, then let the run go on: what failed is done anew."
        )
    return "Correct the cause, then let it go on: what failed is done anew, what succeeded is not."
