"""Webhooks that wait for their entry of a list on behalf of flows that are off, or that nobody serves any more.

Each function works in its caller's transaction.
"""

import json
from collections.abc import Collection
from datetime import datetime, timedelta

from connector.database import Connection, Row
from connector.runs import events
from connector.runs.events import Decision
from connector.runs.records import write_time

UNSERVED = timedelta(hours=1)
"""How long after the end of its wait a webhook is kept for a flow that is not served: it may be for a moment only."""
MOST = 100
"""Waits that are ended in one transaction."""


def drop(connection: Connection, flow: str, now: datetime) -> None:
    """The flow is off: what waits starts nothing."""
    rows = connection.execute("SELECT event_id, flow FROM waiting_starts WHERE flow = ?", (flow,)).fetchall()
    for row in rows:
        _end(connection, row, Decision(flow, reason="the flow was turned off while the webhook waited"), now)


def find(connection: Connection, served: Collection[str], now: datetime) -> list[Row]:
    """At most MOST waits that have been over for UNSERVED, of flows that are not `served`."""
    return connection.execute(
        "SELECT event_id, flow FROM waiting_starts WHERE flow NOT IN (SELECT value FROM json_each(?)) AND due_at <= ? "
        "LIMIT ?",
        (json.dumps(list(served)), write_time(now - UNSERVED), MOST),
    ).fetchall()


def hold(connection: Connection, served: Collection[str], now: datetime) -> list[str]:
    """Hold what `find` finds, for a person to resend. Returns a sentence for each."""
    rows = find(connection, served, now)
    for row in rows:
        reason = f"the flow {row['flow']!r} is not served any more; resend the event with --flow to another one"
        _end(connection, row, Decision(row["flow"], reason=reason, held=True), now)
    return [f"the webhook {row['event_id']} is held: the flow {row['flow']!r} is not served any more" for row in rows]


def _end(connection: Connection, row: Row, decision: Decision, now: datetime) -> None:
    connection.execute("DELETE FROM waiting_starts WHERE event_id = ? AND flow = ?", (row["event_id"], row["flow"]))
    events.add_start(connection, row["event_id"], now, decision)
