"""The journal: each method of `Store` is one transaction, and one step in the life of a run."""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from connector import engines
from connector.database import Connection, Failpoint, Row
from connector.engines import Address
from connector.errors import StoreError
from connector.runs import awaited, records
from connector.runs.awaited import Awaited
from connector.runs.journal import DamagedRowError, Journal, run_of
from connector.runs.migrations import upgrade
from connector.runs.records import Failure, as_json, write_time

Result = TypeVar("Result")
P = ParamSpec("P")


class StaleRunError(StoreError):
    """Somebody else has claimed the run since; nothing was written."""


_CLAIM = """
UPDATE runs SET status = 'running', wake_at = NULL, epoch = epoch + 1, started_at = coalesce(started_at, :now)
WHERE id IN (
    SELECT id FROM runs
    WHERE status IN ('queued', 'running', 'waiting') -- in these words the index of such runs is used
    AND (status = 'queued' OR (status = 'waiting' AND wake_at <= :now)) AND backfill = :backfill
    AND (:only IS NULL OR id IN (SELECT value FROM json_each(:only)))
    AND (lane IS NULL OR id IN (
        SELECT id FROM (
            SELECT id, lane_limit, row_number() OVER (PARTITION BY flow, lane ORDER BY lane_place, id) AS place
            FROM runs WHERE lane IS NOT NULL AND finished_at IS NULL
        ) AS lanes WHERE place <= lane_limit
    ))
    ORDER BY id LIMIT :limit
)
RETURNING *
"""
_START_STEP = """
INSERT INTO steps (run_id, step, action, status, input, attempts, started_at) VALUES (?, ?, ?, 'started', ?, ?, ?)
ON CONFLICT (run_id, step) DO UPDATE
SET status = 'started', attempts = excluded.attempts, error = NULL, wake_at = NULL
WHERE steps.status IN ('started', 'sending', 'waiting')
"""
_PAUSE_STEP = """
INSERT INTO steps (run_id, step, action, status, input, error, attempts, started_at, wake_at)
VALUES (:run, :step, :action, 'waiting', :input, :error, 0, :now, :wake_at)
ON CONFLICT (run_id, step) DO UPDATE SET status = 'waiting', error = :error, wake_at = :wake_at
WHERE steps.status IN ('started', 'sending', 'waiting')
"""
_FINISH_STEP = """
INSERT INTO steps (run_id, step, action, status, output, reason, error, attempts, started_at, finished_at)
VALUES (:run, :step, :action, :status, :output, :reason, :error, 0, :now, :now)
ON CONFLICT (run_id, step) DO UPDATE
SET status = :status, output = :output, reason = :reason, error = :error, finished_at = :now, wake_at = NULL
WHERE steps.status IN ('started', 'sending', 'waiting')
"""


class Store:
    """Each method is one transaction: when it returns, it is committed and synced. Raises StoreError."""

    def __init__(self, address: Address, hold: Any = None, failpoint: Failpoint | None = None) -> None:
        """Open the database and bring it up to date; `hold` is what `engines.exclusive` gave."""
        self._database = engines.open_database(address, upgrade, hold, failpoint)

    def close(self) -> None:
        self._database.close()

    def read(self, query: Callable[[Journal], Result]) -> Result:
        return self._database.read(lambda connection: query(Journal(connection)))

    def query(self, work: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Do `work`, which only reads, on one state of the database."""
        return self._database.read(lambda connection: work(connection, *args, **kwargs))

    async def write(
        self, work: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Do `work`, a function of `events`, `lists` or `arrivals`, in one transaction."""
        return await self._database.write(lambda connection: work(connection, *args, **kwargs))

    @property
    def shrinks(self) -> bool:
        """Whether the space of removed rows can be given back."""
        return self._database.shrinks

    async def give_back(self) -> bool:
        """Give back a part of the space that removed rows had; whether there is more of it."""
        return await self._database.give_back()

    async def ping(self) -> None:
        """Raise StoreError unless the database can be locked for writing."""
        await self._database.write(lambda connection: connection.execute("UPDATE runs SET epoch = epoch WHERE id = ''"))

    async def claim(
        self, now: datetime, limit: int, only: Collection[str] | None = None, backfills: int | None = None
    ) -> list[records.Run]:
        """Take up to `limit` runs that are queued or whose wait is over, oldest first; of `only` where given.

        Those of backfills come after all others, and are at most `backfills` of them.
        """

        def work(connection: Connection) -> list[records.Run]:
            given = {"now": write_time(now), "only": None if only is None else json.dumps(sorted(only))}
            rows = connection.execute(_CLAIM, {**given, "backfill": 0, "limit": limit}).fetchall()
            left = limit - len(rows)
            most = left if backfills is None else max(0, min(left, backfills))
            rows += connection.execute(_CLAIM, {**given, "backfill": 1, "limit": most}).fetchall()
            runs = [run for row in rows if (run := _run_or_hold(connection, row))]
            return sorted(runs, key=lambda run: (run.backfill, run.id))

        return await self._database.write(work)

    async def requeue(self, run_ids: Sequence[str] | None = None) -> int:
        """Give running runs back: those named, or all when the process that ran them has ended."""

        def work(connection: Connection) -> int:
            update = (
                "UPDATE runs SET status = 'queued' WHERE status = 'running' "
                "AND status IN ('queued', 'running', 'waiting')"  # in these words the index of such runs is used
            )
            if run_ids is None:
                return connection.execute(update).rowcount
            return sum(connection.execute(f"{update} AND id = ?", (run_id,)).rowcount for run_id in run_ids)

        return await self._database.write(work)

    async def start_attempt(
        self, run: records.Run, step: str, action: str, input: dict[str, Any], number: int, now: datetime
    ) -> None:
        """`started`: the input is fixed; nothing has been sent."""

        def work(connection: Connection) -> None:
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

        def work(connection: Connection) -> None:
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
        output: Any = None,
        reason: str | None = None,
        error: Failure | None = None,
    ) -> None:
        """The step's result: succeeded, failed, skipped or held."""

        def work(connection: Connection) -> None:
            _guard(connection, run)
            _finish_step(connection, run, step, action, status, now, output=output, reason=reason, error=error)

        await self._database.write(work)

    async def begin_step(self, run: records.Run, step: str, action: str, given: Any, now: datetime) -> None:
        """The step has begun with this input, and does nothing by itself: what stands inside it does."""

        def work(connection: Connection) -> None:
            _guard(connection, run)
            connection.execute(_START_STEP, (run.id, step, action, json.dumps(given), 0, write_time(now)))

        await self._database.write(work)

    async def pause_step(
        self,
        run: records.Run,
        step: str,
        action: str,
        given: Any,
        wake_at: datetime,
        now: datetime,
        *,
        error: Failure | None = None,
        place: Awaited | None = None,
    ) -> None:
        """The step goes on at a time: after a failed attempt, or as it waits; for an event where `place` is given."""

        def work(connection: Connection) -> None:
            _guard(connection, run)
            _finish_attempt(connection, run.id, step, now, error.message if error else None)
            values = {
                "run": run.id,
                "step": step,
                "action": action,
                "input": as_json(given),
                "error": as_json(error.as_json() if error else None),
                "now": write_time(now),
                "wake_at": write_time(wake_at),
            }
            connection.execute(_PAUSE_STEP, values)
            if place is not None:
                awaited.begin(connection, place, run.started_at or run.created_at)

        await self._database.write(work)

    async def take_event(
        self, run: records.Run, step: str, action: str, event_id: str, output: Any, now: datetime
    ) -> bool:
        """End the wait of the step with the event; False where the event serves another one."""

        def work(connection: Connection) -> bool:
            _guard(connection, run)
            if not awaited.take(connection, event_id, run.id, step):
                return False
            _finish_step(connection, run, step, action, "succeeded", now, output=output)
            return True

        return await self._database.write(work)

    async def look_past(self, run: records.Run, step: str, event_ids: Sequence[str]) -> None:
        """The events are none for the step."""

        def work(connection: Connection) -> None:
            _guard(connection, run)
            awaited.look_past(connection, event_ids, run.id, step)

        await self._database.write(work)

    async def leave_run(self, run: records.Run, worked: float) -> None:
        """The process ends while it works on the run; the next one goes on."""

        def work(connection: Connection) -> None:
            _guard(connection, run)
            _one(connection, "UPDATE runs SET worked = ? WHERE id = ?", (worked, run.id))

        await self._database.write(work)

    async def pause_run(self, run: records.Run, wake_at: datetime, worked: float, now: datetime) -> None:
        """The run holds no task until then; it goes on at once where what it waits for has come meanwhile."""

        def work(connection: Connection) -> None:
            _guard(connection, run)
            at = now if awaited.is_called(connection, run.id) else wake_at
            update = "UPDATE runs SET status = 'waiting', wake_at = ?, worked = ? WHERE id = ?"
            _one(connection, update, (write_time(at), worked, run.id))

        await self._database.write(work)

    async def finish_run(
        self,
        run: records.Run,
        status: records.RunStatus,
        now: datetime,
        outputs: Any = None,
        error: Failure | None = None,
        reason: str | None = None,
    ) -> None:
        """succeeded, failed or held; `reason` is that of a `stop`."""

        def work(connection: Connection) -> None:
            _guard(connection, run)
            finished = None if status == "held" else write_time(now)
            failure = as_json(error.as_json() if error else None)
            values = (status, finished, as_json(outputs), failure, as_json(reason), run.id)
            update = "UPDATE runs SET status = ?, finished_at = ?, outputs = ?, error = ?, reason = ? WHERE id = ?"
            _one(connection, update, values)
            if finished:
                awaited.end(connection, run.id)

        await self._database.write(work)


def _run_or_hold(connection: Connection, row: Row) -> records.Run | None:
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


def _guard(connection: Connection, run: records.Run) -> None:
    row = connection.execute("SELECT epoch, status FROM runs WHERE id = ?", (run.id,)).fetchone()
    if row is None or row["epoch"] != run.epoch or row["status"] != "running":
        raise StaleRunError(f"the run {run.id} was taken over, so this process writes nothing more of it")


def _finish_step(
    connection: Connection,
    run: records.Run,
    step: str,
    action: str,
    status: records.StepStatus,
    now: datetime,
    *,
    output: Any = None,
    reason: str | None = None,
    error: Failure | None = None,
) -> None:
    _finish_attempt(connection, run.id, step, now, error.message if error else None)
    values = {
        "run": run.id,
        "step": step,
        "action": action,
        "status": status,
        "output": as_json(output),
        "reason": as_json(reason),
        "error": as_json(error.as_json() if error else None),
        "now": write_time(now),
    }
    connection.execute(_FINISH_STEP, values)
    awaited.end(connection, run.id, step)


def _finish_attempt(
    connection: Connection, run_id: str, step: str, now: datetime, error: str | None, before: int | None = None
) -> None:
    """Close the open attempts of a step, or those with a number lower than `before`."""
    connection.execute(
        "UPDATE attempts SET finished_at = ?, error = ? WHERE run_id = ? AND step = ? AND finished_at IS NULL "
        "AND (? IS NULL OR number < ?)",
        (write_time(now), as_json(error), run_id, step, before, before),
    )


def _one(connection: Connection, statement: str, values: tuple[Any, ...]) -> None:
    if connection.execute(statement, values).rowcount != 1:
        raise StoreError(f"the journal lacks a row that this should change: {statement}")
