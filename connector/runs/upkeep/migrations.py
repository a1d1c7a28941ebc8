"""Brings a database up to the tables that this program expects.

A migration is what `CREATE … IF NOT EXISTS` cannot do: it changes a table that is there. Migrations are only added. A
change of the schema alone needs one too, if only an empty one: a database that has the last version is left as it is.
"""

import re
from importlib.resources import files
from pathlib import Path

from connector import engines
from connector.database import Columns, Connection, split_script
from connector.engines import Address
from connector.errors import StoreError

SCHEMA = files("connector.runs").joinpath("schema.sql").read_text("utf-8")
_OURS = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", SCHEMA)

_FIRST = (
    ("starts", "held", "INTEGER NOT NULL DEFAULT 0"),
    ("runs", "without_once", "INTEGER NOT NULL DEFAULT 0"),
    ("runs", "backfill", "INTEGER NOT NULL DEFAULT 0"),
    ("events", "source", "TEXT NOT NULL DEFAULT 'webhook'"),
    ("events", "same_as", "TEXT"),
    ("aliases", "wrong", "INTEGER NOT NULL DEFAULT 0"),
    ("runs", "worked", "REAL NOT NULL DEFAULT 0"),
    ("runs", "reason", "TEXT"),
    ("runs", "lane", "TEXT"),
    ("runs", "lane_limit", "INTEGER"),
    ("steps", "wake_at", "TEXT"),
    ("revisions", "calls", "TEXT NOT NULL DEFAULT '{}'"),
    ("runs", "lane_place", "INTEGER"),
    ("polls", "walk", "INTEGER NOT NULL DEFAULT 0"),
    ("polls", "swept_walk", "INTEGER"),
    ("polls", "clean_walks", "TEXT NOT NULL DEFAULT '[]'"),
    ("polls", "page", "INTEGER NOT NULL DEFAULT 0"),
    ("polls", "due_at", "TEXT"),
    ("polls", "stretch", "REAL NOT NULL DEFAULT 1"),
    ("polls", "unwatched_at", "TEXT"),
)
"""Columns that were added before databases had a version, so that any of them may be there."""

_ANEW = (("caught_up", "walk"), ("subscriptions", "page"))
"""Tables that cannot be made from what they were before they had that column: flows begin to watch their lists anew."""

_MIGRATIONS = (
    # 1 → 2: the place of a run in its lane, which had been its rowid
    """
    UPDATE runs SET lane_place = rowid WHERE lane IS NOT NULL AND lane_place IS NULL;
    DROP INDEX IF EXISTS runs_by_lane;
    """,
    # 2 → 3: the last attempt of a step stands in its row
    """
    ALTER TABLE steps ADD COLUMN attempt_at TEXT;
    ALTER TABLE steps ADD COLUMN sent_at TEXT;
    UPDATE steps SET attempt_at = started_at WHERE attempts > 0;
    UPDATE steps SET attempt_at = a.started_at, sent_at = a.sent_at FROM attempts a
        WHERE a.run_id = steps.run_id AND a.step = steps.step AND a.number = steps.attempts;
    DELETE FROM attempts WHERE finished_at IS NULL;
    """,
    # 3 → 4: what people decide about runs
    "ALTER TABLE runs ADD COLUMN cancelling TEXT;",
    # 4 → 5: runs are removed in the end, and what they started from still says that it has started them; and what the
    # first versions had otherwise
    """
    CREATE TABLE starts_5 (
        event_id TEXT NOT NULL REFERENCES events (id),
        flow     TEXT NOT NULL,
        run_id   TEXT,
        reason   TEXT,
        held     INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (event_id, flow),
        CHECK ((run_id IS NULL) <> (reason IS NULL))
    ) WITHOUT ROWID;
    INSERT INTO starts_5 (event_id, flow, run_id, reason, held) SELECT event_id, flow, run_id, reason, held FROM starts;
    DROP TABLE starts;
    ALTER TABLE starts_5 RENAME TO starts;
    CREATE TABLE IF NOT EXISTS answers (run_id TEXT, step TEXT, approved INTEGER, by TEXT, at TEXT, form TEXT);
    CREATE TABLE answers_5 (
        run_id   TEXT NOT NULL REFERENCES runs (id),
        step     TEXT NOT NULL,
        approved INTEGER NOT NULL,
        by       TEXT,
        at       TEXT NOT NULL,
        form     TEXT NOT NULL,
        PRIMARY KEY (run_id, step)
    ) WITHOUT ROWID;
    INSERT INTO answers_5 (run_id, step, approved, by, at, form)
        SELECT run_id, step, approved, by, at, form FROM answers;
    DROP TABLE answers;
    ALTER TABLE answers_5 RENAME TO answers;
    DROP INDEX IF EXISTS waiting_starts_due;
    DROP INDEX IF EXISTS events_in_time;
    """,
    # 5 → 6: what an action keeps for later attempts of its step
    "ALTER TABLE steps ADD COLUMN kept TEXT;",
    # 6 → 7: how answers differ from what is declared
    "",
    # 7 → 8: what an operator looks at; nobody is told of runs that ended before
    """
    ALTER TABLE events ADD COLUMN headers TEXT;
    ALTER TABLE events ADD COLUMN exact INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE runs ADD COLUMN trace TEXT;
    ALTER TABLE runs ADD COLUMN told_at TEXT;
    ALTER TABLE steps ADD COLUMN requests TEXT;
    ALTER TABLE attempts ADD COLUMN requests TEXT;
    UPDATE runs SET told_at = coalesce(finished_at, created_at) WHERE status IN ('failed', 'held');
    """,
)
"""From each version to the next, the first one being 1. Postgres has had no database of version 1."""

VERSION = 1 + len(_MIGRATIONS)


def upgrade(address: Address, connection: Connection, *, executes: bool = True) -> int:
    """Make what is missing. Returns the version that was found, 0 for an empty database. Raises StoreError.

    Who does not execute the database changes no tables of an earlier version, at which a server may be at work.
    """
    columns = engines.columns_of(address, connection)
    found = require_known(address, connection)
    if found and not executes:
        require_version(connection, columns, str(address))
    if found == 1:
        _add_first(connection, columns)
    for migration in _MIGRATIONS[found - 1 :] if found else ():
        for statement in split_script(migration):
            connection.execute(statement)
    if found < VERSION:
        for statement in split_script(SCHEMA):
            connection.execute(statement)
        connection.execute("DELETE FROM schema_version")
        connection.execute("INSERT INTO schema_version VALUES (?)", (VERSION,))
    return found


def require_known(address: Address, connection: Connection) -> int:
    """The version of the database. Raises StoreError where it is a later one's or another program's."""
    columns = engines.columns_of(address, connection)
    found = find_version(connection, columns)
    if found > VERSION:
        require_version(connection, columns, str(address))
    if not found and (strange := find_strange(address, connection)):
        raise StoreError(f"the database {address} is another program's: {strange}; name another database")
    return found


def find_strange(address: Address, connection: Connection) -> str | None:
    """Why a database without a version is not an empty one. A schema of Postgres may be shared, a file is not."""
    names = engines.table_names(address, connection)
    if not isinstance(address, Path):
        names &= set(_OURS)
    if not names:
        return None
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"it has the table {min(names)}{more}"


def require_version(connection: Connection, columns: Columns, name: str) -> None:
    """Raise StoreError unless the database has the tables of this program."""
    found = find_version(connection, columns)
    if found > VERSION:
        raise StoreError(
            f"the database {name} has version {found}, made by a later chatforge; this one knows versions up to "
            f"{VERSION}, so install the later one again"
        )
    if found < VERSION:
        raise StoreError(
            f"the database {name} has version {found} and not {VERSION}, as an earlier chatforge made it; bring it up "
            "to this one: chatforge db upgrade"
            if found
            else f"the database {name} has no tables; start chatforge serve once, or name another database"
        )


def find_version(connection: Connection, columns: Columns) -> int:
    """0 for a database without tables. Raises StoreError."""
    if "version" in columns("schema_version"):
        row = connection.execute("SELECT version FROM schema_version").fetchone()
        if row is None or not isinstance(row["version"], int):
            raise StoreError("the database does not say which version it has; restore it from a backup")
        return row["version"]
    return 1 if columns("runs") >= {"id", "flow", "event_id"} else 0


def _add_first(connection: Connection, columns: Columns) -> None:
    for table, column in _ANEW:
        if columns(table) and column not in columns(table):
            connection.execute(f"DROP TABLE {table}")
    for table, column, kind in _FIRST:
        known = columns(table)
        if known and column not in known:  # a table that is not there yet is made whole
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
