"""What polling notes for whoever looks at it; nothing that is polled depends on it. `poll_states` reads it.

Each function works in its caller's transaction.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from connector.database import Connection
from connector.runs.polling.watches import Poll, Watch
from connector.runs.records import write_time


def begin(connection: Connection, watches: Sequence[Watch], now: datetime) -> None:
    """A server begins: it watches nothing but what it opens from now on."""
    connection.execute("UPDATE polls SET unwatched_at = ? WHERE unwatched_at IS NULL", (write_time(now),))
    followed = {watch.key for watch in watches if watch.follows}
    for row in connection.execute("SELECT connector, connection, list FROM partition_failures").fetchall():
        key = (row["connector"], row["connection"], row["list"])
        if key not in followed:
            _end_failure(connection, key)


def note_round(connection: Connection, poll: Poll, due_at: datetime, stretch: float) -> None:
    """When the next round begins at the latest, and by how much the pause until then is longer than wanted."""
    connection.execute("UPDATE polls SET due_at = ?, stretch = ? WHERE id = ?", (write_time(due_at), stretch, poll.id))


def fail_partitions(connection: Connection, watch: Watch, error: str, now: datetime) -> None:
    """Note that the partitions of the list cannot be asked for, and since when."""
    connection.execute(
        "INSERT INTO partition_failures VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (connector, connection, list) DO UPDATE SET error = excluded.error",
        (*watch.key, write_time(now), json.dumps(error)),
    )


def find_partitions(connection: Connection, watch: Watch) -> None:
    """They were told, so that no failure of it goes on."""
    _end_failure(connection, watch.key)


def _end_failure(connection: Connection, key: tuple[str, str, str]) -> None:
    connection.execute("DELETE FROM partition_failures WHERE connector = ? AND connection = ? AND list = ?", key)
