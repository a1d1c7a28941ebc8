"""What `chatforge agents` shows: the difference before anything is sent, and what was done."""

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from connector.agents.comparing import Change
from connector.agents.fields import FILES, place_of
from connector.agents.planning import Plan
from connector.agents.pulling import Outcome
from connector.cli import output

_MOST = 20_000  # lines; comparing longer texts takes too long
_STYLES = {"-": "red", "+": "green", "@": "cyan"}


def show_pull(outcome: Outcome) -> None:
    for folder, change in outcome.left:
        if change.kind == "edited":
            output.line(f"left {place_of(change.field, folder)}, which was edited here and not applied")
    for agent in outcome.gone:
        output.line(f"left {agent.folder}, whose agent {agent.id} is no longer at ChatForge")
    for folder, change in outcome.conflicts:
        place = place_of(change.field, folder)
        output.fail(f"{place} was changed here and at ChatForge, and was left; --force takes theirs")
    output.line(f"{_count(outcome.agents, 'agent')}, {_count(outcome.written, 'file')} written")


def show_plan(plan: Plan) -> None:
    for update in plan.updates:
        output.line(output.styled(f"change {update.local.folder} ({update.remote.id})", "bold"))
        for change in update.changes:
            _show(change, update.local.folder)
    for local in plan.creations:
        output.line(output.styled(f"create {local.folder}", "bold"))
        for name, value in local.values.items():
            _show(Change(name, "edited", value, None), local.folder)
    for deletion in plan.deletions:
        words = (
            f"delete {deletion.remote.name} ({deletion.remote.id}) and all its conversations; {deletion.folder} is gone"
        )
        output.line(output.styled(words, "bold red"))
    for note in plan.notes:
        output.line(f"note: {note}")
    for refusal in plan.refusals:
        output.fail(refusal)
    output.line(_summary(plan))


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """For programs, such as one that looks every night whether somebody changed an agent."""
    return {
        "changes": [
            {
                "folder": one.local.folder,
                "id": one.remote.id,
                "fields": {change.field: {"from": change.remote, "to": change.local} for change in one.changes},
            }
            for one in plan.updates
        ],
        "creations": [{"folder": one.folder, "fields": dict(one.values)} for one in plan.creations],
        "deletions": [{"folder": one.folder, "id": one.remote.id, "name": one.remote.name} for one in plan.deletions],
        "notes": plan.notes,
        "refusals": plan.refusals,
    }


def tell(word: str, what: str) -> None:
    output.line(f"{word} {what}")


def _summary(plan: Plan) -> str:
    if plan.refusals:
        return "nothing was sent"
    if plan.is_empty:
        return "nothing to send"
    counted = ((plan.updates, "change"), (plan.creations, "create"), (plan.deletions, "delete"))
    return ", ".join(f"{len(found)} to {word}" for found, word in counted if found)


def _show(change: Change, folder: str) -> None:
    if change.field not in FILES:
        old = f"{json.dumps(change.remote, ensure_ascii=False)} → " if change.remote is not None else ""
        output.line(f"  {change.field}: {old}{json.dumps(change.local, ensure_ascii=False)}")
        return
    for line in _diff(change.remote or "", change.local, f"{folder}/{FILES[change.field]}"):
        output.line(output.styled(f"  {line}", _STYLES.get(line[:1], "")))


def _diff(old: str, new: str, path: str) -> Iterator[str]:
    """As `diff -u` prints it."""
    yield f"--- ChatForge {path}"
    yield f"+++ here      {path}"
    before, after = _lines(old), _lines(new)
    if len(before) + len(after) > _MOST:
        yield f"@@ {len(old):,} characters become {len(new):,} @@"
        return
    for line in list(difflib.unified_diff(before, after, n=2, lineterm=""))[2:]:
        yield line.removesuffix("\n")
        if not line.startswith("@") and not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _lines(text: str) -> Sequence[str]:
    """With their ends, and only those that a file of text has."""
    return [f"{line}\n" for line in text.split("\n")[:-1]] + [last for last in text.split("\n")[-1:] if last]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
