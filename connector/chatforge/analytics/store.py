"""Samples of Get Analytics in an SQLite file of their own, beside the database.

They are numbered in the order in which they were taken. Of two that come within the same minute and month the second
replaces the first. Of those older than 400 days the last one of each day is kept, which is also the last one of its
month; that is looked after when an agent gets a new sample. Times are seconds since 1970. Ids are kept as ASCII-escaped
JSON, whatever is in them.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from connector.chatforge.analytics.sample import Sample
from connector.errors import NetworkError
from connector.sqlite import connect, transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS samples (
    number INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    agent TEXT NOT NULL,
    at INTEGER NOT NULL,
    month TEXT NOT NULL,
    conversations INTEGER,
    leads INTEGER,
    messages INTEGER,
    all_conversations INTEGER,
    all_leads INTEGER
);
CREATE INDEX IF NOT EXISTS samples_by_agent ON samples (account, agent, number);
CREATE INDEX IF NOT EXISTS samples_by_time ON samples (account, agent, at);
"""
WHOLE_FOR = 400 * 86_400
"""Seconds; of what is older, one sample a day is kept."""

_COLUMNS = ", ".join(column.name for column in fields(Sample))
_OF_AGENT = "account = ? AND agent = ?"

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]


@dataclass(frozen=True, slots=True)
class Agent:
    """Whose samples they are. An account is the name of its connection: its key may be replaced."""

    account: str
    id: str

    @property
    def key(self) -> tuple[str, str]:
        return json.dumps(self.account), json.dumps(self.id)


async def use(path: Path, work: Work[Result], *, writing: bool = False) -> Result:
    """Run `work` in a transaction, on another thread; the file is made where there is none. Raises NetworkError."""

    def run() -> Result:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A sample that power loss takes is no harm: the next one tells the same.
        with closing(connect(path, synchronous="NORMAL")) as connection:
            connection.executescript(SCHEMA)
            with transaction(connection, "BEGIN IMMEDIATE" if writing else "BEGIN"):
                return work(connection)

    try:
        return await asyncio.to_thread(run)
    except (sqlite3.DatabaseError, OSError) as error:
        message = (
            f"the samples of analytics in {path} cannot be used: {error}; restore the file from a backup, make room, "
            "or move it away, and samples begin anew"
        )
        raise NetworkError(message, transient=isinstance(error, (sqlite3.OperationalError, OSError))) from error


def add(connection: sqlite3.Connection, agent: Agent, sample: Sample) -> None:
    newest = connection.execute(
        f"SELECT number, at, month FROM samples WHERE {_OF_AGENT} ORDER BY number DESC LIMIT 1",  # noqa: S608 - constant
        agent.key,
    ).fetchone()
    row = (int(sample.at.timestamp()), *astuple(sample)[1:])
    if newest and newest["at"] // 60 == row[0] // 60 and newest["month"] == sample.month:
        connection.execute("DELETE FROM samples WHERE number = ?", (newest["number"],))
    values = (*agent.key, *row)
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO samples (account, agent, {_COLUMNS}) VALUES ({marks})", values)  # noqa: S608 - constant
    _thin(connection, agent, row[0] - WHOLE_FOR)


def read_newest(connection: sqlite3.Connection, agent: Agent) -> Sample | None:
    return _read_one(connection, agent, "DESC")


def read_first(connection: sqlite3.Connection, agent: Agent) -> Sample | None:
    return _read_one(connection, agent, "ASC")


def read_since(connection: sqlite3.Connection, agent: Agent, since: datetime) -> Sequence[Sample]:
    """Those from the last one before `since` on, which is what the others are compared with."""
    query = (
        f"SELECT {_COLUMNS} FROM samples WHERE {_OF_AGENT} AND number >= coalesce("  # noqa: S608 - all are constants
        f"(SELECT max(number) FROM samples WHERE {_OF_AGENT} AND at < ?), 0) ORDER BY number"
    )
    rows = connection.execute(query, (*agent.key, *agent.key, int(since.timestamp())))
    return [_sample(row) for row in rows]


def _read_one(connection: sqlite3.Connection, agent: Agent, order: str) -> Sample | None:
    query = f"SELECT {_COLUMNS} FROM samples WHERE {_OF_AGENT} ORDER BY number {order} LIMIT 1"  # noqa: S608 - constant
    row = connection.execute(query, agent.key).fetchone()
    return _sample(row) if row else None


def _sample(row: sqlite3.Row) -> Sample:
    return Sample(datetime.fromtimestamp(row["at"], UTC), *tuple(row)[1:])


def _thin(connection: sqlite3.Connection, agent: Agent, before: int) -> None:
    connection.execute(
        f"DELETE FROM samples WHERE {_OF_AGENT} AND at < ? AND number NOT IN "  # noqa: S608 - all are constants
        f"(SELECT max(number) FROM samples WHERE {_OF_AGENT} AND at < ? GROUP BY at / 86400)",
        (*agent.key, before, *agent.key, before),
    )
