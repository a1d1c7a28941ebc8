"""Keeps what a sandbox holds over a restart: in SQLite, one table of JSON documents, or not at all."""

import json
import sqlite3
from contextlib import closing
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

APPLICATION_ID = 0x43464442
"""SQLite's field for whose database a file is."""
SCHEMA = """
CREATE TABLE documents (account TEXT, kind TEXT, id TEXT, body TEXT, PRIMARY KEY (account, kind, id))
"""
WRITE = """
INSERT INTO documents VALUES (?, ?, ?, ?)
ON CONFLICT (account, kind, id) DO UPDATE SET body = excluded.body
"""

Key = tuple[str, str, str]


class StorageError(Exception):
    """The file cannot be used; the message is a sentence that names it."""


class Storage(Protocol):
    """Documents by account, kind and id, in the order in which they were first put."""

    def load(self, account: str, kind: str) -> list[Any]:
        """What was committed, as JSON values."""
        ...

    def put(self, account: str, kind: str, id: str, item: Any) -> None:
        """Keep a JSON value or a dataclass from the next commit on; it is read when that happens."""
        ...

    def remove(self, account: str, kind: str, id: str) -> None:
        """Forget a document from the next commit on."""
        ...

    def commit(self) -> None:
        """Make all changes so far last, together. Those that fail are kept for the next commit."""
        ...

    def close(self) -> None:
        """Use it no more."""
        ...


class NoStorage:
    """Keeps nothing."""

    def load(self, _account: str, _kind: str) -> list[Any]:
        """Nothing."""
        return []

    def put(self, _account: str, _kind: str, _id: str, _item: Any) -> None:
        """Nothing happens."""

    def remove(self, _account: str, _kind: str, _id: str) -> None:
        """Nothing happens."""

    def commit(self) -> None:
        """Nothing happens."""

    def close(self) -> None:
        """Nothing happens."""


class SqliteStorage:
    """A file that one sandbox at a time may use, from any one thread at a time.

    Raises StorageError when the file cannot be opened, is something else, or is in use.
    """

    def __init__(self, path: Path) -> None:
        self._changes: dict[Key, Any] = {}
        try:
            self._connection = _connect(path)
        except sqlite3.Error as error:
            raise StorageError(f"{str(path)!r} cannot be used as the sandbox's database: {_explain(error)}") from error

    def load(self, account: str, kind: str) -> list[Any]:
        """What was committed, as JSON values."""
        query = "SELECT body FROM documents WHERE account = ? AND kind = ? ORDER BY rowid"
        return [json.loads(body) for (body,) in self._connection.execute(query, (account, kind))]

    def put(self, account: str, kind: str, id: str, item: Any) -> None:
        """Keep a JSON value or a dataclass from the next commit on; it is read when that happens."""
        self._changes[account, kind, id] = item

    def remove(self, account: str, kind: str, id: str) -> None:
        """Forget a document from the next commit on."""
        self._changes[account, kind, id] = None

    def commit(self) -> None:
        """Make all changes so far last, together. Those that fail are kept for the next commit."""
        if not self._changes:
            return
        with self._connection:
            for key, item in self._changes.items():
                if item is None:
                    self._connection.execute("DELETE FROM documents WHERE account = ? AND kind = ? AND id = ?", key)
                else:
                    self._connection.execute(WRITE, (*key, json.dumps(item, default=_encode)))
        self._changes.clear()

    def close(self) -> None:
        """Use it no more."""
        self._connection.close()


def open_storage(path: Path | None) -> Storage:
    """The storage in a file, which is made when it is missing; without a path one that keeps nothing."""
    return NoStorage() if path is None else SqliteStorage(path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        _prepare(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # survives the end of the process at any moment
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("BEGIN EXCLUSIVE")
        with closing(connection.execute("PRAGMA application_id")) as rows:
            [[owner]] = rows
        with closing(connection.execute("SELECT count(*) FROM sqlite_master")) as rows:
            [[tables]] = rows
        if owner == 0 and tables == 0:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(SCHEMA)
        elif owner != APPLICATION_ID:
            raise sqlite3.DatabaseError("it is a database of another program")


def _explain(error: sqlite3.Error) -> str:
    if getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY":
        return "another sandbox uses it"
    if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
        return "it is no database"
    return str(error)


def _encode(item: Any) -> Any:
    if is_dataclass(item) and not isinstance(item, type):
        return {field.name: getattr(item, field.name) for field in fields(item)}
    if isinstance(item, datetime):
        return item.isoformat()
    raise TypeError(f"{type(item).__name__} cannot be kept")
