"""Brings a database up to the tables that this program expects.

A migration is what `CREATE … IF NOT EXISTS` cannot do: it changes a table that is there. Migrations are only added.
"""

from importlib.resources import files

from connector.database import Columns, Connection, split_script
from connector.errors import StoreError

SCHEMA = files("connector.runs").joinpath("schema.sql").read_text("utf-8")

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
    ("polls", "due_at", "TEXT"),
    ("polls", "stretch", "REAL NOT NULL DEFAULT 1"),
    ("polls", "unwatched_at", "TEXT"),
)
"""Columns that were added before databases had a version, so that any of them may be there."""

_MIGRATIONS = (
    # 1 → 2: the place of a run in its lane, which had been its rowid
    """
    ALTER TABLE runs ADD COLUMN lane_place INTEGER;
    UPDATE runs SET lane_place = rowid WHERE lane IS NOT NULL;
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
)
"""From each version to the next, the first one being 1. Postgres has had no database of version 1."""

VERSION = 1 + len(_MIGRATIONS)


def upgrade(connection: Connection, columns: Columns) -> int:
    """Make what is missing. Returns the version that was found, 0 for an empty database. Raises StoreError."""
    found = find_version(connection, columns)
    if found > VERSION:
        raise StoreError(
            f"the database has version {found}, made by a later chatforge; this one knows versions up to {VERSION}, "
            "so install the later one again"
        )
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


def find_version(connection: Connection, columns: Columns) -> int:
    """0 for a database without tables."""
    if columns("schema_version"):
        return int(connection.execute("SELECT version FROM schema_version").fetchone()["version"])
    return 1 if columns("runs") else 0


def _add_first(connection: Connection, columns: Columns) -> None:
    for table, column, kind in _FIRST:
        known = columns(table)
        if known and column not in known:  # a table that is not there yet is made whole
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
