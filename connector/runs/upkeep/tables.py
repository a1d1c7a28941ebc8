"""The tables of the journal as `schema.sql` has them, and all rows of one in parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from connector.database import Columns, Connection, Row
from connector.runs.upkeep.migrations import SCHEMA
from connector.sqlite import open_memory

PART = 200
"""Rows that are read at once: one may hold megabytes."""
_VERSION = "schema_version"


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    numbers_itself: bool
    """Whether the database gives the next number as the key."""
    texts: tuple[str, ...]
    """The columns that hold texts."""


@cache
def all_tables() -> tuple[Table, ...]:
    """Those with rows of their own, each behind those that it refers to."""
    empty = open_memory(SCHEMA)
    try:
        names = empty.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid").fetchall()
        return tuple(_table(empty, row["name"]) for row in names if row["name"] != _VERSION)
    finally:
        empty.close()


def _table(empty: Connection, name: str) -> Table:
    columns = empty.execute(f"PRAGMA table_info({name})").fetchall()
    key = sorted((column["pk"], column["name"]) for column in columns if column["pk"])
    numbers = [column["name"] for column in columns if column["pk"] and column["type"] == "INTEGER"]
    names = tuple(column["name"] for column in columns)
    texts = tuple(column["name"] for column in columns if column["type"] == "TEXT")
    return Table(name, names, tuple(column for _, column in key), numbers == [column for _, column in key], texts)


def find_missing(columns: Columns) -> list[str]:
    """The tables and columns that a database lacks."""
    missing = []
    for table in all_tables():
        there = columns(table.name)
        lacking = [f"{table.name}.{column}" for column in table.columns if column not in there]
        missing += lacking if there else [table.name]
    return missing


def read_parts(connection: Connection, table: Table, size: int = PART) -> Iterator[list[Row]]:
    """All rows in the order of their keys. No part is read before the one before it was dealt with."""
    key = ", ".join(table.key)
    behind = f"WHERE ({key}) > ({_places(table.key)}) "
    query = f"SELECT {', '.join(table.columns)} FROM {table.name} {{}}ORDER BY {key} LIMIT {size}"  # noqa: S608 - names of ours
    rows = connection.execute(query.format("")).fetchall()
    while rows:
        yield rows
        last = [rows[-1][column] for column in table.key]
        rows = connection.execute(query.format(behind), last).fetchall()


def insertion(table: Table) -> str:
    return f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({_places(table.columns)})"  # noqa: S608 - names of ours


def is_empty(connection: Connection, table: Table) -> bool:
    return connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone() is None  # noqa: S608 - names of ours


def _places(columns: tuple[str, ...]) -> str:
    return ", ".join("?" * len(columns))
