"""What people decided about a run, as sentences and as JSON, and what they can decide about a held one."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from connector.cli import output
from connector.runs import records
from connector.runs.decisions.doubts import find_doubts
from connector.runs.decisions.interventions import Intervention
from connector.runs.decisions.places import ActsOnce

_WORDS = {"retry": "retried", "cancel": "cancelled", "done": "took effect", "not_done": "did not take effect"}


def describe(intervention: Intervention) -> Iterator[str]:
    """Who decided what, and then what was done anew for it, as it had been."""
    person, word = intervention.person, _WORDS[intervention.what]
    who = f"{person.by} at {output.moment(person.at)}" + (f": {person.reason}" if person.reason else "")
    yield f"decision  {intervention.step} {word}, says {who}" if intervention.step else f"decision  {word} by {who}"
    for step in intervention.undone.get("steps", ()):
        yield f"          before: {step['id']} {step['status']}{_why(step)}"


def _why(step: dict[str, Any]) -> str:
    return f", {step['error']['message']}" if step["error"] else ""


def as_json(intervention: Intervention) -> dict[str, Any]:
    person = intervention.person
    return {
        "what": intervention.what,
        "step": intervention.step,
        "by": person.by,
        "at": output.iso(person.at),
        "reason": person.reason,
        "repeats": list(intervention.repeats),
        "undone": dict(intervention.undone),
    }


def advise(run: records.Run, steps: Sequence[records.Step], once: ActsOnce) -> list[str]:
    """What can be done about a run that is held, has failed or was cancelled."""
    doubts = find_doubts({step.id: step for step in steps}, once)
    if not doubts:
        return [f"to let it go on: chatforge runs retry {run.id}"]
    return [
        f"did {one.id} take effect? chatforge runs resolve {run.id} --step {shlex.quote(one.id)} --done, or --not-done"
        for one in doubts
    ]
