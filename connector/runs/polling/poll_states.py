"""How the polls of lists stand, for whoever looks, in this process or beside it."""

import json
from dataclasses import dataclass
from datetime import datetime

from connector.database import Connection, Row
from connector.runs.journal import DamagedRowError, undamaged
from connector.runs.records import read_time


@dataclass(frozen=True, slots=True)
class PollState:
    """The poll of one partition of a list, such as the leads of an agent."""

    connector: str
    connection: str
    list: str
    partition: str
    polled_at: datetime | None
    swept_at: datetime | None
    """When the list was seen whole for the last time."""
    entries: int
    """That are known of it."""
    failing_since: datetime | None
    error: str | None
    """Why it fails; also that its row is damaged, where nothing else is known but the names."""
    alert: str | None
    retired_at: datetime | None
    """When the partition was found gone."""
    due_at: datetime | None
    """When the next round begins at the latest; the other side or the rate limit may let it wait."""
    stretch: float
    """By how much the pauses are longer than wanted, to keep to the part of the limit that polls have."""
    unwatched_at: datetime | None
    """Since when no flow that is served watches it."""


@dataclass(frozen=True, slots=True)
class PartitionFailure:
    """The partitions of a list, such as the agents of an account, cannot be asked for."""

    connector: str
    connection: str
    list: str
    failing_since: datetime | None
    """None where the row is damaged."""
    error: str


@dataclass(frozen=True, slots=True)
class WaitingWebhooks:
    """Webhooks whose entry was not seen in the list yet."""

    connector: str
    connection: str
    list: str
    webhooks: int
    due_at: datetime
    """When the first of them starts its flows by itself."""


def read_polls(connection: Connection) -> tuple[PollState, ...]:
    """All polls, those of one list together."""
    rows = connection.execute(
        "SELECT p.*, (SELECT count(*) FROM observed WHERE poll_id = p.id) AS entries FROM polls p "
        "ORDER BY connector, connection, list, retired_at IS NOT NULL, unwatched_at IS NOT NULL, id"
    )
    return tuple(_poll_or_damaged(row) for row in rows)


def _poll_or_damaged(row: Row) -> PollState:
    try:
        return poll_of(row)
    except DamagedRowError as error:
        names = (str(row["connector"]), str(row["connection"]), str(row["list"]), str(row["partition"])[:100])
        return PollState(*names, None, None, row["entries"], None, str(error), None, None, None, 1, None)


@undamaged("id")
def poll_of(row: Row) -> PollState:
    partition, error = json.loads(row["partition"]), json.loads(row["error"]) if row["error"] else None
    given = [text for text in (error, row["alert"]) if text is not None]
    texts = [row["connector"], row["connection"], row["list"], partition, *given]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(texts)
    return PollState(
        connector=row["connector"],
        connection=row["connection"],
        list=row["list"],
        partition=partition,
        polled_at=_time(row["polled_at"]),
        swept_at=_time(row["swept_at"]),
        entries=row["entries"],
        failing_since=_time(row["failing_since"]),
        error=error,
        alert=row["alert"],
        retired_at=_time(row["retired_at"]),
        due_at=_time(row["due_at"]),
        stretch=float(row["stretch"]),
        unwatched_at=_time(row["unwatched_at"]),
    )


def read_partition_failures(connection: Connection) -> tuple[PartitionFailure, ...]:
    rows = connection.execute("SELECT * FROM partition_failures ORDER BY connector, connection, list")
    return tuple(_partition_failure_or_damaged(row) for row in rows)


def _partition_failure_or_damaged(row: Row) -> PartitionFailure:
    try:
        return partition_failure_of(row)
    except DamagedRowError as error:
        return PartitionFailure(str(row["connector"]), str(row["connection"]), str(row["list"]), None, str(error))


@undamaged("connector", "connection", "list")
def partition_failure_of(row: Row) -> PartitionFailure:
    error = json.loads(row["error"])
    if not isinstance(error, str):
        raise TypeError(error)
    return PartitionFailure(row["connector"], row["connection"], row["list"], read_time(row["failing_since"]), error)


def read_waiting(connection: Connection) -> tuple[WaitingWebhooks, ...]:
    """Of each list."""
    rows = connection.execute(
        "SELECT connector, connection, list, count(DISTINCT event_id) AS webhooks, min(due_at) AS due_at "
        "FROM waiting_starts JOIN arrivals USING (event_id) GROUP BY connector, connection, list"
    )
    return tuple(
        WaitingWebhooks(row["connector"], row["connection"], row["list"], row["webhooks"], read_time(row["due_at"]))
        for row in rows
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else read_time(text)
