"""Which rows go when, so that the database does not grow for ever and yet no lead starts a flow a second time.

1. A finished run goes after the time set for its status, with its steps and what else has its id. A run that is held
   or goes on stays.
2. `starts` goes on naming the run: whatever tells of the same again finds there that the flow was started.
3. An event loses its text when none of its runs is left, no flow holds it, no run has taken it or is to look at it,
   and it is older than EVENT_AGE: a webhook comes up to 7 days late, may wait 7 more for a server, and is compared with
   what polls told of its time.
4. It goes whole where it cannot start anything again: made by the clock or by hand; a webhook with a time, since it is
   too old by then, unless it started a flow and may be recognised in a list later; what a poll told that started none.
5. What remains of the others, the row that names them and its `starts`, stays for good, some hundred bytes each.
6. An arrival goes with its event. Facts stay while its entry is not known: by them a lead that is listed late is it.
7. A key of `dedupe` goes when its time is over, by the flow that is served; those of other flows stay.
8. A revision goes when no run, and no revision that stays, uses it.
9. `taken` goes with its event, not with its run: an event ends one wait only.

Each function works in its caller's transaction, on a few rows.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from connector.database import Connection, Row
from connector.runs.events import BY_HAND
from connector.runs.intake import TOO_OLD
from connector.runs.records import RunStatus, first_id, write_time
from connector.runs.upkeep.tables import all_tables
from connector.sqlite import is_connection

EVENT_AGE = 2 * TOO_OLD + timedelta(days=1)

_STAY = {"starts", "dedupe", "taken"}
_EMPTY = "UPDATE events SET text = 'null', headers = NULL WHERE id IN (SELECT value FROM json_each(?))"
_EVENTS = """
SELECT id, identity, source, occurred_at, EXISTS (SELECT 1 FROM arrivals WHERE event_id = events.id) AS arrived,
    EXISTS (SELECT 1 FROM starts WHERE event_id = events.id AND run_id IS NOT NULL) AS started,
    EXISTS (SELECT 1 FROM runs WHERE event_id = events.id)
    OR EXISTS (SELECT 1 FROM starts WHERE event_id = events.id AND held = 1)
    OR EXISTS (SELECT 1 FROM waiting_starts WHERE event_id = events.id)
    OR EXISTS (SELECT 1 FROM offered WHERE event_id = events.id)
    OR EXISTS (SELECT 1 FROM taken JOIN runs ON runs.id = run_id WHERE taken.event_id = events.id) AS needed
FROM events WHERE id > ? AND id < ? AND text <> 'null' ORDER BY id LIMIT ?
"""


def remove_runs(connection: Connection, status: RunStatus, before: datetime, limit: int) -> int:
    """Remove runs that ended before that time, the first ones first. Returns how many."""
    rows = connection.execute(
        "SELECT id FROM runs WHERE status = ? AND finished_at IS NOT NULL AND finished_at < ? "
        "ORDER BY finished_at LIMIT ?",
        (status, write_time(before), limit),
    ).fetchall()
    delete_runs(connection, [row["id"] for row in rows])
    return len(rows)


def delete_runs(connection: Connection, run_ids: Sequence[str]) -> None:
    """Remove runs with all that has their ids, but for what says that they were started."""
    ids = json.dumps(list(run_ids))
    for table in reversed(all_tables()):  # what refers to others goes first
        if "run_id" in table.columns and table.name not in _STAY:
            _delete(connection, table.name, "run_id", ids)
    _delete(connection, "runs", "id", ids)


@dataclass(frozen=True, slots=True)
class Passed:
    """A part of the events that was looked at. `last` is the id of the last one, None at their end."""

    last: str | None
    removed: int


def pass_events(connection: Connection, after: str, now: datetime, age: timedelta, limit: int) -> Passed:
    """Remove events that are older than `age`, or their texts, as far as nothing needs them."""
    before = now - max(age, EVENT_AGE)
    rows = connection.execute(_EVENTS, (after, first_id("evt", before), limit)).fetchall()
    free = [row for row in rows if not row["needed"]]
    _remove_events(connection, [row["id"] for row in free if _is_over(row, now)])
    empty_events(connection, [row["id"] for row in free if not _is_over(row, now)])
    return Passed(rows[-1]["id"] if len(rows) == limit else None, len(free))


def _is_over(row: Row, now: datetime) -> bool:
    """Whether it starts nothing, should the same come again."""
    if row["source"] in ("schedule", "manual") or row["identity"].startswith(BY_HAND):
        return True
    if row["source"] == "poll":
        return not row["started"]
    too_old = row["occurred_at"] is not None and row["occurred_at"] < write_time(now - TOO_OLD)
    return too_old and not (row["started"] and row["arrived"])


def _remove_events(connection: Connection, event_ids: list[str]) -> None:
    ids = json.dumps(event_ids)
    for table in ("taken", "starts", "arrivals"):
        _delete(connection, table, "event_id", ids)
    connection.execute(
        "UPDATE observed SET event_id = NULL WHERE event_id IN (SELECT value FROM json_each(?))",
        (ids,),
    )
    _delete(connection, "events", "id", ids)


def empty_events(connection: Connection, event_ids: Sequence[str]) -> None:
    """Remove the texts of events."""
    ids = (json.dumps(list(event_ids)),)
    connection.execute(_empty_on_sqlite() if is_connection(connection) else _EMPTY, ids)
    connection.execute(
        "UPDATE arrivals SET facts = '{}' WHERE item IS NOT NULL AND event_id IN (SELECT value FROM json_each(?))", ids
    )


@cache
def _empty_on_sqlite() -> str:
    """It would leave a row that becomes short alone on its page; written anew it stands among others."""
    [columns] = [table.columns for table in all_tables() if table.name == "events"]
    emptied = {"text": "'null'", "headers": "NULL"}
    values = [emptied.get(column, column) for column in columns]
    return (
        f"INSERT OR REPLACE INTO events ({', '.join(columns)}) SELECT {', '.join(values)} FROM events "  # noqa: S608 - names of ours
        "WHERE id IN (SELECT value FROM json_each(?))"
    )


def remove_keys(connection: Connection, flow: str, before: datetime, limit: int) -> int:
    """Remove keys of `dedupe` whose last run started before that time. Returns how many."""
    return connection.execute(
        "DELETE FROM dedupe WHERE flow = ? AND key IN "
        "(SELECT key FROM dedupe WHERE flow = ? AND started_at < ? ORDER BY started_at LIMIT ?)",
        (flow, flow, write_time(before), limit),
    ).rowcount


def remove_revisions(connection: Connection) -> int:
    """Remove the texts of flows that no run needs. Returns how many."""
    rows = connection.execute(
        "SELECT id, calls, EXISTS (SELECT 1 FROM runs WHERE revision = revisions.id) AS used FROM revisions"
    ).fetchall()
    calls = {row["id"]: json.loads(row["calls"]).values() for row in rows}
    unused = calls.keys() - _reached((row["id"] for row in rows if row["used"]), calls)
    _delete(connection, "revisions", "id", json.dumps(sorted(unused)))
    return len(unused)


def _reached(first: Iterable[str], calls: dict[str, Iterable[str]]) -> set[str]:
    """The revisions, and those that they call, directly or not."""
    reached: set[str] = set()
    waiting = list(first)
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += calls.get(one, ())
    return reached


def _delete(connection: Connection, table: str, column: str, ids: str) -> None:
    connection.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (ids,))  # noqa: S608 - names of ours
