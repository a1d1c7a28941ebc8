"""Fills a database with finished runs, as the executor would have left them, but in bulk."""

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.processes import FLOW

from connector.runs.records import first_id, write_time
from connector.runs.upkeep.migrations import SCHEMA, VERSION

RARE = "rare"
"""A flow that few of the runs are of."""
EVERY = timedelta(seconds=2)
"""Between two runs."""
BATCH = 10_000  # runs
Row = tuple[Any, ...]
INSERTS = {
    "events": "INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text) "
    "VALUES (?, 'chatforge', 'default', ?, '\"lead.captured\"', ?, ?, 'accepted', ?)",
    "runs": "INSERT INTO runs (id, flow, revision, event_id, trigger, status, epoch, created_at, started_at, "
    "finished_at, outputs, error, worked) VALUES (?, ?, 'past', ?, ?, ?, 1, ?, ?, ?, ?, ?, 0.01)",
    "starts": "INSERT INTO starts (event_id, flow, run_id) VALUES (?, ?, ?)",
    "steps": "INSERT INTO steps (run_id, step, action, status, input, output, attempts, started_at, attempt_at, "
    "sent_at, finished_at) VALUES (?, ?, ?, 'succeeded', ?, ?, 1, ?, ?, ?, ?)",
}


def make(database: Path, count: int, few: int) -> None:
    """Write `count` runs that ended before now; `few` of them are held, and as many are of the flow RARE."""
    begun = datetime.now(UTC) - timedelta(days=1) - EVERY * count
    apart = max(1, count // few)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF"):  # it is made anew where this fails
            connection.execute(f"PRAGMA {pragma}")
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO schema_version VALUES (?)", (VERSION,))
        connection.execute("INSERT INTO revisions (id, flow, source) VALUES ('past', 'past', ?)", (json.dumps(FLOW),))
        numbers = iter(range(count))
        while batch := list(itertools.islice(numbers, BATCH)):
            connection.execute("BEGIN")
            for table, insert in INSERTS.items():
                connection.executemany(insert, (row for number in batch for row in _rows(table, number, begun, apart)))
            connection.execute("COMMIT")


def _rows(table: str, number: int, begun: datetime, apart: int) -> Iterator[Row]:
    """What one run has in the table."""
    moment = begun + EVERY * number
    at, email = write_time(moment), f"past{number}@example.com"
    run_id, event_id = (f"{first_id(kind, moment)}{number:010x}" for kind in ("run", "evt"))
    flow = RARE if number % apart == apart // 3 else "past"
    data = {"visitor_name": "John Smith", "visitor_email": email, "conversation_summary": "Asks about an estate plan."}
    match table:
        case "events":
            event = {"event": "lead.captured", "agent_id": "agent", "timestamp": at, "data": data}
            yield event_id, sha256(email.encode()).hexdigest(), at, at, json.dumps(json.dumps(event))
        case "runs":
            held = number % apart == apart // 2
            failure = {"step": "note", "action": "bench.add_note", "message": "cut", "kind": "ambiguous", "attempts": 1}
            outcome = (
                ("held", None, None, json.dumps(failure)) if held else ("succeeded", at, '{"contact_id": 1}', None)
            )
            status, finished, outputs, error = outcome
            yield run_id, flow, event_id, json.dumps(data), status, at, at, finished, outputs, error
        case "starts":
            yield event_id, flow, run_id
        case "steps":
            yield run_id, "note", "bench.add_note", json.dumps(data), '{"id": "note_1", "accepted": true}', *([at] * 4)
            yield run_id, "contact", "bench.upsert_contact", json.dumps(data), '{"id": "contact_1"}', *([at] * 4)
