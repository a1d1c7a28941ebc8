"""What the pages reach."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from connector import engines
from connector.adapter import Adapter
from connector.database import Connection
from connector.flows.flow import Flow
from connector.runs.alerts import Alerts
from connector.runs.sampling import Sampler
from connector.runs.store import Store
from connector.server.batches import Batches
from connector.server.diagnoses import Diagnoses
from connector.server.meter import Meter
from connector.server.refusals import Refusals
from connector.server.serving import Serving
from connector.server.tries import Tries
from connector.settings import Settings

Result = TypeVar("Result")
_MOST_READS = 4
"""At once: a search through a long journal takes seconds, and the threads are those of flows and tests too."""


@dataclass(frozen=True, slots=True)
class Site:
    """`wake` tells the worker that there is something to do, `fault` why the server is not healthy."""

    adapter: Adapter
    store: Store
    settings: Settings
    serving: Serving
    folder: Path
    alerts: Alerts
    refusals: Refusals
    wake: Callable[[], None]
    clock: Callable[[], datetime]
    sampler: Sampler
    meter: Meter
    batches: Batches = field(default_factory=Batches)
    tries: Tries = field(default_factory=Tries)
    diagnoses: Diagnoses = field(default_factory=Diagnoses)
    _reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_READS))

    @property
    def flows(self) -> Sequence[Flow]:
        return self.serving.flows

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Read one state of the database, on another thread: a search may take long, and few are done at once."""
        async with self._reading:
            return await asyncio.to_thread(engines.read, self.settings.database, work)
