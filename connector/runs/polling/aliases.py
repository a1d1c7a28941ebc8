"""Other names that webhooks have for a partition, learned from those that were recognised.

Such a name says where to look first, and never where not to: it may have been learned wrong, and the other side may
have one name for several partitions. Each function works in its caller's transaction.
"""

import json

from connector.database import Connection
from connector.runs.polling.watches import Watch
from connector.runs.records import LONGEST_KEY

WRONG = 2
"""How often a name proves wrong until it counts as one for several partitions, and is trusted no more."""


def find_partition(connection: Connection, watch: Watch, named: str | None) -> str | None:
    """The partition of that name, or else the one that the name seems to stand for; None where nothing is known."""
    if named is None:
        return None
    known = connection.execute(
        "SELECT 1 FROM polls WHERE connector = ? AND connection = ? AND list = ? AND partition = ?",
        (*watch.key, json.dumps(named)),
    ).fetchone()
    if known:
        return named
    alias = connection.execute(
        "SELECT partition FROM aliases WHERE connector = ? AND connection = ? AND named = ? AND wrong < ?",
        (watch.connector, watch.connection, json.dumps(named), WRONG),
    ).fetchone()
    return json.loads(alias["partition"]) if alias else None


def learn(connection: Connection, watch: Watch, named: str, partition: str) -> None:
    """A webhook with that name was recognised as an entry of the partition. A very long one is not learned."""
    if len(name := json.dumps(named)) > LONGEST_KEY:
        return
    connection.execute(
        "INSERT INTO aliases (connector, connection, named, partition) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (connector, connection, named) DO UPDATE SET partition = excluded.partition, "
        "wrong = aliases.wrong + CASE WHEN aliases.partition <> excluded.partition THEN 1 ELSE 0 END",
        (watch.connector, watch.connection, name, json.dumps(partition)),
    )
