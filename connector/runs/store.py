"""The journal's database: each call is one transaction."""

from collections.abc import Callable
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from connector import engines
from connector.database import Connection, Failpoint
from connector.engines import Address
from connector.runs.journal import Journal
from connector.runs.upkeep.migrations import upgrade

Result = TypeVar("Result")
P = ParamSpec("P")


class Store:
    """When a write returns, it is committed and synced. Raises StoreError."""

    def __init__(
        self, address: Address, hold: Any = None, failpoint: Failpoint | None = None, *, executes: bool = True
    ) -> None:
        """Open the database, and bring it up to date where this process `executes` it.

        `hold` is what `engines.exclusive` gave.
        """
        prepare = partial(upgrade, address, executes=executes)
        self._database = engines.open_database(address, prepare, hold, failpoint)

    def close(self) -> None:
        self._database.close()

    def read(self, query: Callable[[Journal], Result]) -> Result:
        return self._database.read(lambda connection: query(Journal(connection)))

    def query(self, work: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs) -> Result:
        """Do `work`, which only reads, on one state of the database."""
        return self._database.read(lambda connection: work(connection, *args, **kwargs))

    async def write(
        self, work: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Do `work`, a function of a transaction, such as those of `events`, `claims`, `transitions` or `lists`.

        It may be done again from the start, where another one of the same commit fails; then nothing of it was kept.
        """
        return await self._database.write(lambda connection: work(connection, *args, **kwargs))

    @property
    def shrinks(self) -> bool:
        """Whether the space of removed rows can be given back."""
        return self._database.shrinks

    async def give_back(self) -> bool:
        """Give back a part of the space that removed rows had; whether there is more of it."""
        return await self._database.give_back()

    async def ping(self) -> None:
        """Raise StoreError unless the database can be locked for writing."""
        await self._database.write(lambda connection: connection.execute("UPDATE runs SET epoch = epoch WHERE id = ''"))
