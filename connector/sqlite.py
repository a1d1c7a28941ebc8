"""Opens SQLite: write-ahead log, full synchronisation, one writer with group commit, plain readers.

`synchronous=FULL` because NORMAL may lose committed work on power loss; where that is no harm, NORMAL can be chosen,
which does not wait for the disk.
"""

import errno
import fcntl
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from connector import database
from connector.database import Columns, Failpoint, Prepare, split_script
from connector.errors import StoreError, StoreLockedError

PATIENCE = 10.0
"""Seconds to wait for another process that writes."""

_ADVICE = {
    sqlite3.SQLITE_BUSY: "another process keeps writing to it; see which one, and try again",
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_CORRUPT: "restore it from a backup, or set CHATFORGE_DATABASE_URL to another file",
    sqlite3.SQLITE_NOTADB: "set CHATFORGE_DATABASE_URL to another file",
}
_ADVICE_FOR_FILES = {
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "name a file in a folder",
    errno.EEXIST: "name a file in a folder",
    errno.ENAMETOOLONG: "name it shorter",
    errno.EACCES: "let this user write to the file and to its folder",
    errno.EROFS: "name a file where this user may write",
}
SHRINKING = "PRAGMA auto_vacuum=INCREMENTAL"
_INCREMENTAL = 2
_PAGES_GIVEN_BACK = 500
_LARGEST_LOG = 16_000_000  # bytes that a log keeps once it is merged

_OF_EARLIER = re.compile("no such (table|column)")
_STATEMENT_FAULTS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)  # not the database's

Synchronous = Literal["FULL", "NORMAL"]
Result = TypeVar("Result")
Identity = tuple[int, int]


class Database(database.Database):
    """One SQLite file."""

    def __init__(
        self,
        path: Path,
        schema: str = "",
        patience: float = PATIENCE,
        synchronous: Synchronous = "FULL",
        *,
        prepare: Prepare | None = None,
        failpoint: Failpoint | None = None,
    ) -> None:
        """Open `path`, creating it from `schema` (statements with IF NOT EXISTS) or by `prepare` where it is new."""
        self.path = path
        with explained(path), ExitStack() as opened:
            require_regular(path)
            _make_folder(path)
            writer = opened.enter_context(closing(connect(path, patience=patience, synchronous=synchronous)))
            reader = opened.enter_context(closing(connect(path, patience=patience)))
            reader.execute("PRAGMA query_only=ON")
            with transaction(writer):
                _prepare(writer, schema, prepare)
            self.identity = find_identity(path)
            opened.pop_all()
        writing = _Driver(writer, path, "BEGIN IMMEDIATE", self.identity)
        super().__init__(str(path), writing, _Driver(reader, path, "BEGIN"), failpoint)

    @property
    def shrinks(self) -> bool:
        return self.read(shrinks)

    async def give_back(self) -> bool:
        return self.shrinks and await self.write(_give_back)


class _Driver:
    """A connection to a file. Whoever writes gives its `identity`."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, begin: str, identity: Identity | None = None
    ) -> None:
        self._connection, self._path, self._begin, self._identity = connection, path, begin, identity
        self._beside = {name: Path(f"{os.path.realpath(path)}{name}") for name in ("-wal", ".lock")}
        self._known: dict[str, Identity | None] = {}

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self.explained(), transaction(self._connection, self._begin):
            yield self._connection
            if self._identity is not None:
                self._require_file()

    def explained(self) -> AbstractContextManager[None]:
        return explained(self._path)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def close(self) -> None:
        self._connection.close()

    def _require_file(self) -> None:
        """SQLite would go on writing to a file, or a log, that has lost its name, and a restart would not find it."""
        if find_identity(self._path) != self._identity:
            raise StoreError(f"the database {self._path} was moved or deleted while in use; restart this process")
        for name, path in self._beside.items():
            found = find_identity(path)
            if found != self._known.setdefault(name, found) and self._known[name] is not None:
                raise StoreError(f"the file {path} was moved or deleted while in use; restart this process")


def shrinks(connection: sqlite3.Connection) -> bool:
    """Whether the space of removed rows can be given back, which a file of an earlier version does not."""
    return bool(connection.execute("PRAGMA auto_vacuum").fetchone()[0] == _INCREMENTAL)


def _give_back(connection: sqlite3.Connection) -> bool:
    """Move what stands behind unused pages into them; the next merge of the log cuts the file off."""
    for _ in range(_PAGES_GIVEN_BACK):  # Python goes only one step, whatever number the statement has
        connection.execute("PRAGMA incremental_vacuum(1)")
    return bool(connection.execute("PRAGMA freelist_count").fetchone()[0])


def _prepare(connection: sqlite3.Connection, schema: str, prepare: Prepare | None) -> None:
    for statement in split_script(schema):
        connection.execute(statement)
    if prepare is not None:
        prepare(connection)


def columns_of(connection: sqlite3.Connection) -> Columns:
    return lambda table: {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}


def connect(
    path: Path,
    *,
    read_only: bool = False,
    immutable: bool = False,
    patience: float = PATIENCE,
    synchronous: Synchronous = "FULL",
) -> sqlite3.Connection:
    """A connection in autocommit mode, rows by name; may be used from any one thread at a time.

    `immutable`: nobody writes to it meanwhile, and no file is made beside it.
    """
    if not read_only and not path.exists():
        os.close(_open_privately(path, os.O_RDWR | os.O_CREAT))  # SQLite would let everybody read it
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}{'&immutable=1' if immutable else ''}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=patience,
    )
    try:
        connection.row_factory = sqlite3.Row
        if not read_only:
            if not path.exists() or not path.stat().st_size:  # later it would be a write
                connection.execute(SHRINKING)
            connection.execute(f"PRAGMA journal_size_limit={_LARGEST_LOG}")
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
    with explained(path):
        if not path.exists():
            raise StoreError(f"there is no database at {path}; start the server once, or set CHATFORGE_DATABASE_URL")
        require_regular(path)
        with closing(connect(path, read_only=True)) as connection, transaction(connection, "BEGIN"):
            return work(connection)


@contextmanager
def versions(path: Path) -> Iterator[Callable[[], object]]:
    """A function that gives another value after each change by anybody. Raises StoreError."""
    with explained(path), closing(connect(path, read_only=True)) as connection:
        yield lambda: connection.execute("PRAGMA data_version").fetchone()[0]


def write_file(path: Path, work: Callable[[sqlite3.Connection], Result]) -> Result:
    """Do `work` in one transaction, on the calling thread, which may be interrupted. Creates the file."""
    with explained(path):
        _make_folder(path)
        with closing(connect(path)) as connection, transaction(connection):
            return work(connection)


def _make_folder(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _open_privately(path: Any, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def is_same(path: Path, other: Path) -> bool:
    """Whether both are names of one file, which need not be there yet."""
    known = find_identity(path)
    return os.path.realpath(path) == os.path.realpath(other) or (known is not None and known == find_identity(other))


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
    with explained(path):
        _refuse_other_file(path)  # before anything is left beside it
        _make_folder(lock)
        file = open(lock, "ab+", buffering=0, opener=_open_privately)  # noqa: SIM115 - it is closed below
    with file:
        with explained(path):
            if not _lock(file):
                file.seek(0)
                owner = file.read().decode().strip() or "unknown"
                raise StoreLockedError(
                    f"the database {path} is in use by another chatforge process (process id {owner}); "
                    "stop that one, or set CHATFORGE_DATABASE_URL to another file"
                )
            file.truncate(0)
            file.write(f"{os.getpid()}\n".encode())
        yield


def _lock(file: IO[bytes]) -> bool:
    """Whether nobody else has it; who only looks has it for a moment."""
    for seconds in (0.02, 0.05, 0.1, 0):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(seconds)
    return False


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


def require_regular(path: Path) -> None:
    """Without opening the file: to close it would let go the locks that this process has on it elsewhere."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists() and not path.is_file():  # opening a pipe would wait for its other end
        raise sqlite3.DatabaseError("it is neither a file nor a link to one")


def _refuse_other_file(path: Path) -> None:
    require_regular(path)
    if path.exists() and (names := path.stat().st_nlink) > 1:  # SQLite finds the log of the last writes by the name
        raise StoreError(
            f"the database {path} has {names} names (hard links), of which SQLite knows one; keep only that"
        )
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
            if code_of(error) != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        if isinstance(error, _STATEMENT_FAULTS):
            raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        advice = _ADVICE.get(code_of(error), "check its folder and the room on disk, or set CHATFORGE_DATABASE_URL")
        if isinstance(error, OSError):
            advice = _ADVICE_FOR_FILES.get(error.errno or 0, advice)
        if _OF_EARLIER.match(reason):
            advice = "an earlier version or another program has made it; see: chatforge db check"
        raise StoreError(f"the database {path} cannot be used: {reason}; {advice}") from error


def code_of(error: Exception) -> int:
    """SQLite's primary result code, 0 for other errors."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def find_identity(path: Path) -> Identity | None:
    """Device and inode, which a file keeps when it is moved; None where no file can be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_connection(connection: object) -> bool:
    return isinstance(connection, sqlite3.Connection)
