"""Events that steps of runs wait for. Each function works in its caller's transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector.database import Connection
from connector.runs import records
from connector.runs.journal import event_of
from connector.runs.records import first_id, write_time


@dataclass(frozen=True, slots=True)
class Awaited:
    """A step that waits for an event of a connection."""

    run_id: str
    step: str
    connector: str
    connection: str


def begin(connection: Connection, place: Awaited, since: datetime) -> None:
    """Let a step wait, and offer it what was stored since the run started, but not what started it."""
    key, account = (place.run_id, place.step), (place.connector, place.connection)
    connection.execute("INSERT INTO awaited VALUES (?, ?, ?, ?)", (*key, *account))
    connection.execute(
        "INSERT INTO offered SELECT ?, ?, id FROM events WHERE id >= ? AND received_at >= ? "
        "AND connector || '' = ? AND connection || '' = ? AND same_as IS NULL AND text <> 'null' "  # not by that index
        "AND id <> (SELECT event_id FROM runs WHERE id = ?)",
        (*key, first_id("evt", since), write_time(since), *account, place.run_id),
    )


def offer(connection: Connection, event_id: str, connector: str, account: str, now: datetime) -> None:
    """A new event: the runs with steps that wait for one of this connection go on and look at it."""
    offered = connection.execute(
        "INSERT INTO offered SELECT run_id, step, ? FROM awaited JOIN runs ON runs.id = run_id "
        "JOIN steps USING (run_id, step) "
        "WHERE connector = ? AND connection = ? AND runs.status <> 'held' AND steps.status = 'waiting'",
        (event_id, connector, account),
    )
    if offered.rowcount:
        connection.execute(
            "UPDATE runs SET wake_at = ? WHERE status = 'waiting' "
            "AND id IN (SELECT run_id FROM offered WHERE event_id = ?)",
            (write_time(now), event_id),
        )


def withdraw(connection: Connection, event_id: str, same_as: str) -> None:
    """It turns out that the event tells of the same as an earlier one, which was offered."""
    connection.execute("UPDATE events SET same_as = ? WHERE id = ?", (same_as, event_id))
    connection.execute("DELETE FROM offered WHERE event_id = ?", (event_id,))


def candidates(connection: Connection, run_id: str, step: str) -> list[records.Event]:
    """What a step has not looked at yet, oldest first; what it has taken alone."""
    key = (run_id, step)
    taken = "SELECT e.* FROM taken t JOIN events e ON e.id = t.event_id WHERE t.run_id = ? AND t.step = ?"
    offered = (
        "SELECT e.* FROM offered o JOIN events e ON e.id = o.event_id WHERE o.run_id = ? AND o.step = ? "
        "ORDER BY e.received_at, e.id"
    )
    rows = connection.execute(taken, key).fetchall() or connection.execute(offered, key).fetchall()
    return [event_of(row) for row in rows]


def take(connection: Connection, event_id: str, run_id: str, step: str) -> bool:
    """Whether the event serves this step, and no other from now on."""
    connection.execute("INSERT INTO taken VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (event_id, run_id, step))
    row = connection.execute("SELECT run_id, step FROM taken WHERE event_id = ?", (event_id,)).fetchone()
    return row is not None and (row["run_id"], row["step"]) == (run_id, step)


def look_past(connection: Connection, event_ids: Iterable[str], run_id: str, step: str) -> None:
    """The events are none for this step."""
    connection.executemany(
        "DELETE FROM offered WHERE run_id = ? AND step = ? AND event_id = ?",
        [(run_id, step, event_id) for event_id in event_ids],
    )


def end(connection: Connection, run_id: str, step: str | None = None) -> None:
    """The step waits no more; without one, no step of the run."""
    key = {"run": run_id, "step": step}
    connection.execute("DELETE FROM offered WHERE run_id = :run AND step = coalesce(:step, step)", key)
    connection.execute("DELETE FROM awaited WHERE run_id = :run AND step = coalesce(:step, step)", key)


def is_called(connection: Connection, run_id: str) -> bool:
    """Whether there is something to look at for a step that waits: an event, or a person's answer."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM steps s WHERE s.run_id = :run AND s.status = 'waiting' AND ("
        "EXISTS (SELECT 1 FROM offered o WHERE o.run_id = s.run_id AND o.step = s.step) "
        "OR EXISTS (SELECT 1 FROM answers a WHERE a.run_id = s.run_id AND a.step = s.step))) AS called",
        {"run": run_id},
    ).fetchone()
    return bool(row["called"])
