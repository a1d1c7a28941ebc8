"""Erases a person from the journal. Each function works in its caller's transaction.

What is needed to recognise a lead that comes again stays: the rows of events without their texts, `starts` with the ids
of runs, the ids of entries of lists, and sealed facts. Runs go as a whole, as they do when they were kept long enough.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.database import Connection
from connector.mentions import Address
from connector.runs import events
from connector.runs.forgetting.traces import Traces, find_traces
from connector.runs.polling.arrivals import is_recent
from connector.runs.polling.matching import read_facts
from connector.runs.polling.sealing import seal
from connector.runs.records import read_time
from connector.runs.upkeep import removal

REASON = "its data was erased"
_SOMEBODY = "somebody whose data was erased"
_OF_RUNS = ("steps", "attempts", "answers", "interventions", "pins")


@dataclass(frozen=True, slots=True)
class Open:
    """What is not finished: runs by their status, and flows that webhooks wait to start."""

    runs: Mapping[str, str] = field(default_factory=dict)
    waiting: Sequence[tuple[str, str]] = ()
    """(event, flow)"""

    def __bool__(self) -> bool:
        return bool(self.runs or self.waiting)


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a person, or was erased."""

    open: Open
    counts: Mapping[str, int]
    """Rows by what they are; none that is zero."""
    done: Mapping[str, int]
    """How often the runs did each action."""
    elsewhere: Mapping[str, int]
    """Rows of other tables that mention the address, and stay."""


def find(connection: Connection, address: Address) -> Found:
    """What `erase` would erase."""
    return _describe(connection, find_traces(connection, address))


def erase(connection: Connection, address: Address, salt: str, now: datetime, *, end_waits: bool) -> Found:
    """Erase the person, unless something is not finished; what webhooks wait for is ended where `end_waits`.

    `salt` is a random text.
    """
    traces = find_traces(connection, address)
    found = _describe(connection, traces)
    if found.open.runs or (found.open.waiting and not end_waits):
        return found
    for event_id, flow in found.open.waiting:
        _end_wait(connection, event_id, flow, now)
    removal.delete_runs(connection, sorted(traces.runs))
    _erase_events(connection, sorted(traces.events), salt)
    _seal_entries(connection, traces, salt, now)
    for key in traces.keys:
        connection.execute("DELETE FROM dedupe WHERE flow = ? AND key = ?", key)
    for table, by in traces.deciders:
        connection.execute(f"UPDATE {table} SET by = ? WHERE by = ?", (json.dumps(_SOMEBODY), by))  # noqa: S608 - names of ours
    return found


def _describe(connection: Connection, traces: Traces) -> Found:
    runs, told = sorted(traces.runs), sorted(traces.events)
    counts = Counter(
        {
            "events": _count(connection, "events", "id", told, "AND text <> 'null'"),
            "runs": len(runs),
            **{table: _count(connection, table, "run_id", runs) for table in _OF_RUNS},
            "dedupe keys": len(traces.keys),
            "facts": _count(connection, "arrivals", "event_id", told, "AND facts NOT LIKE '%\"sealed:%'")
            + sum(_has_facts(connection, key) for key in traces.observed),
            "deciders": len(traces.deciders),
        }
    )
    return Found(_find_open(connection, runs, told), +counts, _find_done(connection, runs), dict(traces.elsewhere))


def _find_open(connection: Connection, runs: Sequence[str], told: Sequence[str]) -> Open:
    unfinished = connection.execute(
        "SELECT id, status FROM runs WHERE finished_at IS NULL AND id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json.dumps(runs),),
    )
    waiting = connection.execute(
        "SELECT event_id, flow FROM waiting_starts WHERE event_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY event_id, flow",
        (json.dumps(told),),
    )
    return Open(
        {row["id"]: row["status"] for row in unfinished.fetchall()},
        [(row["event_id"], row["flow"]) for row in waiting.fetchall()],
    )


def _find_done(connection: Connection, runs: Sequence[str]) -> dict[str, int]:
    rows = connection.execute(
        "SELECT action, count(*) AS times FROM steps WHERE status IN ('sending', 'succeeded', 'failed', 'held') "
        "AND attempts > 0 AND run_id IN (SELECT value FROM json_each(?)) GROUP BY action ORDER BY action",
        (json.dumps(runs),),
    )
    return {row["action"]: row["times"] for row in rows.fetchall()}


def _end_wait(connection: Connection, event_id: str, flow: str, now: datetime) -> None:
    """As if the flow had been started and its run cancelled: the entry, when it is listed, finds that it was."""
    connection.execute("DELETE FROM waiting_starts WHERE event_id = ? AND flow = ?", (event_id, flow))
    connection.execute(
        "INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES (?, ?, ?, NULL, 0) "
        "ON CONFLICT (event_id, flow) DO NOTHING",
        (event_id, flow, events.new_id("run", now)),
    )


def _erase_events(connection: Connection, told: Sequence[str], salt: str) -> None:
    listed = json.dumps(told)
    rows = connection.execute(
        "SELECT event_id, facts FROM arrivals WHERE event_id IN (SELECT value FROM json_each(?))", (listed,)
    ).fetchall()
    removal.empty_events(connection, told)
    for row in rows:
        values = (json.dumps(seal(read_facts(row["facts"]) or {}, salt)), row["event_id"])
        connection.execute("UPDATE arrivals SET facts = ? WHERE event_id = ?", values)
    connection.execute("DELETE FROM offered WHERE event_id IN (SELECT value FROM json_each(?))", (listed,))
    connection.execute(
        "UPDATE starts SET reason = ?, held = 0 WHERE reason IS NOT NULL "
        "AND event_id IN (SELECT value FROM json_each(?))",
        (json.dumps(REASON), listed),
    )
    connection.execute("UPDATE events SET status = 'accepted' WHERE id IN (SELECT value FROM json_each(?))", (listed,))


def _seal_entries(connection: Connection, traces: Traces, salt: str, now: datetime) -> None:
    """Of entries that a webhook may still be recognised as; of others the facts go."""
    for key in traces.observed:
        row = _read_entry(connection, key)
        if row is not None and row["facts"] is not None:
            recent = is_recent(read_time(row["at"]), now)
            facts = json.dumps(seal(read_facts(row["facts"]) or {}, salt)) if recent else None
            connection.execute("UPDATE observed SET facts = ? WHERE poll_id = ? AND item = ?", (facts, *key))


def _has_facts(connection: Connection, key: tuple[int, str]) -> bool:
    row = _read_entry(connection, key)
    return row is not None and row["facts"] is not None and '"sealed:' not in row["facts"]


def _read_entry(connection: Connection, key: tuple[int, str]) -> Any:
    return connection.execute("SELECT at, facts FROM observed WHERE poll_id = ? AND item = ?", key).fetchone()


def _count(connection: Connection, table: str, column: str, ids: Sequence[str], more: str = "") -> int:
    query = f"SELECT count(*) AS number FROM {table} WHERE {column} IN (SELECT value FROM json_each(?)) {more}"  # noqa: S608 - names of ours
    number: int = connection.execute(query, (json.dumps(ids),)).fetchone()["number"]
    return number
