"""The journal on SQLite: each method of `Store` is one transaction, and one step in the life of a run."""

import json
import secrets
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from connector.errors import StoreError
from connector.runs import records
from connector.runs.journal import DamagedRowError, Journal, run_of
from connector.runs.records import Failure, read_time, write_time
from connector.sqlite import Database

SCHEMA = files("connector.runs").joinpath("schema.sql").read_text("utf-8")

Result = TypeVar("Result")


class StaleRunError(StoreError):
    """Somebody else has claimed the run since; nothing was written."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    connector: str
    connection: str
    identity: str
    name: str
    occurred_at: datetime | None
    received_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What one flow makes of a new event: a trigger payload to run with, or the reason why not."""

    flow: str
    revision: str
    source: str
    trigger: dict[str, Any] | None = None
    reason: str | None = None
    held: bool = False
    dedupe_key: Any = None
    dedupe_since: datetime | None = None
    """A run with the same key that started after this keeps the event from starting another."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored event. `new` is False where it had been stored before; then nothing was started."""

    event_id: str
    new: bool
    starts: Sequence[records.Start]


_CLAIM = """
UPDATE runs SET status = 'running', wake_at = NULL, epoch = epoch + 1, started_at = coalesce(started_at, :now)
WHERE id IN (
    SELECT id FROM runs
    WHERE (status = 'queued' OR (status = 'waiting' AND wake_at <= :now))
    AND (:only IS NULL OR id IN (SELECT value FROM json_each(:only)))
    ORDER BY id LIMIT :limit
)
RETURNING *
"""
_START_STEP = """
INSERT INTO steps (run_id, step, action, status, input, attempts, started_at) VALUES (?, ?, ?, 'started', ?, ?, ?)
ON CONFLICT (run_id, step) DO UPDATE SET status = 'started', attempts = excluded.attempts, error = NULL
WHERE status IN ('started', 'sending', 'waiting')
"""
_FINISH_STEP = """
INSERT INTO steps (run_id, step, action, status, output, reason, error, attempts, started_at, finished_at)
VALUES (:run, :step, :action, :status, :output, :reason, :error, 0, :now, :now)
ON CONFLICT (run_id, step) DO UPDATE
SET status = :status, output = :output, reason = :reason, error = :error, finished_at = :now
WHERE status IN ('started', 'sending', 'waiting')
"""


class Store:
    """Each method is one transaction: when it returns, it is committed and synced. Raises StoreError."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)

    def close(self) -> None:
        self._database.close()

    def read(self, query: Callable[[Journal], Result]) -> Result:
        return self._database.read(lambda connection: query(Journal(connection)))

    async def write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Let another module of this package change tables of its own, in one transaction."""
        return await self._database.write(work)

    async def ping(self) -> None:
        """Raise StoreError unless the database can be locked for writing."""
        await self._database.write(lambda connection: connection.execute("UPDATE runs SET epoch = epoch WHERE id = ''"))

    async def add_event(self, event: NewEvent, decisions: Sequence[Decision]) -> Stored:
        """Store an event and queue its runs, or recognise it."""
        return await self._database.write(lambda connection: _add_event(connection, event, decisions))

    async def claim(self, now: datetime, limit: int, only: Collection[str] | None = None) -> list[records.Run]:
        """Take up to `limit` runs that are queued or whose wait is over, oldest first; of `only` where given."""

        def work(connection: sqlite3.Connection) -> list[records.Run]:
            listed = None if only is None else json.dumps(sorted(only))
            rows = connection.execute(_CLAIM, {"now": write_time(now), "limit": limit, "only": listed}).fetchall()
            runs = [run for row in rows if (run := _run_or_hold(connection, row))]
            return sorted(runs, key=lambda run: run.id)

        return await self._database.write(work)

    async def requeue(self, run_ids: Sequence[str] | None = None) -> int:
        """Give running runs back: those named, or all when the process that ran them has ended."""

        def work(connection: sqlite3.Connection) -> int:
            update = "UPDATE runs SET status = 'queued' WHERE status = 'running'"
            if run_ids is None:
                return connection.execute(update).rowcount
            return sum(connection.execute(f"{update} AND id = ?", (run_id,)).rowcount for run_id in run_ids)

        return await self._database.write(work)

    async def start_attempt(
        self, run: records.Run, step: str, action: str, input: dict[str, Any], number: int, now: datetime
    ) -> None:
        """`started`: the input is fixed; nothing has been sent."""

        def work(connection: sqlite3.Connection) -> None:
            _guard(connection, run)
            moment = write_time(now)
            connection.execute(_START_STEP, (run.id, step, action, json.dumps(input), number, moment))
            # An attempt that is still open here was cut off: its process ended, or its result could not be written.
            _finish_attempt(connection, run.id, step, now, "there is no record of how it ended", number)
            connection.execute(
                "INSERT INTO attempts (run_id, step, number, started_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (run.id, step, number, moment),
            )

        await self._database.write(work)

    async def mark_sending(self, run: records.Run, step: str, number: int, now: datetime) -> None:
        """`sending`: from here on nobody knows whether the request went out, until there is a result."""

        def work(connection: sqlite3.Connection) -> None:
            _guard(connection, run)
            _one(connection, "UPDATE steps SET status = 'sending' WHERE run_id = ? AND step = ?", (run.id, step))
            update = "UPDATE attempts SET sent_at = ? WHERE run_id = ? AND step = ? AND number = ?"
            _one(connection, update, (write_time(now), run.id, step, number))

        await self._database.write(work)

    async def finish_step(
        self,
        run: records.Run,
        step: str,
        action: str,
        status: records.StepStatus,
        now: datetime,
        *,
        output: dict[str, Any] | None = None,
        reason: str | None = None,
        error: Failure | None = None,
    ) -> None:
        """The step's result: succeeded, failed, skipped or held."""

        def work(connection: sqlite3.Connection) -> None:
            _guard(connection, run)
            _finish_attempt(connection, run.id, step, now, error.message if error else None)
            values = {
                "run": run.id,
                "step": step,
                "action": action,
                "status": status,
                "output": _json(output),
                "reason": _json(reason),
                "error": _json(error.as_json() if error else None),
                "now": write_time(now),
            }
            connection.execute(_FINISH_STEP, values)

        await self._database.write(work)

    async def wait(self, run: records.Run, step: str, error: Failure, now: datetime, wake_at: datetime) -> None:
        """An attempt failed; the run waits for its next one and holds no task."""

        def work(connection: sqlite3.Connection) -> None:
            _guard(connection, run)
            _finish_attempt(connection, run.id, step, now, error.message if error else None)
            update = "UPDATE steps SET status = 'waiting', error = ? WHERE run_id = ? AND step = ?"
            _one(connection, update, (_json(error.as_json()), run.id, step))
            update = "UPDATE runs SET status = 'waiting', wake_at = ? WHERE id = ?"
            _one(connection, update, (write_time(wake_at), run.id))

        await self._database.write(work)

    async def finish_run(
        self,
        run: records.Run,
        status: records.RunStatus,
        now: datetime,
        outputs: Any = None,
        error: Failure | None = None,
    ) -> None:
        """succeeded, failed or held."""

        def work(connection: sqlite3.Connection) -> None:
            _guard(connection, run)
            finished = None if status == "held" else write_time(now)
            values = (status, finished, _json(outputs), _json(error.as_json() if error else None), run.id)
            _one(connection, "UPDATE runs SET status = ?, finished_at = ?, outputs = ?, error = ? WHERE id = ?", values)

        await self._database.write(work)


def new_id(kind: str, now: datetime) -> str:
    """Ids of one kind order by time: milliseconds, then randomness."""
    return f"{kind}_{int(now.timestamp() * 1000):011x}{secrets.token_hex(5)}"


def _add_event(connection: sqlite3.Connection, event: NewEvent, decisions: Sequence[Decision]) -> Stored:
    seen = connection.execute(
        "SELECT id FROM events WHERE connector = ? AND connection = ? AND identity = ?",
        (event.connector, event.connection, event.identity),
    ).fetchone()
    if seen:
        return Stored(seen["id"], new=False, starts=Journal(connection).starts(seen["id"]))
    event_id = new_id("evt", event.received_at)
    connection.execute(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event_id,
            event.connector,
            event.connection,
            event.identity,
            json.dumps(event.name),
            write_time(event.occurred_at) if event.occurred_at else None,
            write_time(event.received_at),
            "held" if any(decision.held for decision in decisions) else "accepted",
            json.dumps(event.text),
        ),
    )
    starts = [_start(connection, event_id, event.received_at, decision) for decision in decisions]
    for start in starts:
        connection.execute(
            "INSERT INTO starts VALUES (?, ?, ?, ?)", (event_id, start.flow, start.run_id, _json(start.reason))
        )
    return Stored(event_id, new=True, starts=starts)


def _start(connection: sqlite3.Connection, event_id: str, now: datetime, decision: Decision) -> records.Start:
    if decision.trigger is None:
        return records.Start(decision.flow, None, decision.reason)
    run_id = new_id("run", now)
    if decision.dedupe_since and (reason := _deduplicate(connection, decision, run_id, now, decision.dedupe_since)):
        return records.Start(decision.flow, None, reason)
    connection.execute(
        "INSERT INTO revisions VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (decision.revision, decision.flow, json.dumps(decision.source)),
    )
    connection.execute(
        "INSERT INTO runs (id, flow, revision, event_id, trigger, status, created_at) "
        "VALUES (?, ?, ?, ?, ?, 'queued', ?)",
        (run_id, decision.flow, decision.revision, event_id, json.dumps(decision.trigger), write_time(now)),
    )
    return records.Start(decision.flow, run_id, None)


def _deduplicate(
    connection: sqlite3.Connection, decision: Decision, run_id: str, now: datetime, since: datetime
) -> str | None:
    key = json.dumps(decision.dedupe_key)
    row = connection.execute("SELECT * FROM dedupe WHERE flow = ? AND key = ?", (decision.flow, key)).fetchone()
    if row and read_time(row["started_at"]) > since:
        return f"the run {row['run_id']} with the same dedupe key {key} started at {row['started_at']}"
    connection.execute(
        "INSERT OR REPLACE INTO dedupe VALUES (?, ?, ?, ?)", (decision.flow, key, write_time(now), run_id)
    )
    return None


def _run_or_hold(connection: sqlite3.Connection, row: sqlite3.Row) -> records.Run | None:
    """The run; None where its row is damaged, which then holds it and keeps no other run waiting."""
    try:
        return run_of(row)
    except DamagedRowError as error:
        failure = Failure("", "", str(error), "damaged", 0)
        connection.execute(
            "UPDATE runs SET status = 'held', trigger = 'null', outputs = NULL, error = ? WHERE id = ?",
            (json.dumps(failure.as_json()), row["id"]),
        )
        return None


def _guard(connection: sqlite3.Connection, run: records.Run) -> None:
    row = connection.execute("SELECT epoch, status FROM runs WHERE id = ?", (run.id,)).fetchone()
    if row is None or row["epoch"] != run.epoch or row["status"] != "running":
        raise StaleRunError(f"the run {run.id} was taken over, so this process writes nothing more of it")


def _finish_attempt(
    connection: sqlite3.Connection, run_id: str, step: str, now: datetime, error: str | None, before: int | None = None
) -> None:
    """Close the open attempts of a step, or those with a number lower than `before`."""
    connection.execute(
        "UPDATE attempts SET finished_at = ?, error = ? WHERE run_id = ? AND step = ? AND finished_at IS NULL "
        "AND (? IS NULL OR number < ?)",
        (write_time(now), _json(error), run_id, step, before, before),
    )


def _one(connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> None:
    if connection.execute(statement, values).rowcount != 1:
        raise StoreError(f"the journal lacks a row that this should change: {statement}")


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)
