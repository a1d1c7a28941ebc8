"""Which runs a process works on. Each function works in its caller's transaction."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from connector.database import Connection, Row
from connector.runs import pins, records
from connector.runs.decisions.interventions import Past, look_back
from connector.runs.journal import DamagedRowError, Journal, run_of, step_of
from connector.runs.pins import Pins
from connector.runs.records import Failure, write_time

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


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that this process works on, with the steps that it has begun."""

    run: records.Run
    steps: Mapping[str, records.Step]
    pins: Pins
    past: Past = field(default_factory=Past)
    """What people have decided about it."""


@dataclass(frozen=True, slots=True)
class Taken:
    claims: Sequence[Claim]
    wake_at: datetime | None
    """When the next run goes on that waits."""


def take(
    connection: Connection,
    now: datetime,
    limit: int,
    only: Collection[str] | None = None,
    backfills: int | None = None,
) -> Taken:
    """`claim`, with all that is needed to go on; of `only` where given, and of the runs before them in their lanes."""
    if only is not None:
        only = {*only, *_before(connection, only)}
    runs = claim(connection, now, limit, only, backfills)
    steps = _by_run(connection, "steps", [run.id for run in runs if run.epoch > 1])
    pinned = _by_run(connection, "pins", [run.id for run in runs])
    claims = [one for run in runs if (one := _claim_or_hold(connection, run, steps[run.id], pinned[run.id]))]
    return Taken(claims, _next_wake(connection, only, now))


def claim(
    connection: Connection,
    now: datetime,
    limit: int,
    only: Collection[str] | None = None,
    backfills: int | None = None,
) -> list[records.Run]:
    """Take up to `limit` runs that are queued or whose wait is over, oldest first; of `only` where given.

    Those of backfills come after all others, and are at most `backfills` of them.
    """
    given = {"now": write_time(now), "only": None if only is None else json.dumps(sorted(only))}
    rows = connection.execute(_CLAIM, {**given, "backfill": 0, "limit": limit}).fetchall()
    left = limit - len(rows)
    most = left if backfills is None else max(0, min(left, backfills))
    rows += connection.execute(_CLAIM, {**given, "backfill": 1, "limit": most}).fetchall()
    runs = [run for row in rows if (run := _run_or_hold(connection, row))]
    return sorted(runs, key=lambda run: (run.backfill, run.id))


def requeue(connection: Connection, at_work: Collection[str] = ()) -> None:
    """Give back the running runs that are not at work in this process, which executes the database."""
    connection.execute(
        "UPDATE runs SET status = 'queued' WHERE status = 'running' "
        "AND status IN ('queued', 'running', 'waiting') "  # in these words the index of such runs is used
        "AND id NOT IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(at_work)),),
    )


def _before(connection: Connection, run_ids: Collection[str]) -> list[str]:
    """The runs before these in their lanes."""
    rows = connection.execute(
        "SELECT b.id FROM runs r JOIN runs b ON b.flow = r.flow AND b.lane = r.lane AND b.finished_at IS NULL "
        "AND b.lane_place < r.lane_place WHERE r.id IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(run_ids)),),
    )
    return [row["id"] for row in rows.fetchall()]


def _next_wake(connection: Connection, only: Collection[str] | None, now: datetime) -> datetime | None:
    """None also where a damaged row says when."""
    with suppress(ValueError):
        return Journal(connection).next_wake(only, now)
    return None


def _by_run(connection: Connection, table: Literal["steps", "pins"], run_ids: Sequence[str]) -> Mapping[str, list[Row]]:
    """The rows of each run."""
    found: dict[str, list[Row]] = defaultdict(list)
    if run_ids:
        rows = connection.execute(
            f"SELECT * FROM {table} WHERE run_id IN (SELECT value FROM json_each(?))",  # noqa: S608 - a name of ours
            (json.dumps(run_ids),),
        )
        for row in rows.fetchall():
            found[row["run_id"]].append(row)
    return found


def _claim_or_hold(
    connection: Connection, run: records.Run, steps: Sequence[Row], pinned: Sequence[Row]
) -> Claim | None:
    try:
        begun = {row["step"]: step_of(row) for row in sorted(steps, key=lambda row: row["started_at"])}
        past = look_back(connection, run.id) if run.epoch > 1 else Past()
        return Claim(run, begun, pins.read(pinned), past)
    except DamagedRowError as error:
        _hold(connection, run.id, error)
        return None


def _run_or_hold(connection: Connection, row: Row) -> records.Run | None:
    """The run; None where its row is damaged, which then holds it and keeps no other run waiting."""
    try:
        return run_of(row)
    except DamagedRowError as error:
        connection.execute("UPDATE runs SET trigger = 'null', outputs = NULL WHERE id = ?", (row["id"],))
        _hold(connection, row["id"], error)
        return None


def _hold(connection: Connection, run_id: str, error: DamagedRowError) -> None:
    failure = Failure("", "", str(error), "damaged", 0)
    connection.execute(
        "UPDATE runs SET status = 'held', error = ? WHERE id = ?", (json.dumps(failure.as_json()), run_id)
    )
