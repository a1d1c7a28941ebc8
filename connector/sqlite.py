"""Opens SQLite: write-ahead log, full synchronisation, one writer with group commit, plain readers.

`synchronous=FULL` because NORMAL may lose committed work on power loss; where that is no harm, NORMAL can be chosen,
which does not wait for the disk. Writes that wait together share one
fsync: the writer thread runs each in a savepoint of one transaction, and nobody is told before the commit.
"""

import asyncio
import errno
import fcntl
import os
import queue
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from connector.errors import StoreError, StoreLockedError

PATIENCE = 10.0
"""Seconds to wait for another process that writes."""

_GROUP = 256  # writes a commit at most, so that the first one of a burst does not wait for the last
_ADVICE = {
    sqlite3.SQLITE_BUSY: "another process keeps writing to it; see which one, and try again",
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_CORRUPT: "restore it from a backup, or set CHATFORGE_DATABASE_URL to another file",
    sqlite3.SQLITE_NOTADB: "set CHATFORGE_DATABASE_URL to another file",
}
_OF_EARLIER = re.compile("no such (table|column)")
_STATEMENT_FAULTS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)  # not the database's

Synchronous = Literal["FULL", "NORMAL"]
Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Any]
Identity = tuple[int, int]
Outcome = tuple[Any, BaseException | None]


class Database:
    """One SQLite file: `await write(work)` on its writer thread, `read(work)` on a plain connection."""

    def __init__(
        self,
        path: Path,
        schema: str,
        patience: float = PATIENCE,
        synchronous: Synchronous = "FULL",
        upgrade: Work = lambda _connection: None,
    ) -> None:
        """Open `path`, creating it from `schema` (statements with IF NOT EXISTS) where it is new.

        `upgrade` is called in a transaction, to bring an older file up to the schema.
        """
        self.path = path
        self._queue: queue.SimpleQueue[tuple[Work, asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        with _as_store_error(path), ExitStack() as opened:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = opened.enter_context(closing(connect(path, patience=patience, synchronous=synchronous)))
            self._reader = opened.enter_context(closing(connect(path, patience=patience)))
            self._reader.execute("PRAGMA query_only=ON")
            self._writer.executescript(f"BEGIN IMMEDIATE; {schema}; COMMIT;")
            with transaction(self._writer):
                upgrade(self._writer)
            self.identity = find_identity(path)
            opened.pop_all()
        self._thread = threading.Thread(target=self._write_all, name=f"writer of {path.name}", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` in a transaction and return its result once that is committed and synced.

        What `work` raises is raised here, SQLite's errors as StoreError; then nothing of it was kept.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        with self._closing:
            if self._closed:
                raise StoreError(f"the database {self.path} is closed; open it again")
            self._queue.put((work, future))
        # A cancelled waiter must not cancel the write, which may be committed already.
        return await asyncio.shield(future)

    def read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work`, which only reads and sees one state of the database, on the calling thread."""
        with _as_store_error(self.path), transaction(self._reader, "BEGIN"):
            return work(self._reader)

    def close(self) -> None:
        """Finish the writes that wait, then close the file."""
        with self._closing:
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._reader.close()
        self._writer.close()

    def _write_all(self) -> None:
        closing = False
        while not closing:
            group = [self._queue.get()]
            while len(group) < _GROUP and not self._queue.empty():
                group.append(self._queue.get())
            closing = group[-1] is None  # nothing is queued after it
            if writes := [item for item in group if item is not None]:
                self._commit(writes)

    def _commit(self, group: list[tuple[Work, asyncio.Future[Any]]]) -> None:
        try:
            with _as_store_error(self.path), transaction(self._writer):
                outcomes = [self._attempt(work) for work, _ in group]
                self._require_file()
        except Exception as error:  # whatever it is, the thread must go on
            outcomes = [(None, error)] * len(group)
        for (_, future), (result, error_or_none) in zip(group, outcomes, strict=True):
            _tell(future, result, error_or_none)

    def _attempt(self, work: Work) -> Outcome:
        """Run one write; where it fails, undo it alone."""
        self._writer.execute("SAVEPOINT work")
        try:
            with _as_store_error(self.path):
                result = work(self._writer)
        except Exception as error:  # whatever it is, it belongs to the caller that waits
            if not self._writer.in_transaction:
                raise  # SQLite has undone the whole group
            self._writer.execute("ROLLBACK TO work")
            self._writer.execute("RELEASE work")
            return None, error
        self._writer.execute("RELEASE work")
        return result, None

    def _require_file(self) -> None:
        """SQLite would go on writing to a file that has lost its name, and a restart would not find it."""
        if find_identity(self.path) != self.identity:
            raise StoreError(f"the database {self.path} was moved or deleted while in use; restart this process")


def connect(
    path: Path, *, read_only: bool = False, patience: float = PATIENCE, synchronous: Synchronous = "FULL"
) -> sqlite3.Connection:
    """A connection in autocommit mode, rows by name; may be used from any one thread at a time."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=patience,
    )
    try:
        connection.row_factory = sqlite3.Row
        if not read_only:
            _use_wal(connection, time.monotonic() + patience)
            connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def open_memory(schema: str) -> sqlite3.Connection:
    """A database that nobody else sees, gone when it is closed."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.executescript(schema)
    return connection


def read_file(path: Path, work: Callable[[sqlite3.Connection], Result]) -> Result:
    """Read one state of a database that another process may be writing. Raises StoreError where there is none."""
    with _as_store_error(path):
        if not path.exists():
            raise StoreError(f"there is no database at {path}; start the server once, or set CHATFORGE_DATABASE_URL")
        _require_regular(path)
        with closing(connect(path, read_only=True)) as connection, transaction(connection, "BEGIN"):
            return work(connection)


@contextmanager
def transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """BEGIN … COMMIT, or ROLLBACK where anything is raised."""
    connection.execute(begin)
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
    lock = Path(os.path.realpath(path) + ".lock")  # one lock for all names of the file
    with _as_store_error(path):
        _refuse_other_file(path)  # before anything is left beside it
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("ab+", buffering=0)
    with file:
        with _as_store_error(path):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                owner = file.read().decode().strip() or "unknown"
                raise StoreLockedError(
                    f"the database {path} is in use by another chatforge process (process id {owner}); "
                    "stop that one, or set CHATFORGE_DATABASE_URL to another file"
                ) from error
            file.truncate(0)
            file.write(f"{os.getpid()}\n".encode())
        yield


def is_executed(path: Path) -> bool:
    """Whether a process has `exclusive`. The shared lock that is tried is let go at once."""
    try:
        with Path(os.path.realpath(path) + ".lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _require_regular(path: Path) -> None:
    """Without opening the file: to close it would let go the locks that this process has on it elsewhere."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():  # opening a pipe would wait for its other end
        raise sqlite3.DatabaseError("it is neither a file nor a link to one")


def _refuse_other_file(path: Path) -> None:
    _require_regular(path)
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                raise sqlite3.DatabaseError("file is not a database")


def _use_wal(connection: sqlite3.Connection, end: float) -> None:
    """Here SQLite does not wait for another process, as it does elsewhere."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _tell(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    with suppress(RuntimeError):  # the event loop is closed, and nobody waits any more
        if error is None:
            future.get_loop().call_soon_threadsafe(future.set_result, result)
        else:
            future.get_loop().call_soon_threadsafe(future.set_exception, error)


@contextmanager
def _as_store_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        if isinstance(error, _STATEMENT_FAULTS):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        advice = _ADVICE.get(_code(error), "check its folder and the room on disk, or set CHATFORGE_DATABASE_URL")
        if _OF_EARLIER.match(reason):
            advice = "an earlier version has made it; start chatforge serve once, which brings it up to this one"
        raise StoreError(f"the database {path} cannot be used: {reason}; {advice}") from error


def _code(error: Exception) -> int:
    """SQLite's primary result code, 0 for other errors."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def find_identity(path: Path) -> Identity | None:
    """Device and inode, which a file keeps when it is moved; None where no file can be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
