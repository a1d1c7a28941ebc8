"""Opens the database that an address names: a file of SQLite, or a database on a Postgres server."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from connector import sqlite, upkeep
from connector.database import Columns, Database, Failpoint, PostgresUrl, Prepare
from connector.errors import SettingsError

Address = Path | PostgresUrl
Result = TypeVar("Result")


def open_database(address: Address, prepare: Prepare, hold: Any = None, failpoint: Failpoint | None = None) -> Database:
    """Open it and bring it up to date. `hold` is what `exclusive` gave, if this process executes the database.

    Raises StoreError.
    """
    if isinstance(address, Path):
        return sqlite.Database(address, prepare=prepare, failpoint=failpoint)
    database: Database = _postgres().Database(address, prepare=prepare, hold=hold, failpoint=failpoint)
    return database


def read(address: Address, work: Callable[[Any], Result]) -> Result:
    """Read one state of a database that another process may be writing. Raises StoreError where there is none."""
    if isinstance(address, Path):
        return sqlite.read_file(address, work)
    result: Result = _postgres().read(address, work)
    return result


def versions(address: Address) -> AbstractContextManager[Callable[[], object]]:
    """A function that gives another value after each change by anybody; it may take a moment. Raises StoreError."""
    if isinstance(address, Path):
        return sqlite.versions(address)
    found: AbstractContextManager[Callable[[], object]] = _postgres().versions(address)
    return found


def write(address: Address, work: Callable[[Any], Result], hold: Any = None) -> Result:
    """Do `work` in one transaction, on the calling thread, which may be interrupted. Raises StoreError."""
    if isinstance(address, Path):
        return sqlite.write_file(address, work)
    result: Result = _postgres().write(address, work, hold)
    return result


def columns_of(address: Address, connection: Any) -> Columns:
    """Says which columns tables have."""
    columns: Columns = sqlite.columns_of(connection) if isinstance(address, Path) else connection.columns
    return columns


def table_names(address: Address, connection: Any) -> set[str]:
    """All tables, also those of other programs."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if not isinstance(address, Path):
        query = "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()"
    return {row["name"] for row in connection.execute(query).fetchall()}


def explained(address: Address) -> AbstractContextManager[None]:
    """Raise what the database says as StoreError."""
    if isinstance(address, Path):
        return sqlite.explained(address)
    explaining: AbstractContextManager[None] = _postgres().explained(address)
    return explaining


def is_same(address: Address, other: Address) -> bool:
    """Whether both name one database. Raises StoreError where a server cannot be asked."""
    if isinstance(address, Path) or isinstance(other, Path):
        return isinstance(address, Path) and isinstance(other, Path) and sqlite.is_same(address, other)
    return bool(_postgres().find_place(address) == _postgres().find_place(other))


def go_on_numbering(address: Address, connection: Any, table: str, column: str) -> None:
    """Let the next number that the database gives be behind those that were given to it."""
    if not isinstance(address, Path):
        last = f"(SELECT max({column}) FROM {table})"  # noqa: S608 - names of ours
        connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {last})")


def rewrite(address: Address) -> bool:
    """Write a file of an earlier version anew, so that it can shrink; whether that was needed. Raises StoreError."""
    return isinstance(address, Path) and upkeep.rewrite(address)


def expunge(address: Address) -> bool:
    """Write it anew without what was removed from it; whether all could be. Raises StoreError."""
    if isinstance(address, Path):
        return upkeep.expunge(address)
    _postgres().expunge(address)
    return True


def exclusive(address: Address) -> AbstractContextManager[Any]:
    """Hold the right to execute the database. Raises StoreLockedError where another process has it."""
    if isinstance(address, Path):
        return sqlite.exclusive(address)
    held: AbstractContextManager[Any] = _postgres().exclusive(address)
    return held


def is_executed(address: Address) -> bool:
    """Whether a process has `exclusive`."""
    if isinstance(address, Path):
        return sqlite.is_executed(address)
    return bool(_postgres().is_executed(address))


def exists(address: Address) -> bool:
    """Whether there is something to read. Raises StoreError where the server cannot be asked."""
    if isinstance(address, Path):
        with sqlite.explained(address):
            return address.exists()
    return bool(_postgres().exists(address))


def _postgres() -> ModuleType:
    """Only where it is used: psycopg need not be installed."""
    try:
        from connector import postgres
    except ImportError as error:
        raise SettingsError(
            f"CHATFORGE_DATABASE_URL names a Postgres server, for which psycopg is missing ({error}); "
            'install it with: pip install "psycopg[binary]"'
        ) from error
    return postgres
