"""A webhook that names its partition takes its entry back from one that was taken for it and names another.

Each function works in its caller's transaction.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connector.database import Connection, Row
from connector.runs.polling.matching import ENTRY, join_of, measure, read_facts
from connector.runs.polling.watches import Watch
from connector.runs.records import write_time

_OF_ARRIVAL = f"{ENTRY} JOIN arrivals a USING (connector, connection, list, partition, item) WHERE a.event_id = ?"


def reclaim(
    connection: Connection, watch: Watch, known: str, facts: Mapping[str, Any], at: datetime, now: datetime
) -> Row | None:
    """The entry, where another webhook was taken for it that names another partition and has started nothing.

    That one waits for its own entry again: it may be of a partition that is not listed yet.
    """
    within = join_of(watch).within
    rows = connection.execute(
        "SELECT * FROM arrivals a WHERE connector = ? AND connection = ? AND list = ? AND partition = ? "
        "AND named <> partition AND item IS NOT NULL AND at BETWEEN ? AND ? "
        "AND NOT EXISTS (SELECT 1 FROM starts s WHERE s.event_id = a.event_id AND s.run_id IS NOT NULL)",
        (*watch.key, json.dumps(known), write_time(at - within), write_time(at + within)),
    )
    for row in rows.fetchall():
        entry: Row | None = connection.execute(_OF_ARRIVAL, (row["event_id"],)).fetchone()
        if entry is not None and measure(watch, facts, read_facts(row["facts"])) is not None:
            _release(connection, watch, row["event_id"], now)
            return entry
    return None


def _release(connection: Connection, watch: Watch, event_id: str, now: datetime) -> None:
    """The webhook was taken for an entry that it is not."""
    connection.execute(
        "UPDATE arrivals SET item = NULL, partition = NULL, bound_at = NULL WHERE event_id = ?", (event_id,)
    )
    for watcher in watch.watchers:
        key = (event_id, watcher.flow.name)
        undone = connection.execute("DELETE FROM starts WHERE event_id = ? AND flow = ? AND held = 0", key)
        if undone.rowcount:
            due_at = write_time(now + timedelta(seconds=watcher.patience))
            connection.execute("INSERT INTO waiting_starts VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (*key, due_at))
