"""What people decide about runs, as the journal keeps it. Each function works in its caller's transaction."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from connector.database import Connection, Row
from connector.errors import ConnectorError
from connector.runs.journal import undamaged
from connector.runs.records import read_time, write_time

What = Literal["retry", "cancel", "done", "not_done"]
Undone = Mapping[str, Any]


class RefusedError(ConnectorError):
    """The run, or its step, does not stand so that this can be done; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides, when, and why if that was said."""

    by: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Intervention:
    what: What
    person: Person
    step: str | None
    """That was resolved."""
    undone: Undone
    """How the run stood before, and `steps` that are done anew, as they were."""
    repeats: Sequence[str]
    """The paths of steps that succeeded and are done once more."""


@dataclass(frozen=True, slots=True)
class Past:
    """What people have decided, by the paths of steps."""

    repeats: Counter[str] = field(default_factory=Counter)
    """How often a person has had them done once more."""
    kept: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """What their actions had found out before they were forgotten, under the idempotency key that they still have."""
    decisions: int = 0
    last_at: datetime | None = None
    """When the last of these decisions was taken."""


def keep(connection: Connection, run_id: str, intervention: Intervention) -> None:
    person = intervention.person
    last = connection.execute(
        "SELECT coalesce(max(number), 0) AS last FROM interventions WHERE run_id = ?", (run_id,)
    ).fetchone()["last"]
    texts = [json.dumps(one) for one in (person.by, person.reason, intervention.undone, list(intervention.repeats))]
    by, reason, undone, repeats = texts
    connection.execute(
        "INSERT INTO interventions (run_id, number, what, step, by, at, reason, undone, repeats) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (run_id, last + 1, intervention.what, intervention.step, by, write_time(person.at), reason, undone, repeats),
    )


def load(connection: Connection, run_id: str) -> list[Intervention]:
    """The oldest first. Raises DamagedRowError."""
    rows = connection.execute("SELECT * FROM interventions WHERE run_id = ? ORDER BY number", (run_id,)).fetchall()
    return [intervention_of(row) for row in rows]


def look_back(connection: Connection, run_id: str) -> Past:
    """What the decisions about a run mean for its further calls. Raises DamagedRowError."""
    found = load(connection, run_id)
    past = Past(decisions=len(found), last_at=found[-1].person.at if found else None)
    for one in found:
        past.kept.update({step["id"]: step["kept"] for step in one.undone.get("steps", ()) if step.get("kept")})
        for path in one.repeats:
            past.repeats[path] += 1
            for known in [known for known in past.kept if is_within(known, path)]:
                del past.kept[known]
    return past


def is_within(path: str, outer: str) -> bool:
    """Whether a step is the one with the other path, or stands inside it."""
    return path == outer or path.startswith((f"{outer}/", f"{outer}["))


@undamaged("run_id", "number")
def intervention_of(row: Row) -> Intervention:
    by, reason, undone, repeats = (json.loads(row[name] or "null") for name in ("by", "reason", "undone", "repeats"))
    texts = [by, *repeats, *(text for text in (reason, row["step"]) if text is not None)]
    if row["what"] not in get_args(What) or not all(isinstance(text, str) for text in texts):
        raise TypeError(row["what"])
    return Intervention(row["what"], Person(by, read_time(row["at"]), reason), row["step"], dict(undone), repeats)
