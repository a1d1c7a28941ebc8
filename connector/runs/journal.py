"""What the journal says: the queries of whoever looks, in this process or beside it."""

import json
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, TypeVar

from connector.database import Connection, Row
from connector.errors import StoreError
from connector.runs import records
from connector.runs.records import Failure, read_time, write_time

Record = TypeVar("Record")


class DamagedRowError(StoreError):
    """A row that this package did not write like that."""


class Journal:
    """Queries. They never wait for the writer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def runs(self, limit: int, *, flow: str | None = None, status: str | None = None) -> list[records.Run]:
        """Newest first."""
        wanted = {name: value for name, value in (("flow", flow), ("status", status)) if value is not None}
        conditions = [f"{name} = :{name}" for name in wanted]
        if status not in (None, "succeeded"):
            conditions.append("status <> 'succeeded'")  # in these words the index of such runs is used
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        rows = self._connection.execute(
            f"SELECT * FROM runs {where}ORDER BY id DESC LIMIT :limit", {**wanted, "limit": limit}
        )
        return [run_of(row) for row in rows]

    def run(self, run_id: str) -> records.Run | None:
        row = self._connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
        return run_of(row) if row else None

    def steps(self, run_id: str) -> dict[str, records.Step]:
        """By id, in the order in which they began."""
        rows = self._connection.execute("SELECT * FROM steps WHERE run_id = ? ORDER BY started_at", (run_id,))
        return {row["step"]: step_of(row) for row in rows}

    def attempts(self, run_id: str) -> list[records.Attempt]:
        """Those that were followed by others have a row each; the last one of a step is in the row of the step."""
        rows = self._connection.execute("SELECT * FROM attempts WHERE run_id = ?", (run_id,)).fetchall()
        found = {(row["step"], row["number"]): attempt_of(row) for row in rows}
        rows = self._connection.execute("SELECT * FROM steps WHERE run_id = ? AND attempts > 0", (run_id,)).fetchall()
        last = {(row["step"], row["attempts"]): last_attempt_of(row) for row in rows}
        return sorted({**last, **found}.values(), key=lambda one: (one.started_at, one.number))

    def events(self, limit: int, *, held: bool = False) -> list[records.Event]:
        """Newest first; those that wait for a person where `held`."""
        where = "WHERE status = 'held' " if held else ""  # in these words the index of such events is used
        rows = self._connection.execute(f"SELECT * FROM events {where}ORDER BY id DESC LIMIT ?", (limit,))
        return [event_of(row) for row in rows]

    def event(self, event_id: str) -> records.Event | None:
        row = self._connection.execute("SELECT * FROM events WHERE id = ?", (event_id,)).fetchone()
        return event_of(row) if row else None

    def starts(self, event_id: str) -> list[records.Start]:
        rows = self._connection.execute("SELECT * FROM starts WHERE event_id = ? ORDER BY flow", (event_id,))
        return [
            records.Start(row["flow"], row["run_id"], _value(row["reason"]), held=bool(row["held"])) for row in rows
        ]

    def waiting(self, event_id: str) -> dict[str, datetime]:
        """The flows that wait for the entry that a webhook tells of, and when they start without it."""
        rows = self._connection.execute(
            "SELECT flow, due_at FROM waiting_starts WHERE event_id = ? ORDER BY flow", (event_id,)
        )
        return {row["flow"]: read_time(row["due_at"]) for row in rows}

    def next_wake(self, only: Collection[str] | None = None, after: datetime | None = None) -> datetime | None:
        """When the next waiting run goes on, of `only` and `after` a time where given."""
        query = (
            "SELECT min(wake_at) AS at FROM runs WHERE status = 'waiting' AND wake_at > :after "
            "AND status IN ('queued', 'running', 'waiting') "  # in these words the index of such runs is used
            "AND (:only IS NULL OR id IN (SELECT value FROM json_each(:only)))"
        )
        names = None if only is None else json.dumps(sorted(only))
        row = self._connection.execute(query, {"only": names, "after": write_time(after) if after else ""}).fetchone()
        return _time(row["at"])


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _time(text: str | None) -> datetime | None:
    return None if text is None else read_time(text)


def _failure(text: str | None) -> Failure | None:
    return None if text is None else Failure(**json.loads(text))


def undamaged(read: Callable[[Row], Record]) -> Callable[[Row], Record]:
    """`read`, which raises DamagedRowError where the row cannot be read."""

    def read_row(row: Row) -> Record:
        try:
            return read(row)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            place = ", ".join(f"{key} {row[key]!r}" for key in ("id", "run_id", "step") if key in row.keys())  # noqa: SIM118 - a Row is no mapping
            raise DamagedRowError(f"the row with {place} is damaged; restore the database from a backup") from error

    return read_row


@undamaged
def event_of(row: Row) -> records.Event:
    return records.Event(
        id=row["id"],
        connector=row["connector"],
        connection=row["connection"],
        name=_value(row["name"]),
        occurred_at=_time(row["occurred_at"]),
        received_at=read_time(row["received_at"]),
        status=row["status"],
        text=_value(row["text"]),
        identity=row["identity"],
        source=row["source"],
        headers=_value(row["headers"]),
        exact=bool(row["exact"]),
    )


@undamaged
def run_of(row: Row) -> records.Run:
    return records.Run(
        id=row["id"],
        flow=row["flow"],
        revision=row["revision"],
        event_id=row["event_id"],
        trigger=_value(row["trigger"]),
        status=row["status"],
        epoch=row["epoch"],
        created_at=read_time(row["created_at"]),
        started_at=_time(row["started_at"]),
        finished_at=_time(row["finished_at"]),
        wake_at=_time(row["wake_at"]),
        outputs=_value(row["outputs"]),
        error=_failure(row["error"]),
        without_once=bool(row["without_once"]),
        backfill=bool(row["backfill"]),
        worked=row["worked"],
        reason=_value(row["reason"]),
        lane=_value(row["lane"]),
        cancelling=_value(row["cancelling"]),
        trace=row["trace"],
    )


@undamaged
def step_of(row: Row) -> records.Step:
    return records.Step(
        id=row["step"],
        action=row["action"],
        status=row["status"],
        input=_value(row["input"]),
        output=_value(row["output"]),
        reason=_value(row["reason"]),
        error=_failure(row["error"]),
        attempts=row["attempts"],
        started_at=read_time(row["started_at"]),
        finished_at=_time(row["finished_at"]),
        wake_at=_time(row["wake_at"]),
        kept=_value(row["kept"]) or {},
        requests=_value(row["requests"]) or (),
    )


@undamaged
def attempt_of(row: Row) -> records.Attempt:
    return records.Attempt(
        step=row["step"],
        number=row["number"],
        started_at=read_time(row["started_at"]),
        sent_at=_time(row["sent_at"]),
        finished_at=_time(row["finished_at"]),
        error=_value(row["error"]),
        requests=_value(row["requests"]) or (),
    )


@undamaged
def last_attempt_of(row: Row) -> records.Attempt:
    error = _failure(row["error"])
    return records.Attempt(
        step=row["step"],
        number=row["attempts"],
        started_at=read_time(row["attempt_at"]),
        sent_at=_time(row["sent_at"]),
        finished_at=_time(row["finished_at"]),
        error=error.message if error else None,
        requests=_value(row["requests"]) or (),
    )
