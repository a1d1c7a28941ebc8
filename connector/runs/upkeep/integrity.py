"""Looks through a database file once, while it is served: damage shows before a run meets it."""

import asyncio
import logging
from pathlib import Path

from connector.engines import Address
from connector.errors import StoreError
from connector.upkeep import Look

log = logging.getLogger(__name__)


class Integrity:
    """One look at all pages of the file, in a thread. A server looks after its own files."""

    def __init__(self, address: Address) -> None:
        self._look = Look(address) if isinstance(address, Path) else None
        self._address = address
        self._stopping = asyncio.Event()
        self.damage: str | None = None
        """What was found, as a sentence."""

    async def work(self) -> None:
        """Until `stop`. Raises StoreError where the file is damaged: what would be written to it might be lost."""
        if self._look is not None:
            await self._find(self._look)
        await self._stopping.wait()

    def stop(self) -> None:
        self._stopping.set()
        if self._look is not None:
            self._look.stop()

    async def _find(self, look: Look) -> None:
        try:
            found = await asyncio.to_thread(look.run)
        except StoreError as error:
            log.warning("it could not be seen whether the database is sound: %s", error)
            return
        if found is not None:
            self.damage = f"the database {self._address} is damaged: {found}; restore it from a backup"
            log.error("%s", self.damage)
            raise StoreError(self.damage)
