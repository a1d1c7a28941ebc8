"""Cancels runs. Each function works in its caller's transaction.

A run that nobody works on is cancelled at once. One that is at work gets a request in its row, and its process ends it
before it begins anything more.
"""

import json
from datetime import datetime

from connector.database import Connection
from connector.runs import awaited, records
from connector.runs.decisions import interventions
from connector.runs.decisions.interventions import Intervention, Person, RefusedError, Undone
from connector.runs.journal import Journal
from connector.runs.records import write_time

_END = (
    "UPDATE runs SET status = 'cancelled', finished_at = ?, wake_at = NULL, outputs = NULL, error = NULL, reason = {}, "
    "cancelling = NULL, epoch = epoch + 1 WHERE id = ? AND {}"
)


def cancel(connection: Connection, run_id: str, person: Person) -> records.RunStatus:
    """Cancel the run, or ask its process to. Returns how it stands now. Raises RefusedError where it has ended."""
    run = Journal(connection).run(run_id)
    if run is None:
        raise RefusedError(f"there is no run {run_id!r}")
    if run.cancelling is not None and run.status == "running":
        return run.status
    reason = json.dumps(f"cancelled by {person.by}" + (f": {person.reason}" if person.reason else ""))
    at_rest = _END.format("?", "status IN ('queued', 'waiting', 'held')")
    now = write_time(person.at)
    if connection.execute(at_rest, (now, reason, run_id)).rowcount:
        awaited.end(connection, run_id)
        status: records.RunStatus = "cancelled"
    elif connection.execute(
        "UPDATE runs SET cancelling = ? WHERE id = ? AND status = 'running'", (reason, run_id)
    ).rowcount:
        status = "running"
    else:
        raise RefusedError(f"the run {run_id} is {run.status}; only a run that has not ended can be cancelled")
    error = run.error.as_json() if run.error else None
    undone: Undone = {"status": run.status, "error": error, "steps": []}
    interventions.keep(connection, run_id, Intervention("cancel", person, None, undone, ()))
    return status


def end(connection: Connection, run_id: str, now: datetime) -> bool:
    """End the run where a person has asked for that; whether it is so."""
    asked = _END.format("cancelling", "cancelling IS NOT NULL")
    if not connection.execute(asked, (write_time(now), run_id)).rowcount:
        return False
    awaited.end(connection, run_id)
    return True


def find_requests(connection: Connection) -> list[str]:
    """The runs at work that shall be cancelled."""
    rows = connection.execute(
        "SELECT id FROM runs WHERE status = 'running' AND cancelling IS NOT NULL "
        "AND status IN ('queued', 'running', 'waiting')"  # in these words the index of such runs is used
    )
    return [row["id"] for row in rows]
