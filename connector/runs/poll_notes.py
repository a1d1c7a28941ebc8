"""What polling notes for whoever looks at it; nothing that is polled depends on it. `poll_states` reads it.

Each function works in its caller's transaction.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime

from connector.runs.records import write_time
from connector.runs.watches import Poll, Watch


def begin(connection: sqlite3.Connection, watches: Sequence[Watch], now: datetime) -> None:
    """A server begins: it watches nothing but what it opens from now on."""
    connection.execute("UPDATE polls SET unwatched_at = ? WHERE unwatched_at IS NULL", (write_time(now),))
    followed = json.dumps([watch.key for watch in watches if watch.follows])
    connection.execute(
        "DELETE FROM partition_failures "
        "WHERE json_array(connector, connection, list) NOT IN (SELECT value FROM json_each(?))",
        (followed,),
    )


def note_round(connection: sqlite3.Connection, poll: Poll, due_at: datetime, stretch: float) -> None:
    """When the next round begins at the latest, and by how much the pause until then is longer than wanted."""
    connection.execute("UPDATE polls SET due_at = ?, stretch = ? WHERE id = ?", (write_time(due_at), stretch, poll.id))


def fail_partitions(connection: sqlite3.Connection, watch: Watch, error: str, now: datetime) -> None:
    """Note that the partitions of the list cannot be asked for, and since when."""
    connection.execute(
        "INSERT INTO partition_failures VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET error = excluded.error",
        (*watch.key, write_time(now), json.dumps(error)),
    )


def find_partitions(connection: sqlite3.Connection, watch: Watch) -> None:
    """They were told, so that no failure of it goes on."""
    connection.execute("DELETE FROM partition_failures WHERE connector = ? AND connection = ? AND list = ?", watch.key)
