"""What the journal's statements run on, whichever database it is, and the thread that commits them.

The statements are written once, in what SQLite and Postgres have in common: `?` and `:name` stand for values, truth is
0 or 1, and `json_each(:list)` gives the elements of a JSON list of texts.

Writes that wait together share one commit and its fsync: the writer thread does them in one transaction, and nobody is
told before the commit. Reads never wait for it.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

from connector.errors import StoreError

_GROUP = 256  # writes a commit at most, so that the first one of a burst does not wait for the last

Values = Sequence[Any] | Mapping[str, Any]
Result = TypeVar("Result")


class Row(Protocol):
    """A row, by the names of its columns."""

    def __getitem__(self, name: str, /) -> Any: ...

    def keys(self) -> Iterable[str]: ...


class Cursor(Protocol):
    @property
    def rowcount(self) -> int:
        """Rows that the statement has changed."""

    def fetchone(self) -> Any:
        """The next row; None where there is none."""

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A transaction that has begun."""

    def execute(self, statement: str, values: Values = ..., /) -> Cursor: ...

    def executemany(self, statement: str, values: Iterable[Values], /) -> Cursor: ...


Work = Callable[[Connection], Any]
Outcome = tuple[Any, BaseException | None]
Columns = Callable[[str], set[str]]
"""The columns of a table; none where there is no such table."""
Prepare = Callable[[Connection], object]
"""Brings the tables of a database up to what this program expects."""
Failpoint = Callable[[Literal["before commit", "after commit"]], None]
"""Is told by the writer thread, for tests that let the process die there."""


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """A database on a Postgres server. Its text does not show the password."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        place = parts.hostname or "localhost"
        return f"postgresql://{place}{f':{parts.port}' if parts.port else ''}{parts.path}"


class Driver(Protocol):
    """A connection to a database, used by one thread at a time."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """Begin and commit, or undo where anything is raised. The database's errors are raised as StoreError."""

    def explained(self) -> AbstractContextManager[None]:
        """Raise the database's errors as StoreError."""

    @property
    def in_transaction(self) -> bool:
        """False where an error has undone the transaction."""

    def close(self) -> None: ...


class Database:
    """`await write(work)` on the writer thread, `read(work)` at once. `writer` and `reader` belong to it."""

    def __init__(self, name: str, writer: Driver, reader: Driver, failpoint: Failpoint | None = None) -> None:
        self.name = name
        self._writer, self._reader, self._failpoint = writer, reader, failpoint
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._write_all, name=f"writer of {name}", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[Any], Result]) -> Result:
        """Run `work` in a transaction and return its result once that is committed and synced.

        Where another one of the same commit fails, it is run once more, from the start. What it raises is raised here,
        the database's errors as StoreError; then nothing of it was kept, unless the error says that nobody knows.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        with self._closing:
            if self._closed:
                raise StoreError(f"the database {self.name} is closed; open it again")
            self._queue.put(_Waiting(work, future))
        return await future  # who is cancelled meanwhile does not cancel the write

    def read(self, work: Callable[[Any], Result]) -> Result:
        """Run `work`, which only reads and sees one state of the database, on the calling thread."""
        with self._reader.transaction() as connection:
            return work(connection)

    @property
    def shrinks(self) -> bool:
        """Whether `give_back` does what it says."""
        return True

    async def give_back(self) -> bool:
        """Give back a part of the space that removed rows had; whether there is more of it. Raises StoreError."""
        return False

    def close(self) -> None:
        """Finish the writes that wait, then close the database."""
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
                _tell(writes, self._commit(writes))

    def _commit(self, writes: Sequence["_Waiting"]) -> Sequence[Outcome]:
        """Do the writes in one transaction; where one of them fails, all again, each so that it can be undone alone."""
        works = [one.work for one in writes]
        outcomes: list[Outcome] = []
        begun: list[Work] = []

        def do(connection: Connection, work: Work) -> Outcome:
            begun.append(work)
            return work(connection), None

        try:
            self._transact(works, do, outcomes)
        except Exception as error:  # whatever it is, the thread must go on
            # No other try where the transaction did not begin, for which was waited already, or the commit failed.
            if not begun or len(works) == 1 or len(outcomes) == len(works):
                return [(None, error)] * len(works)
        else:
            return outcomes
        outcomes = []
        try:
            self._transact(works, self._attempt, outcomes)
        except Exception as error:
            return [(None, error)] * len(works)
        return outcomes

    def _transact(
        self, works: Sequence[Work], do: Callable[[Connection, Work], Outcome], outcomes: list[Outcome]
    ) -> None:
        with self._writer.transaction() as connection:
            outcomes.extend(do(connection, work) for work in works)
            self._note("before commit")
        self._note("after commit")

    def _attempt(self, connection: Connection, work: Work) -> Outcome:
        """Do one write; where it fails, undo it alone."""
        connection.execute("SAVEPOINT work")
        try:
            with self._writer.explained():
                result = work(connection)
        except Exception as error:  # whatever it is, it belongs to the caller that waits
            if not self._writer.in_transaction:
                raise  # the whole group is undone
            connection.execute("ROLLBACK TO SAVEPOINT work")
            connection.execute("RELEASE SAVEPOINT work")
            return None, error
        connection.execute("RELEASE SAVEPOINT work")
        return result, None

    def _note(self, moment: Literal["before commit", "after commit"]) -> None:
        if self._failpoint is not None:
            self._failpoint(moment)


@dataclass(frozen=True, slots=True)
class _Waiting:
    work: Work
    future: asyncio.Future[Any]

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self.future.get_loop()


def _tell(writes: Sequence[_Waiting], outcomes: Sequence[Outcome]) -> None:
    """Wake each event loop once."""
    told: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
    for one, outcome in zip(writes, outcomes, strict=True):
        told.setdefault(one.loop, []).append((one.future, outcome))
    for loop, theirs in told.items():
        with suppress(RuntimeError):  # the event loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(_resolve, theirs)


def _resolve(told: Sequence[tuple[asyncio.Future[Any], Outcome]]) -> None:
    for future, (result, error) in told:
        if future.cancelled():  # nobody waits any more
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def split_script(script: str) -> list[str]:
    """The statements of a script, without its comments; no text in it has a semicolon."""
    lines = [line for line in script.splitlines() if not line.lstrip().startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]
