"""Looks after a SQLite file: reads it without a trace, looks for damage, writes it anew."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from connector.errors import StoreError
from connector.sqlite import PATIENCE, SHRINKING, code_of, connect, explained, require_regular, shrinks, transaction

Result = TypeVar("Result")


def read_untouched(path: Path, work: Callable[[sqlite3.Connection], Result]) -> Result:
    """Read a database without leaving a file beside it; an ordinary reader would, where nobody has it open.

    Raises StoreError, also where it `has_unmerged` writes.
    """
    with explained(path):
        require_regular(path)
        if has_unmerged(path):
            raise StoreError(f"the last writes to {path} are not merged yet; start chatforge serve once")
        immutable = not _has_beside(path, "-wal")
        with closing(connect(path, read_only=True, immutable=immutable)) as opened, transaction(opened, "BEGIN"):
            return work(opened)


def has_unmerged(path: Path) -> bool:
    """Whether a log lies beside it that cannot be read without writing."""
    return _has_beside(path, "-wal") and not _has_beside(path, "-shm")


def _has_beside(path: Path, end: str) -> bool:
    return os.path.exists(f"{os.path.realpath(path)}{end}")


class Look:
    """One look at all pages of a file, which may take long; `stop` ends it from another thread."""

    def __init__(self, path: Path) -> None:
        self._path, self._stopped = path, False
        self._connection: sqlite3.Connection | None = None

    def run(self) -> str | None:
        """What is damaged; None where nothing is, and where it was stopped. Raises StoreError."""
        with explained(self._path), closing(connect(self._path, read_only=True)) as self._connection:
            try:
                found = "ok" if self._stopped else self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            except sqlite3.DatabaseError as error:
                if not self._stopped and code_of(error) != sqlite3.SQLITE_CORRUPT:
                    raise
                found = "ok" if self._stopped else str(error)
        return None if found == "ok" else " ".join(found.split())

    def stop(self) -> None:
        self._stopped = True
        if self._connection is not None:
            with suppress(sqlite3.ProgrammingError):  # it is closed
                self._connection.interrupt()


def rewrite(path: Path) -> bool:
    """Write a file of an earlier version anew, so that it can shrink later; whether that was needed.

    For whoever holds it exclusively. Needs as much room on the disk as the file has. Raises StoreError.
    """
    with explained(path), closing(connect(path)) as connection:
        if shrinks(connection):
            return False
        connection.execute(SHRINKING)
        connection.execute("VACUUM")
        return True


def expunge(path: Path) -> bool:
    """Write a file anew, so that nothing is left in it of what was removed, and empty its log; beside a server too.

    Needs as much room on the disk as the file has; who wants to write meanwhile waits. False where somebody reads so
    long that the log could not be emptied. Raises StoreError.
    """
    with explained(path), closing(connect(path)) as connection:
        connection.execute("VACUUM")
        end = time.monotonic() + PATIENCE
        while (busy := connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]) and time.monotonic() < end:
            time.sleep(0.05)
        return not busy
