"""Whether the server takes deliveries and does runs, for probes."""

import asyncio
from dataclasses import dataclass

from connector.errors import StoreError
from connector.runs.store import Store
from connector.runs.upkeep.integrity import Integrity


@dataclass(frozen=True, slots=True)
class Readiness:
    """`working` is what does the runs."""

    working: asyncio.Task[None]
    store: Store
    integrity: Integrity

    async def fault(self) -> str | None:
        """Why the server is not ready."""
        if self.integrity.damage is not None:
            return self.integrity.damage
        if self.working.done():
            return "the worker has stopped"
        try:
            await self.store.ping()
        except StoreError as error:
            return str(error)
        return None
