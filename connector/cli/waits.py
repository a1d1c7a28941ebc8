"""What a run waits for, and what an approval asks, as sentences and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connector.cli import output
from connector.runs import records
from connector.runs.pausing import NEVER
from connector.runs.waits import Waiting

GOES_ON = "nothing works on the run now; start: chatforge serve"


def describe(run: records.Run, waits: Sequence[Waiting]) -> str:
    """One line, without the name of the run; empty for a run that waits for nothing."""
    return "; ".join(_describe(run, one) for one in waits)


def _describe(run: records.Run, wait: Waiting) -> str:
    match wait.what:
        case "runs":
            others = ", ".join(f"{one.id} ({one.status})" for one in wait.runs)
            return f"waits for the run {others} with the same concurrency key {json.dumps(wait.key)}"
        case "time":
            return f"{wait.step} waits until {output.moment(wait.until)}"
        case "attempt":
            return f"{wait.step} waits for its next attempt, at {output.moment(wait.until)}"
        case "event":
            return f"{wait.step} waits for an event for {wait.trigger}{_until(wait.until)}"
        case "approval":
            return f"{wait.step} {_approval(run, wait)}"


def _approval(run: records.Run, wait: Waiting) -> str:
    if wait.answer is not None:
        return f"was {_word(approved=wait.answer.approved)} by {wait.answer.by}; {GOES_ON}"
    title = (wait.asked or {}).get("title", "")
    return f"waits for an approval{_until(wait.until)}: {title} To answer: chatforge runs approve {run.id} {wait.step}"


def _until(moment: datetime | None) -> str:
    return f" until {output.moment(moment)}" if moment and moment < NEVER else ""


def as_json(wait: Waiting) -> dict[str, Any]:
    until = wait.until if wait.until and wait.until < NEVER else None
    shown: dict[str, Any] = {"what": wait.what, "step": wait.step or None, "until": output.iso(until)}
    if wait.what == "runs":
        shown |= {"runs": [one.id for one in wait.runs], "key": wait.key}
    if wait.what == "event":
        shown["trigger"] = wait.trigger
    if wait.what == "approval":
        shown |= {**(wait.asked or {}), "answered": wait.answer is not None}
    return shown


def approval_lines(step: records.Step) -> Iterator[tuple[str, str]]:
    """What an approval asks, and its answer, each with its name."""
    asked = step.input or {}
    yield "asks", str(asked.get("title", ""))
    for name, field in asked.get("form", {}).items():
        yield "form", _field(name, field)
    if isinstance(step.output, dict):
        word, by = _word(approved=bool(step.output.get("approved"))), step.output.get("by")
        form = {name: step.output.get(name) for name in asked.get("form", {})}
        filled = f" with {json.dumps(form, ensure_ascii=False)}" if form else ""
        yield "answer", f"{word} by {by or 'nobody'} at {step.output.get('at')}{filled}"


def _field(name: str, field: Mapping[str, Any]) -> str:
    default = f", default {json.dumps(field['default'])}" if field["default"] is not None else ""
    described = f": {field['description']}" if field["description"] else ""
    return f"{name} ({field['type']}{default}){described}"


def _word(*, approved: bool) -> str:
    return "approved" if approved else "rejected"
