"""Where the ledger is kept: in a file that all processes of the machine share, or in memory."""

import asyncio
import fcntl
import logging
import math
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from connector.chatforge.budget.ledger import SCHEMA
from connector.errors import StoreError
from connector.sqlite import Database, Identity, find_identity, transaction

log = logging.getLogger("connector.chatforge.budget")

OPEN_AGAIN = 10.0
"""Seconds after which a file that could not be used is tried again."""
_PATIENCE = 0.2  # seconds that a write waits for another process, on a thread of its own
_PAUSE = 0.02
_TRIES = 10
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNREADABLE = (TypeError, ValueError, LookupError, sqlite3.Error)  # what rows lead to that are not ours

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]


class Storage(Protocol):
    """Keeps the ledger. `fault` says why other processes do not share it, where they should."""

    @property
    def fault(self) -> str | None: ...

    async def run(self, work: Work[Result]) -> Result:
        """Run `work` in a transaction."""
        ...

    async def aclose(self) -> None: ...


class Memory:
    """A ledger for the tasks of one event loop."""

    fault: str | None = None

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Work[Result]) -> Result:
        self._connection = self._connection or _open_memory()
        with transaction(self._connection):
            return work(self._connection)

    async def aclose(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SharedFile:
    """A ledger in a file. While that cannot be used, it is kept in memory, and the file is tried again.

    A file that is broken is moved aside, and a new one is begun. It belongs to one event loop.
    """

    def __init__(self, path: Path, open_again: float = OPEN_AGAIN) -> None:
        self.path = path
        self._pause = open_again
        self.fault: str | None = None
        self._database: Database | None = None
        self._opening: asyncio.Task[None] | None = None
        self._memory: Memory | None = None
        self._open_again = -math.inf

    async def run(self, work: Work[Result]) -> Result:
        for number in range(1, _TRIES + 1):
            database = None
            try:
                database = await self._open()
                if database is None:
                    break
                result = await database.write(work)
            except (StoreError, *_UNREADABLE) as error:
                await self._look_at(database, error, last=number == _TRIES)
            else:
                await self._forget_fault()
                return result
        if self._memory is None:
            self._memory = Memory()
        return await self._memory.run(work)

    async def _open(self) -> Database | None:
        """The open file; None while it is left alone. Raises StoreError."""
        if asyncio.get_running_loop().time() < self._open_again:
            return None
        if self._database is None:
            if self._opening is None:
                self._opening = asyncio.create_task(self._open_now())
            await asyncio.shield(self._opening)  # a caller that is cancelled must not leave it half open
        return self._database

    async def _open_now(self) -> None:
        try:
            self._database = await asyncio.to_thread(_open_file, self.path)
        finally:
            self._opening = None

    async def _look_at(self, database: Database | None, error: Exception, *, last: bool) -> None:
        """Decide what to do after a failure: wait for another process, open the file anew, or do without."""
        if last:
            self._open_again = asyncio.get_running_loop().time() + self._pause
            self._say(error)
        elif _code(error) == sqlite3.SQLITE_BUSY:
            await asyncio.sleep(_PAUSE)
            return
        if database is None or self._database is not database:
            return
        self._database = None
        await asyncio.to_thread(database.close)
        if isinstance(error, _UNREADABLE) or _code(error) in _BROKEN:
            await asyncio.to_thread(_move_aside, self.path, database.identity, error)

    def _say(self, error: Exception) -> None:
        """Once, until the file can be used again."""
        if self.fault is None:
            self.fault = describe_fault(self.path, error)
            log.warning("%s", self.fault)

    async def _forget_fault(self) -> None:
        if self.fault is not None:
            log.warning("the request budget is shared with other processes again, by %s", self.path)
            self.fault = None
        memory, self._memory = self._memory, None
        if memory is not None:
            await memory.aclose()

    async def aclose(self) -> None:
        if self._opening is not None:
            await asyncio.wait([self._opening])
        database, self._database = self._database, None
        if database is not None:
            await asyncio.to_thread(database.close)
        memory, self._memory = self._memory, None
        if memory is not None:
            await memory.aclose()


def describe_fault(path: Path, error: Exception) -> str:
    """Why the file cannot be used, and what to do."""
    cause = error.__cause__ or error
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return (
        f"the budget file {path} cannot be used: {reason}, so requests of other processes are not counted; "
        "correct its permissions or make room, or set CHATFORGE_BUDGET_FILE to another file"
    )


def _open_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.executescript(SCHEMA)
    return connection


def _open_file(path: Path) -> Database:
    """Raises StoreError."""
    identity = find_identity(path)
    try:
        return Database(path, SCHEMA, _PATIENCE, "NORMAL")
    except StoreError as error:
        if _code(error) not in _BROKEN:
            raise
        _move_aside(path, identity, error)
    return Database(path, SCHEMA, _PATIENCE, "NORMAL")


def _move_aside(path: Path, identity: Identity | None, error: Exception) -> None:
    """Rename the file and what belongs to it, unless another process has done so meanwhile."""
    with suppress(OSError), Path(f"{path}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if identity is None or find_identity(path) != identity:
            return
        for end in ("-wal", "-shm", ""):  # the log first: a new file must not find it
            with suppress(FileNotFoundError):
                os.replace(f"{path}{end}", f"{path}.broken{end}")
        log.warning(
            "the budget file %s is broken (%s) and was moved to %s.broken", path, error.__cause__ or error, path
        )


def _code(error: Exception) -> int:
    """SQLite's primary result code, 0 for other errors."""
    return int(getattr(error.__cause__ or error, "sqlite_errorcode", 0)) & 0xFF
