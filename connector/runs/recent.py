"""The runs, events and flows that somebody may mean, for completion in a shell: few columns, and few imports.

Each function reads in its caller's transaction.
"""

from collections.abc import Sequence

from connector.database import Connection

Named = Sequence[tuple[str, str]]
"""(what it is called, what it is)"""


def find_runs(connection: Connection, start: str, statuses: str, limit: int) -> Named:
    """Runs whose ids begin with `start`, the newest first. `statuses` have commas between them; empty for any."""
    rows = connection.execute(
        "SELECT id, flow, status FROM runs WHERE id >= :start AND id < :end "
        "AND (:statuses = '' OR ',' || :statuses || ',' LIKE '%,' || status || ',%') ORDER BY id DESC LIMIT :limit",
        {**_between(start), "statuses": statuses, "limit": limit},
    )
    return [(row["id"], f"{row['flow']}, {row['status']}") for row in rows]


def find_events(connection: Connection, start: str, limit: int) -> Named:
    """Events whose ids begin with `start`, the newest first."""
    rows = connection.execute(
        "SELECT id, connector, status FROM events WHERE id >= :start AND id < :end ORDER BY id DESC LIMIT :limit",
        {**_between(start), "limit": limit},
    )
    return [(row["id"], f"{row['connector']}, {row['status']}") for row in rows]


def find_flows(connection: Connection, start: str) -> Named:
    """Flows that have had runs and whose names begin with `start`."""
    rows = connection.execute(
        "SELECT DISTINCT flow FROM revisions WHERE flow >= :start AND flow < :end ORDER BY flow", _between(start)
    )
    return [(row["flow"], "") for row in rows]


def _between(start: str) -> dict[str, str]:
    """Ids and names are ASCII."""
    return {"start": start, "end": f"{start}~"}
