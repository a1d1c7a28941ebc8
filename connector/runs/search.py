"""Finds runs and events by what they are about. Each function reads in its caller's transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.database import Connection
from connector.runs import records
from connector.runs.journal import event_of, readable, run_of
from connector.runs.records import Damaged, RunStatus, first_id

_RUN_TEXTS = ("trigger", "error", "reason", "outputs")
_EVENT_TEXTS = ("text", "name")


@dataclass(frozen=True, slots=True)
class RunFilter:
    flow: str | None = None
    status: RunStatus | None = None
    text: str | None = None
    """Part of an e-mail, a name, a message, or a whole id; upper and lower case of a-z are alike."""
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    """The id of a run: only older ones."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    name: str | None = None
    held: bool = False
    text: str | None = None
    before: str | None = None
    """The id of an event: only older ones."""


def find_runs(connection: Connection, wanted: RunFilter, limit: int) -> list[records.Run | Damaged]:
    """Newest first."""
    conditions = {
        "flow = :flow": wanted.flow,
        "status = :status": wanted.status,
        "id >= :since": wanted.since and first_id("run", wanted.since),
        "id < :until": wanted.until and first_id("run", wanted.until),
        "id < :before": wanted.before,
        **_text_conditions(wanted.text, _RUN_TEXTS),
    }
    where, values = _where(conditions)
    if wanted.status not in (None, "succeeded"):
        where += " AND status <> 'succeeded'"  # in these words the index of such runs is used
    query = f"SELECT * FROM runs WHERE {where} ORDER BY id DESC LIMIT :limit"  # noqa: S608 - conditions of ours
    return [readable(run_of, row) for row in connection.execute(query, {**values, "limit": limit})]


def find_events(connection: Connection, wanted: EventFilter, limit: int) -> list[records.Event | Damaged]:
    """Newest first."""
    conditions = {
        "name = :name": wanted.name and json.dumps(wanted.name),
        "id < :before": wanted.before,
        **_text_conditions(wanted.text, _EVENT_TEXTS),
    }
    where, values = _where(conditions)
    if wanted.held:
        where += " AND status = 'held'"
    query = f"SELECT * FROM events WHERE {where} ORDER BY id DESC LIMIT :limit"  # noqa: S608 - conditions of ours
    return [readable(event_of, row) for row in connection.execute(query, {**values, "limit": limit})]


def _where(conditions: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Those that have a value, and the values by name."""
    wanted = {condition: value for condition, value in conditions.items() if value}
    values: dict[str, Any] = {}
    for condition, value in wanted.items():
        values |= value if isinstance(value, dict) else {condition.rpartition(":")[2]: value}
    return " AND ".join(["1 = 1", *(f"({condition})" for condition in wanted)]), values


def _text_conditions(text: str | None, columns: Sequence[str]) -> dict[str, Any]:
    """Texts are stored as JSON, in which a character may be escaped once, or twice where the text itself is JSON."""
    if not text or not text.strip():
        return {}
    once = json.dumps(text.strip())[1:-1]
    forms = {"once": _pattern(once), "twice": _pattern(json.dumps(once)[1:-1])}
    tests = [f"lower({column}) LIKE :{form} ESCAPE '!'" for column in columns for form in forms]
    return {" OR ".join(["id = :id", *tests]): {**forms, "id": text.strip()}}


def _pattern(text: str) -> str:
    escaped = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
