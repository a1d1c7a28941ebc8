"""What webhooks and entries of a list are compared by, and the entries that are compared."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connector.database import Connection, Row
from connector.declare import Join
from connector.runs.polling.sealing import unseal
from connector.runs.polling.watches import Watch
from connector.runs.records import write_time

ENTRY = "SELECT o.*, p.partition FROM observed o JOIN polls p ON p.id = o.poll_id"


def join_of(watch: Watch) -> Join:
    assert watch.list.join is not None  # noqa: S101 - callers have looked
    return watch.list.join


def unbound_entries(connection: Connection, watch: Watch, at: datetime) -> list[Row]:
    within = join_of(watch).within
    return connection.execute(
        f"{ENTRY} WHERE p.connector = ? AND p.connection = ? AND p.list = ? AND o.facts IS NOT NULL "
        "AND o.at BETWEEN ? AND ?",
        (*watch.key, write_time(at - within), write_time(at + within)),
    ).fetchall()


def read_facts(text: str) -> Mapping[str, Any] | None:
    """None where the row is damaged; nothing is recognised by it then."""
    try:
        facts = json.loads(text)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None


def measure(watch: Watch, webhook: Mapping[str, Any] | None, entry: Mapping[str, Any] | None) -> float | None:
    """Seconds between the two, or None where they are not the same. Those of an erased person are sealed."""
    if webhook is None or entry is None:
        return None
    return join_of(watch).distance(unseal(webhook, entry), unseal(entry, webhook))
