"""What people answer to steps that ask for their approval. Each function works in its caller's transaction."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.database import Connection, Row
from connector.runs.journal import undamaged
from connector.runs.records import read_time, write_time


@dataclass(frozen=True, slots=True)
class Answer:
    approved: bool
    by: str | None
    """None where nobody has answered in time."""
    at: datetime
    form: dict[str, Any]


def give(connection: Connection, run_id: str, step: str, answer: Answer) -> Answer:
    """Keep the answer and wake the run. Returns the one that counts, which is the first."""
    values = (run_id, step, answer.approved, answer.by, write_time(answer.at), json.dumps(answer.form))
    kept = connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", values)
    connection.execute(
        "UPDATE runs SET wake_at = ? WHERE id = ? AND status = 'waiting'", (write_time(answer.at), run_id)
    )
    return answer if kept.rowcount else find(connection, run_id, step) or answer


def find(connection: Connection, run_id: str, step: str) -> Answer | None:
    """None where nobody has answered. Raises DamagedRowError."""
    row = connection.execute("SELECT * FROM answers WHERE run_id = ? AND step = ?", (run_id, step)).fetchone()
    return None if row is None else answer_of(row)


@undamaged("run_id", "step")
def answer_of(row: Row) -> Answer:
    form = dict(json.loads(row["form"]))
    return Answer(bool(row["approved"]), row["by"], read_time(row["at"]), form)
