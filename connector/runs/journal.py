"""What the journal says: the queries of whoever looks, in this process or beside it."""

import json
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, TypeVar, get_args

from connector.database import Connection, Row
from connector.errors import StoreError
from connector.runs import records
from connector.runs.records import Damaged, EventStatus, Failure, RunStatus, StepStatus, read_time, write_time

Record = TypeVar("Record")
_RUN, _STEP, _EVENT = (frozenset(get_args(one)) for one in (RunStatus, StepStatus, EventStatus))


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
        return [start_of(row) for row in rows]

    def waiting(self, event_id: str) -> dict[str, datetime]:
        """The flows that wait for the entry that a webhook tells of, and when they start without it."""
        rows = self._connection.execute("SELECT * FROM waiting_starts WHERE event_id = ? ORDER BY flow", (event_id,))
        return {row["flow"]: _due_of(row) for row in rows}

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
    if text is None:
        return None
    failure = Failure(**json.loads(text))
    for value in (failure.step, failure.action, failure.message, failure.kind):
        _fits(value, str)
    _fits(failure.attempts, int)
    return failure


def _fits(value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds):
        raise TypeError(type(value).__name__)
    return value


def _text(value: Any) -> str:
    """Also where SQLite has kept something else in a column of texts."""
    return str(_fits(value, str))


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _object(text: str | None) -> Any:
    """An object or null."""
    return _fits(_value(text), dict, type(None))


def _objects(text: str | None) -> list[dict[str, Any]]:
    return [_fits(one, dict) for one in _fits(_value(text) or [], list)]


def _texts(text: str | None) -> dict[str, str] | None:
    """An object of texts, or null."""
    found = _object(text)
    return found and {name: _text(value) for name, value in found.items()}


def _one_of(value: Any, known: frozenset[Any]) -> Any:
    if value not in known:
        raise ValueError(value)
    return value


def undamaged(*key: str) -> Callable[[Callable[[Row], Record]], Callable[[Row], Record]]:
    """Lets a function raise DamagedRowError where the row, of which the columns `key` are named, cannot be read."""

    def decorate(read: Callable[[Row], Record]) -> Callable[[Row], Record]:
        def read_row(row: Row) -> Record:
            try:
                return read(row)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                place = ", ".join(f"{name} {row[name]!r}" for name in key)
                raise DamagedRowError(f"the row with {place} is damaged; restore the database from a backup") from error

        return read_row

    return decorate


def readable(read: Callable[[Row], Record], row: Row) -> Record | Damaged:
    """What `read` makes of a row with an `id`, or that it is damaged."""
    try:
        return read(row)
    except DamagedRowError as error:
        return Damaged(str(row["id"]), str(error))


@undamaged("id")
def event_of(row: Row) -> records.Event:
    return records.Event(
        id=row["id"],
        connector=_text(row["connector"]),
        connection=_text(row["connection"]),
        name=_text(_value(row["name"])),
        occurred_at=_time(row["occurred_at"]),
        received_at=read_time(row["received_at"]),
        status=_one_of(row["status"], _EVENT),
        text=_text_or_none(_value(row["text"])),
        identity=row["identity"],
        source=_text(row["source"]),  # type: ignore[arg-type] # a later version may know more of them
        headers=_texts(row["headers"]),
        exact=bool(row["exact"]),
    )


@undamaged("event_id", "flow")
def start_of(row: Row) -> records.Start:
    reason = _text_or_none(_value(row["reason"]))
    return records.Start(_text(row["flow"]), _text_or_none(row["run_id"]), reason, held=bool(row["held"]))


@undamaged("event_id", "flow")
def _due_of(row: Row) -> datetime:
    return read_time(row["due_at"])


@undamaged("id")
def run_of(row: Row) -> records.Run:
    return records.Run(
        id=row["id"],
        flow=_text(row["flow"]),
        revision=_text(row["revision"]),
        event_id=_text(row["event_id"]),
        trigger=_object(row["trigger"]),
        status=_one_of(row["status"], _RUN),
        epoch=_fits(row["epoch"], int),
        created_at=read_time(row["created_at"]),
        started_at=_time(row["started_at"]),
        finished_at=_time(row["finished_at"]),
        wake_at=_time(row["wake_at"]),
        outputs=_value(row["outputs"]),
        error=_failure(row["error"]),
        without_once=bool(row["without_once"]),
        backfill=bool(row["backfill"]),
        worked=_fits(row["worked"], int, float),
        reason=_text_or_none(_value(row["reason"])),
        lane=_value(row["lane"]),
        cancelling=_text_or_none(_value(row["cancelling"])),
        trace=_text_or_none(row["trace"]),
    )


@undamaged("run_id", "step")
def step_of(row: Row) -> records.Step:
    return records.Step(
        id=row["step"],
        action=_text(row["action"]),
        status=_one_of(row["status"], _STEP),
        input=_object(row["input"]),
        output=_value(row["output"]),
        reason=_text_or_none(_value(row["reason"])),
        error=_failure(row["error"]),
        attempts=_fits(row["attempts"], int),
        started_at=read_time(row["started_at"]),
        finished_at=_time(row["finished_at"]),
        wake_at=_time(row["wake_at"]),
        kept=_object(row["kept"]) or {},
        requests=_objects(row["requests"]) or (),
    )


@undamaged("run_id", "step")
def attempt_of(row: Row) -> records.Attempt:
    return records.Attempt(
        step=row["step"],
        number=row["number"],
        started_at=read_time(row["started_at"]),
        sent_at=_time(row["sent_at"]),
        finished_at=_time(row["finished_at"]),
        error=_text_or_none(_value(row["error"])),
        requests=_objects(row["requests"]) or (),
    )


@undamaged("run_id", "step")
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
