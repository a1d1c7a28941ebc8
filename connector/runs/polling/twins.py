"""A webhook and an entry of a list that tell of the same, also where the poll has not brought them together yet.

A person may start a flow from one of them: with a backfill, or by resending an event. Each function works in its
caller's transaction.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.database import Connection, Row
from connector.declare import Event, Item
from connector.runs.polling.matching import measure
from connector.runs.polling.watches import Watch
from connector.runs.records import read_time, write_time

_WEBHOOK_OF = """
SELECT 1 FROM observed o JOIN polls p ON p.id = o.poll_id JOIN arrivals a ON a.connector = p.connector
    AND a.connection = p.connection AND a.list = p.list AND a.partition = p.partition AND a.item = o.item
WHERE o.event_id = ?
"""


@dataclass(frozen=True, slots=True)
class Twin:
    """The other event that tells of the same. Without a run it waits, and starts the flow by itself."""

    event_id: str
    run_id: str | None
    certain: bool = True
    """Whether both could be compared."""


def find_decided(connection: Connection, watch: Watch, partition: str, item: str, flow: str) -> Row | None:
    """What the flow made of an entry of the list: the row of `starts`."""
    row: Row | None = connection.execute(
        "SELECT s.* FROM events e JOIN starts s ON s.event_id = e.id WHERE e.connector = ? AND e.connection = ? "
        "AND e.identity IN (SELECT value FROM json_each(?)) AND s.flow = ?",
        (watch.connector, watch.connection, json.dumps(watch.identities(partition, item)), flow),
    ).fetchone()
    return row


def find_webhook(
    connection: Connection, watch: Watch, partition: str, item: Item, seen_at: datetime, flow: str
) -> Twin | None:
    """The webhook of an entry that has started the flow, or waits to."""
    if watch.list.join is None:
        return None
    at = item.occurred_at or seen_at
    return _bound_webhook(connection, watch, partition, item, flow) or _unbound_webhook(
        connection, watch, partition, item, at, flow
    )


def find_entry(
    connection: Connection,
    watch: Watch,
    known: str | None,
    facts: Mapping[str, Any],
    at: datetime,
    flow: str,
) -> Twin | None:
    """The entry that has started the flow, and of which no other webhook is known, for a webhook that is not bound.

    `known` is the partition that the webhook names, None where it may be any.
    """
    join = watch.list.join
    assert join is not None  # noqa: S101 - the list has webhooks
    rows = connection.execute(
        "SELECT e.*, s.run_id FROM events e JOIN starts s ON s.event_id = e.id WHERE e.connector = ? "
        "AND e.connection = ? AND coalesce(e.occurred_at, e.received_at) BETWEEN ? AND ? AND e.source = 'poll' "
        "AND s.flow = ? AND s.run_id IS NOT NULL",
        (watch.connector, watch.connection, write_time(at - join.within), write_time(at + join.within), flow),
    )
    removed: Twin | None = None
    for row in rows.fetchall():
        if json.loads(row["text"]) is None:
            if connection.execute(_WEBHOOK_OF, (row["id"],)).fetchone() is None:
                removed = Twin(row["id"], row["run_id"], certain=False)
            continue
        found = _read_entry(watch, row)
        if found is None or known not in (None, found[0]) or _is_bound(connection, watch, *found):
            continue
        if measure(watch, facts, found[1].facts) is not None:
            return Twin(row["id"], row["run_id"])
    return removed


def _bound_webhook(connection: Connection, watch: Watch, partition: str, item: Item, flow: str) -> Twin | None:
    row = connection.execute(
        "SELECT event_id, run_id FROM arrivals JOIN starts USING (event_id) WHERE connector = ? AND connection = ? "
        "AND list = ? AND partition = ? AND item = ? AND flow = ? AND run_id IS NOT NULL",
        (*watch.key, json.dumps(partition), json.dumps(item.id), flow),
    ).fetchone()
    return Twin(row["event_id"], row["run_id"]) if row else None


def _unbound_webhook(
    connection: Connection, watch: Watch, partition: str, item: Item, at: datetime, flow: str
) -> Twin | None:
    join = watch.list.join
    if join is None or item.facts is None:
        return None
    rows = connection.execute(
        "SELECT a.event_id, a.facts, s.run_id FROM arrivals a LEFT JOIN starts s ON s.event_id = a.event_id "
        "AND s.flow = :flow LEFT JOIN waiting_starts w ON w.event_id = a.event_id AND w.flow = :flow "
        "WHERE a.connector = :connector AND a.connection = :connection AND a.list = :list AND a.item IS NULL "
        "AND coalesce(a.partition, :partition) = :partition AND a.at BETWEEN :first AND :last "
        "AND (s.run_id IS NOT NULL OR w.flow IS NOT NULL)",
        {
            "flow": flow,
            "connector": watch.connector,
            "connection": watch.connection,
            "list": watch.list.name,
            "partition": json.dumps(partition),
            "first": write_time(at - join.within),
            "last": write_time(at + join.within),
        },
    )
    for row in rows.fetchall():
        if measure(watch, json.loads(row["facts"]), item.facts) is not None:
            return Twin(row["event_id"], row["run_id"])
    return None


def _read_entry(watch: Watch, row: Row) -> tuple[str, Item] | None:
    event = Event(json.loads(row["name"]), row["identity"], None, json.loads(json.loads(row["text"])), row["source"])
    return watch.list.entry(event, read_time(row["received_at"]))


def _is_bound(connection: Connection, watch: Watch, partition: str, item: Item) -> bool:
    row = connection.execute(
        "SELECT 1 FROM arrivals WHERE connector = ? AND connection = ? AND list = ? AND partition = ? AND item = ?",
        (*watch.key, json.dumps(partition), json.dumps(item.id)),
    ).fetchone()
    return row is not None
