"""Opens Postgres, 14 or newer, for the same statements as SQLite, with the same promises.

Writers come one after the other, by a lock that each transaction takes, as SQLite has it: what a transaction reads
stays true until its end. A connection that was lost is opened again for the next transaction.
"""

import asyncio
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import errors, sql
from psycopg.adapt import Dumper
from psycopg.rows import DictRow, dict_row

from connector import database
from connector.database import Cursor, Failpoint, PostgresUrl, Prepare, Values
from connector.errors import StoreError, StoreLockedError

LEAST_VERSION = 140_000
PATIENCE = 10.0
"""Seconds to wait for another process that writes."""

_OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,  # seconds, as are all of these
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,  # milliseconds
    "client_encoding": "utf8",
}
_WRITE = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(hashtext('chatforge ' || current_schema()))"
)
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_EXECUTE = "SELECT pg_try_advisory_lock(hashtext('chatforge ' || current_schema()), 1) AS held"
_OWNER = """
SELECT application_name FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid::bigint = hashtext('chatforge ' || current_schema())::bit(32)::bigint
AND objid = 1 AND objsubid = 2 AND granted
AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_SESSION = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END_SESSION = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"
_BEGIN_SESSION = f"""
SET lock_timeout = '{PATIENCE:g}s';
SET idle_in_transaction_session_timeout = '60s'; SET idle_session_timeout = 0;
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2;
SET tcp_user_timeout = '10s';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')
"""
"""A session whose other end is gone must not hold its locks for hours; what was committed must outlive a crash."""
_PLACE_OF_SCHEMA = (
    "SELECT pg_postmaster_start_time() AS server, current_database() AS database, current_schema() AS schema"
)
_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (errors.DiskFull, "make room on the disk of its server"),
    (errors.ReadOnlySqlTransaction, "let CHATFORGE_DATABASE_URL name a server that can be written"),
    (errors.LockNotAvailable, "another process keeps writing to it; see which one, and try again"),
    (errors.InsufficientPrivilege, "let its user own a schema, or create tables in it"),
    (errors.InvalidSchemaName, "create the schema that its search_path names"),
    (errors.UndefinedTable, "start chatforge serve once, which makes what is missing"),
    (errors.UndefinedColumn, "an earlier version has made it; start chatforge serve once, or chatforge db upgrade"),
)
_ADVICE_TO_CONNECT = (
    ("password|no pg_hba.conf entry", "correct its user and password"),
    ('role "[^"]*" does not exist', "correct its user"),
    ('database "[^"]*" does not exist', "create it, or correct its name"),
)
"""What a server says before a session has begun comes without a code."""
_STATEMENT_FAULTS = (psycopg.IntegrityError, psycopg.ProgrammingError, psycopg.DataError)  # not the database's

Result = TypeVar("Result")


class Database(database.Database):
    """A schema of a Postgres database: the first one of the search path."""

    def __init__(
        self,
        url: PostgresUrl,
        *,
        prepare: Prepare | None = None,
        hold: "Hold | None" = None,
        failpoint: Failpoint | None = None,
    ) -> None:
        """Open it, and let `prepare` make what is missing. With a `hold`, nothing is written without that right."""
        self._url = url
        writer = _Driver(url, _WRITE, hold)
        try:
            if prepare is not None:
                with writer.transaction() as connection:
                    prepare(connection)
        except BaseException:
            writer.close()
            raise
        super().__init__(str(url), writer, _Driver(url, _READ), failpoint)

    async def give_back(self) -> bool:
        """Nothing is moved: new rows take the space."""
        await asyncio.to_thread(_vacuum, self._url)
        return False


def expunge(url: PostgresUrl) -> None:
    """Write the tables anew, without what was removed from them. Who wants to use one waits. Raises StoreError."""
    _vacuum(url, "VACUUM FULL {}")


def _vacuum(url: PostgresUrl, statement: LiteralString = "VACUUM {}") -> None:
    with explained(url), closing(_connect(url)) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        for table in tables:
            connection.execute(sql.SQL(statement).format(sql.Identifier(table["tablename"])))


def read(url: PostgresUrl, work: Callable[[Any], Result]) -> Result:
    """Read one state of the database. Raises StoreError."""
    driver = _Driver(url, _READ)
    try:
        with driver.transaction() as connection:
            return work(connection)
    finally:
        driver.close()


@contextmanager
def versions(url: PostgresUrl) -> Iterator[Callable[[], object]]:
    """A function that gives another value some time after each change by anybody. Raises StoreError."""
    query = (
        "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) AS changes FROM pg_stat_user_tables "
        "WHERE schemaname = current_schema()"
    )
    yield lambda: read(url, lambda connection: connection.execute(query).fetchone()["changes"])


def write(url: PostgresUrl, work: Callable[[Any], Result], hold: "Hold | None" = None) -> Result:
    """Do `work` in one transaction, on the calling thread, which may be interrupted. Raises StoreError."""
    driver = _Driver(url, _WRITE, hold)
    try:
        with driver.transaction() as connection:
            return work(connection)
    finally:
        driver.close()


def find_place(url: PostgresUrl) -> tuple[Any, ...]:
    """The same for all addresses of one schema."""
    place = read(url, lambda connection: connection.execute(_PLACE_OF_SCHEMA).fetchone())
    return tuple(place.values())


class Hold:
    """The right to execute a database. One connection has it, and what this process writes goes through that one."""

    def __init__(self, url: PostgresUrl) -> None:
        self._url = url
        self._connection: psycopg.Connection[DictRow] | None = None
        self._session: tuple[int, datetime] | None = None
        """The process id and the start of the last session that had the right."""

    def connect(self) -> psycopg.Connection[DictRow]:
        """The connection; a new one where it was lost. Raises StoreLockedError where another process has the right."""
        if self._connection is None or self._connection.closed:
            self._connection = self._take()
        return self._connection

    def let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take(self) -> psycopg.Connection[DictRow]:
        connection = _connect(self._url)
        try:
            if self._session is not None:  # the server may not know yet that its other end is gone
                connection.execute(_END_SESSION, self._session)
            self._lock(connection)
            self._session = tuple((connection.execute(_SESSION).fetchone() or {}).values())
        except BaseException:
            connection.close()
            raise
        return connection

    def _lock(self, connection: psycopg.Connection[DictRow]) -> None:
        held = connection.execute(_EXECUTE).fetchone()
        if held and held["held"]:
            return
        owner = connection.execute(_OWNER).fetchone()
        raise StoreLockedError(
            f"the database {self._url} is in use by another chatforge process "
            f"({owner['application_name'] if owner else 'unknown'}); "
            "stop that one, or set CHATFORGE_DATABASE_URL to another database"
        )


@contextmanager
def exclusive(url: PostgresUrl) -> Iterator[Hold]:
    """Hold the right to execute the database. Raises StoreLockedError where another process has it."""
    hold = Hold(url)
    with explained(url):
        hold.connect()
    try:
        yield hold
    finally:
        hold.let_go()


def is_executed(url: PostgresUrl) -> bool:
    """Whether a process has `exclusive`."""
    return read(url, lambda connection: connection.execute(_OWNER).fetchone() is not None)


def exists(url: PostgresUrl) -> bool:
    """Whether there are tables."""
    return read(url, lambda connection: bool(connection.columns("schema_version")))


class _Connection:
    """A transaction; takes the statements of SQLite."""

    def __init__(self, connection: psycopg.Connection[DictRow]) -> None:
        self.connection = connection

    def execute(self, statement: str, values: Values = ()) -> Cursor:
        return self.connection.execute(translate(statement), values)

    def executemany(self, statement: str, values: Iterable[Values]) -> Cursor:
        cursor = self.connection.cursor()
        cursor.executemany(translate(statement), values)
        return cursor

    def columns(self, table: str) -> set[str]:
        query = (
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = ?"
        )
        return {row["column_name"] for row in self.execute(query, (table,))}


class _Driver:
    """A connection that is opened when it is needed, and again where it was lost."""

    def __init__(self, url: PostgresUrl, begin: str, hold: Hold | None = None) -> None:
        self._url, self._begin, self._hold = url, begin, hold
        self._connection: psycopg.Connection[DictRow] | None = None

    @contextmanager
    def transaction(self) -> Iterator[_Connection]:
        with self.explained():
            connection = self._start()
            try:
                yield _Connection(connection)
                self._commit(connection)
            except BaseException:
                _undo(connection)
                raise

    def _start(self) -> psycopg.Connection[DictRow]:
        """Begin a transaction, on a new connection where the old one was lost meanwhile."""
        while True:
            is_new = self._connection is None
            connection = self._connection = self._connection or self._connect()
            try:
                connection.execute(self._begin)
            except psycopg.Error:
                _undo(connection)
                if is_new or not connection.closed:
                    raise
                self._connection = None
            else:
                return connection

    def _connect(self) -> psycopg.Connection[DictRow]:
        return _connect(self._url) if self._hold is None else self._hold.connect()

    def _commit(self, connection: psycopg.Connection[DictRow]) -> None:
        try:
            done = connection.execute("COMMIT").statusmessage
        except psycopg.OperationalError as error:
            raise StoreError(
                f"the connection to {self._url} broke during a commit, so nobody knows whether that was kept; "
                "what is done next reads it again"
            ) from error
        if done != "COMMIT":
            raise StoreError(f"the database {self._url} undid a transaction instead of keeping it")

    def explained(self) -> AbstractContextManager[None]:
        return explained(self._url)

    @property
    def in_transaction(self) -> bool:
        return self._connection is not None and not self._connection.closed

    def close(self) -> None:
        if self._connection is not None and self._hold is None:
            self._connection.close()
        self._connection = None


class _Truth(Dumper):
    """Columns hold 0 and 1."""

    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


def _undo(connection: psycopg.Connection[DictRow]) -> None:
    with suppress(psycopg.OperationalError):  # it is lost, and with it the transaction
        connection.execute("ROLLBACK")


def _connect(url: PostgresUrl) -> psycopg.Connection[DictRow]:
    try:
        connection = psycopg.connect(
            url.url,
            autocommit=True,
            row_factory=dict_row,
            cursor_factory=psycopg.ClientCursor,  # values go within the statement, so that their types are found there
            application_name=f"chatforge {os.getpid()} on {socket.gethostname()}",
            **_OPTIONS,
        )
    except psycopg.ProgrammingError:  # it quotes what may be a part of the password
        raise StoreError(f"the URL of the database {url} cannot be read; correct CHATFORGE_DATABASE_URL") from None
    try:
        _begin_session(connection, url)
    except BaseException:
        connection.close()
        raise
    return connection


def _begin_session(connection: psycopg.Connection[DictRow], url: PostgresUrl) -> None:
    if connection.info.server_version < LEAST_VERSION:
        version = connection.info.server_version // 10_000
        raise StoreError(f"the server of {url} is Postgres {version}; use 14 or newer")
    connection.adapters.register_dumper(bool, _Truth)
    connection.execute(_BEGIN_SESSION)


_TABLE = re.compile(r"(CREATE TABLE|ALTER TABLE)\b")
_TYPES = {
    r"\bINTEGER PRIMARY KEY": "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    r"\bINTEGER\b": "BIGINT",
    r"\bREAL\b": "DOUBLE PRECISION",
    r"\bTEXT\b": 'TEXT COLLATE "C"',
    r"\s*WITHOUT ROWID": "",
}
_PLACE = re.compile(r"'[^']*'|\?|(?<!:):([a-z_]+)")
_EACH = re.compile(r"json_each\((%s|%\([a-z_]+\)s)\)")


@lru_cache(maxsize=1024)
def translate(statement: str) -> str:
    """The statement in the words of Postgres and of psycopg."""
    if _TABLE.match(statement):
        for pattern, replacement in _TYPES.items():
            statement = re.sub(pattern, replacement, statement)
        return statement
    translated = _PLACE.sub(_place, statement.replace("%", "%%"))
    return _EACH.sub(r"json_array_elements_text((\1)::json) AS json_each(value)", translated)


def _place(match: re.Match[str]) -> str:
    if match[0].startswith("'"):
        return match[0]
    return f"%({match[1]})s" if match[1] else "%s"


@contextmanager
def explained(url: PostgresUrl) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        advice = next((advice for kind, advice in _ADVICE if isinstance(error, kind)), None)
        if advice is None and isinstance(error, _STATEMENT_FAULTS):
            raise
        advice = advice or next((told for pattern, told in _ADVICE_TO_CONNECT if re.search(pattern, str(error))), None)
        advice = advice or "see that its server runs, or set CHATFORGE_DATABASE_URL to another one"
        reason = error.diag.message_primary or _first_line(error)
        raise StoreError(f"the database {url} cannot be used: {reason}; {advice}") from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line), type(error).__name__)
