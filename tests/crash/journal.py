"""What the journal holds at a moment, as rows, and how often the sandbox and the contacts took each text."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector import engines
from connector.engines import Address
from connector.runs.records import FINISHED, write_time
from connector.sandbox import Sandbox

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Effects:
    """How often each text was sent as a message, and given to an agent as its name."""

    messages: Counter[str]
    names: Counter[str]

    def count(self, text: str) -> tuple[int, int]:
        return self.messages[text], self.names[text]


@dataclass(frozen=True)
class Picture:
    """What belongs to the runs from one on."""

    runs: Mapping[str, Row]
    steps: Mapping[str, Mapping[str, Row]]
    """run → path → row"""
    events: Sequence[Row]
    starts: Mapping[str, Sequence[Row]]
    """event → what flows made of it"""
    effects: Effects
    at: str
    """When it was taken, as the journal writes times."""

    def leaves(self, run_id: str, *statuses: str) -> list[str]:
        """The steps of the run with one of these statuses for their own sake, not for that of a step inside them."""
        found = [row for row in self.steps.get(run_id, {}).values() if row["status"] in statuses]
        return [row["step"] for row in found if row["error"] is None or json.loads(row["error"])["step"] == row["step"]]

    def finished(self) -> dict[tuple[str, str], Row]:
        return {
            (run, path): row
            for run, steps in self.steps.items()
            for path, row in steps.items()
            if row["status"] in FINISHED
        }


def look(database: Address, sandbox: Sandbox, after: str = "") -> Picture:
    """`after` are 11 digits of the time from which on ids count."""

    def work(connection: Any) -> tuple[Any, ...]:
        runs = _rows(connection, "SELECT * FROM runs WHERE id > ? ORDER BY id", f"run_{after}")
        steps = _rows(connection, "SELECT * FROM steps WHERE run_id > ?", f"run_{after}")
        events = _rows(connection, "SELECT * FROM events WHERE id > ? ORDER BY id", f"evt_{after}")
        starts = _rows(connection, "SELECT * FROM starts WHERE event_id > ?", f"evt_{after}")
        of_runs, of_events = defaultdict[str, dict[str, Row]](dict), defaultdict[str, list[Row]](list)
        for row in steps:
            of_runs[row["run_id"]][row["step"]] = row
        for row in starts:
            of_events[row["event_id"]].append(row)
        return {row["id"]: row for row in runs}, of_runs, events, of_events

    now = write_time(datetime.now(UTC))
    runs, of_runs, events, of_events = engines.read(database, work)
    effects = count_effects(sandbox, {key_of(run) for run in runs.values()})
    return Picture(runs, of_runs, events, of_events, effects, now)


def _rows(connection: Any, query: str, value: str) -> list[Row]:
    return [{name: row[name] for name in row.keys()} for row in connection.execute(query, (value,)).fetchall()]  # noqa: SIM118 - a Row is no mapping


def key_of(run: Row) -> str:
    """What is in all texts of the run."""
    return str(json.loads(run["trigger"])["data"]["key"])


def count_effects(sandbox: Sandbox, keys: Collection[str]) -> Effects:
    messages, names = Counter[str](), Counter[str]()
    for effect in sandbox.effects.entries:
        body = effect.body or {}
        text = body.get("content") or body.get("name", "")
        if text.partition(" ")[0] in keys:
            (messages if "content" in body else names)[text] += 1
    return Effects(messages, names)


def count_notes(contacts: Path) -> Counter[str]:
    """How often a note was added to a contact."""
    if not contacts.exists():
        return Counter()
    with closing(sqlite3.connect(contacts)) as connection:
        return Counter(json.loads(note) for (note,) in connection.execute("SELECT note FROM notes"))
