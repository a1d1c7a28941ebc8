"""Takes back what the journal says of steps, so that they are done anew, and keeps it for whoever asks later.

Each function works in its caller's transaction.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from connector.database import Connection
from connector.runs import records
from connector.runs.decisions.reopening import Reopening
from connector.runs.journal import Journal
from connector.runs.records import write_time

_FORGET = (
    "DELETE FROM attempts WHERE run_id = ? AND step IN (SELECT value FROM json_each(?))",
    "DELETE FROM awaited WHERE run_id = ? AND step IN (SELECT value FROM json_each(?))",
    "DELETE FROM offered WHERE run_id = ? AND step IN (SELECT value FROM json_each(?))",
    "DELETE FROM taken WHERE run_id = ? AND step IN (SELECT value FROM json_each(?))",
    "DELETE FROM steps WHERE run_id = ? AND step IN (SELECT value FROM json_each(?))",
)
_REOPEN = (
    "UPDATE steps SET status = 'started', output = NULL, reason = NULL, error = NULL, finished_at = NULL, "
    "requests = NULL, wake_at = NULL WHERE run_id = ? AND step IN (SELECT value FROM json_each(?))"
)
_FORGET_ANSWERS = (
    "DELETE FROM answers WHERE run_id = ? AND step IN (SELECT value FROM json_each(?)) AND (by IS NULL OR EXISTS "
    "(SELECT 1 FROM steps s WHERE s.run_id = answers.run_id AND s.step = answers.step AND s.status = 'succeeded'))"
)
"""Those that were looked at, or that stand for nobody's; what somebody answered meanwhile still counts."""


def undo(connection: Connection, run_id: str, reopening: Reopening) -> list[dict[str, Any]]:
    """Forget and reopen the steps of the run. Returns them as they were."""
    forgotten, reopened = sorted(reopening.forgotten), sorted(reopening.reopened)
    undone = describe(connection, run_id, {*forgotten, *reopened})
    connection.execute(_FORGET_ANSWERS, (run_id, json.dumps([*forgotten, *reopened])))
    for statement in _FORGET:
        connection.execute(statement, (run_id, json.dumps(forgotten)))
    connection.execute(_REOPEN, (run_id, json.dumps(reopened)))
    return undone


def describe(connection: Connection, run_id: str, paths: Collection[str]) -> list[dict[str, Any]]:
    """The steps as they are, with their attempts."""
    journal = Journal(connection)
    attempts = journal.attempts(run_id)
    return [
        _as_json(step, [one for one in attempts if one.step == step.id])
        for step in journal.steps(run_id).values()
        if step.id in paths
    ]


def _as_json(step: records.Step, attempts: Sequence[records.Attempt]) -> dict[str, Any]:
    shown = _with_times(asdict(step))
    return {**shown, "attempts": [_with_times(asdict(one)) for one in attempts]}


def _with_times(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: write_time(one) if isinstance(one, datetime) else one for name, one in values.items()}
