"""Finds all that the journal keeps of a person, by an e-mail address. Each function reads in its caller's transaction.

1. A run is the person's where a text of it, of a step, of an attempt, of an answer or of a decision mentions the
   address, and an event where its text or what flows said of it does. Who decided is no reason: `by` is somebody else.
   Where the flow itself names the address, as that of a receiver, only what started the run counts.
2. With a run goes its event, and what tells that it failed; with an event its runs, what tells of the same, and the
   entry of the list that it told of: there the name stands without the address. An event of the clock is nobody's.
3. What a run of the person has waited for goes with it.
4. Keys of `dedupe` are the person's that mention the address, or that such a run has left.
5. Whatever else mentions the address is told and stays: the text of a flow, the state of a plugin's poll.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from connector.database import Connection, Row
from connector.mentions import Address
from connector.runs import alerts
from connector.runs.upkeep.tables import Table, all_tables

_BY = "by"
_OF_EVENTS = {"events": "id", "starts": "event_id", "arrivals": "event_id"}
_NEAR_RUNS = """
SELECT event_id AS id FROM runs JOIN events ON events.id = event_id
    WHERE source <> 'schedule' AND runs.id IN (SELECT value FROM json_each(:runs))
"""
_NEAR_EVENTS = """
SELECT id FROM events WHERE same_as IN (SELECT value FROM json_each(:events))
UNION SELECT same_as FROM events WHERE same_as IS NOT NULL AND id IN (SELECT value FROM json_each(:events))
UNION SELECT o.event_id FROM arrivals a JOIN polls p ON p.connector = a.connector AND p.connection = a.connection
    AND p.list = a.list AND p.partition = a.partition JOIN observed o ON o.poll_id = p.id AND o.item = a.item
    WHERE o.event_id IS NOT NULL AND a.event_id IN (SELECT value FROM json_each(:events))
UNION SELECT a.event_id FROM observed o JOIN polls p ON p.id = o.poll_id JOIN arrivals a ON p.connector = a.connector
    AND p.connection = a.connection AND p.list = a.list AND p.partition = a.partition AND o.item = a.item
    WHERE o.event_id IN (SELECT value FROM json_each(:events))
"""
_RUNS_OF_EVENTS = """
SELECT runs.id FROM runs JOIN events ON events.id = event_id
    WHERE source <> 'schedule' AND event_id IN (SELECT value FROM json_each(:events))
UNION SELECT runs.id FROM taken JOIN runs ON runs.id = run_id
    WHERE taken.event_id IN (SELECT value FROM json_each(:events))
"""
_TAKEN = "SELECT event_id AS id FROM taken WHERE run_id IN (SELECT value FROM json_each(:runs))"


@dataclass(slots=True)
class Traces:
    """What is the person's. All are ids."""

    events: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    speaking: set[str] = field(default_factory=set)
    """Runs that mention the address, though perhaps for their flow's sake."""
    observed: set[tuple[int, str]] = field(default_factory=set)
    """(poll, entry)"""
    keys: set[tuple[str, str]] = field(default_factory=set)
    """(flow, key of `dedupe`)"""
    deciders: set[tuple[str, str]] = field(default_factory=set)
    """(table, `by`) where the person decided about somebody else's run."""
    elsewhere: Counter[str] = field(default_factory=Counter)
    """Rows that stay, by table."""


def find_traces(connection: Connection, address: Address) -> Traces:
    """What there is of the person. Reads the whole database."""
    traces = Traces()
    for table in all_tables():
        for row, columns in _find_mentions(connection, table, address):
            _sort(traces, table.name, row, columns)
    traces.runs |= _of_other_flows(connection, traces.speaking, address)
    _spread(connection, traces)
    traces.events |= _ask(connection, _TAKEN, traces)
    traces.keys |= _keys_of_runs(connection, traces)
    return traces


def _find_mentions(connection: Connection, table: Table, address: Address) -> Iterator[tuple[Row, set[str]]]:
    """Rows and the columns that mention the address."""
    wanted = [column for column in table.texts if column != "identity"]  # by which an event is known again
    if not wanted:
        return
    columns = ", ".join(dict.fromkeys((*table.key, *table.texts)))
    tests = " OR ".join(f"lower({column}) LIKE :like" for column in wanted)
    rows = connection.execute(f"SELECT {columns} FROM {table.name} WHERE {tests}", {"like": address.like})  # noqa: S608 - names of ours
    for row in rows:
        found = {column for column in wanted if row[column] is not None and address.is_in(row[column])}
        if found:
            yield row, found


def _sort(traces: Traces, table: str, row: Row, columns: set[str]) -> None:
    if _BY in columns:
        traces.deciders.add((table, row[_BY]))
    if columns == {_BY}:
        return
    if table in _OF_EVENTS:
        traces.events.add(row[_OF_EVENTS[table]])
    elif table == "observed":
        traces.observed.add((row["poll_id"], row["item"]))
    elif table == "dedupe":
        traces.keys.add((row["flow"], row["key"]))
    elif table == "runs":
        (traces.runs if "trigger" in columns else traces.speaking).add(row["id"])
    elif "run_id" in row.keys():  # noqa: SIM118 - a Row is no mapping
        traces.speaking.add(row["run_id"])
    else:
        traces.elsewhere[table] += 1


def _of_other_flows(connection: Connection, run_ids: set[str], address: Address) -> set[str]:
    """Without those whose flow, or one that it calls, has the address in its text."""
    revisions = connection.execute("SELECT id, source, calls FROM revisions").fetchall()
    naming = {row["id"] for row in revisions if address.is_in(row["source"])}
    while more := {row["id"] for row in revisions if naming & {*json.loads(row["calls"]).values()}} - naming:
        naming |= more
    rows = connection.execute(
        "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?)) "
        "AND revision NOT IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(run_ids)), json.dumps(sorted(naming))),
    )
    return {row["id"] for row in rows.fetchall()}


def _spread(connection: Connection, traces: Traces) -> None:
    """Follow events and runs to each other until nothing is new."""
    traces.events |= _told_of(connection, traces.observed)
    known = (-1, -1)
    while known != (len(traces.events), len(traces.runs)):
        known = (len(traces.events), len(traces.runs))
        traces.events |= _ask(connection, _NEAR_RUNS, traces) | alerts.find_telling(connection, traces.runs)
        traces.events |= _ask(connection, _NEAR_EVENTS, traces)
        traces.runs |= _ask(connection, _RUNS_OF_EVENTS, traces)
    rows = connection.execute(
        "SELECT poll_id, item FROM observed WHERE event_id IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(traces.events)),),
    )
    traces.observed |= {(row["poll_id"], row["item"]) for row in rows.fetchall()}


def _told_of(connection: Connection, observed: set[tuple[int, str]]) -> set[str]:
    query = "SELECT event_id FROM observed WHERE poll_id = ? AND item = ? AND event_id IS NOT NULL"
    return {row["event_id"] for key in observed for row in connection.execute(query, key).fetchall()}


def _ask(connection: Connection, query: str, traces: Traces) -> set[str]:
    values: dict[str, Any] = {"events": json.dumps(sorted(traces.events)), "runs": json.dumps(sorted(traces.runs))}
    return {row["id"] for row in connection.execute(query, values).fetchall()}


def _keys_of_runs(connection: Connection, traces: Traces) -> set[tuple[str, str]]:
    """Also of runs that were removed before."""
    rows = connection.execute(
        "SELECT flow, key FROM dedupe WHERE run_id IN (SELECT value FROM json_each(:runs)) OR run_id IN "
        "(SELECT run_id FROM starts WHERE event_id IN (SELECT value FROM json_each(:events)))",
        {"runs": json.dumps(sorted(traces.runs)), "events": json.dumps(sorted(traces.events))},
    )
    return {(row["flow"], row["key"]) for row in rows.fetchall()}
