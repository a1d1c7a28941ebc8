"""Opens SQLite: write-ahead log, full synchronisation, one writer with group commit, plain readers.

`synchronous=FULL` because NORMAL may lose committed work on power loss. Writes that wait together share one
fsync: the writer thread runs each in a savepoint of one transaction, and nobody is told before the commit.
"""

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from connector.errors import StoreError, StoreLockedError

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Any]

_GROUP = 256  # writes a commit at most, so that the first one of a burst does not wait for the last


class Database:
    """One SQLite file: `await write(work)` on its writer thread, `read(work)` on a plain connection."""

    def __init__(self, path: Path, schema: str) -> None:
        """Open `path`, creating it from `schema` (statements with IF NOT EXISTS) where it is new."""
        self.path = path
        self._queue: queue.SimpleQueue[tuple[Work, asyncio.Future[Any]] | None] = queue.SimpleQueue()
        with _as_store_error(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = connect(path)
            self._reader = connect(path)
            self._writer.executescript(f"BEGIN IMMEDIATE; {schema}; COMMIT;")
        self._thread = threading.Thread(target=self._write_all, name=f"writer of {path.name}", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` in a transaction and return its result once that is committed and synced."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.put((work, future))
        # A cancelled waiter must not cancel the write, which may be committed already.
        return await asyncio.shield(future)

    def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work`, which only reads, on the calling thread."""
        with _as_store_error(self.path):
            return work(self._reader)

    def close(self) -> None:
        """Finish the writes that wait, then close the file."""
        self._queue.put(None)
        self._thread.join()
        self._reader.close()
        self._writer.close()

    def _write_all(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            while len(group) < _GROUP and not self._queue.empty():
                if (item := self._queue.get()) is None:
                    self._commit(group)
                    return
                group.append(item)
            self._commit(group)

    def _commit(self, group: list[tuple[Work, asyncio.Future[Any]]]) -> None:
        outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            with _as_store_error(self.path), transaction(self._writer):
                for work, future in group:
                    outcomes.append((future, *_attempt(self._writer, work)))
        except StoreError as error:
            outcomes = [(future, None, error) for _, future in group]
        for future, result, error_or_none in outcomes:
            _tell(future, result, error_or_none)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, rows by name; may be used from any one thread at a time."""
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"file:{_escaped(path)}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=10,
    )
    try:
        connection.row_factory = sqlite3.Row
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def read_file(path: Path, work: Callable[[sqlite3.Connection], Result]) -> Result:
    """Read a database that another process may be writing. Raises StoreError where there is none."""
    with _as_store_error(path):
        if not path.exists():
            raise StoreError(f"there is no database at {path}; start the server once, or set CHATFORGE_DATABASE_URL")
        connection = connect(path, read_only=True)
        try:
            return work(connection)
        finally:
            connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK where anything is raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the right to execute the database at `path`. Raises StoreLockedError where another process has it."""
    lock = path.with_name(path.name + ".lock")
    with _as_store_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise StoreLockedError(
                f"the database {path} is in use by another chatforge process (process id {owner}); "
                "stop that one, or set CHATFORGE_DATABASE_URL to another file"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _attempt(connection: sqlite3.Connection, work: Work) -> tuple[Any, BaseException | None]:
    connection.execute("SAVEPOINT work")
    try:
        result = work(connection)
    except sqlite3.OperationalError:
        raise  # disk full, I/O error: the whole group is in doubt
    except Exception as error:  # whatever it is, it belongs to the caller that waits
        connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")
        return None, error
    connection.execute("RELEASE work")
    return result, None


def _tell(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    loop = future.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


@contextmanager
def _as_store_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StoreError(
            f"the database {path} cannot be used: {reason}; check that its folder is writable and has room, "
            "or set CHATFORGE_DATABASE_URL to another file"
        ) from error


def _escaped(path: Path) -> str:
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
