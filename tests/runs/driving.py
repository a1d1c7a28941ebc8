"""Lets a worker work on the runs of a bench, and looks on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from connector.runs import transitions
from connector.runs.records import Run
from connector.runs.store import Store
from connector.runs.worker import Worker
from connector.sqlite import Database


@contextlib.asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[None]:
    working = asyncio.create_task(worker.work())
    try:
        yield
    finally:
        worker.stop()
        await working


async def queue(bench, intake) -> str:
    stored = await intake.accept(bench.delivery())
    return stored.starts[0].run_id


async def until_status(store: Store, run_id: str, *wanted: str) -> Run:
    async with asyncio.timeout(20):
        while True:
            run = store.read(lambda journal: journal.run(run_id))
            if run and run.status in wanted:
                return run
            await asyncio.sleep(0.005)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if what():
                return
            await asyncio.sleep(0.005)


class CountedDatabase:
    """Counts its writes."""

    def __init__(self, database: Database) -> None:
        self._database, self.writes = database, 0

    def read(self, work: Callable[..., Any]) -> Any:
        return self._database.read(work)

    async def write(self, work: Callable[..., Any]) -> Any:
        self.writes += 1
        return await self._database.write(work)

    def close(self) -> None:
        self._database.close()


class CountedStore(Store):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.counted = CountedDatabase(self._database)
        self._database = self.counted  # type: ignore[assignment]


async def begin(
    bench: Any,
    store: Store,
    run: Run,
    step: str,
    action: str,
    given: Mapping[str, Any],
    number: int = 1,
    *,
    sending: bool = False,
) -> None:
    """As a process that is killed in the call leaves it."""
    await store.write(transitions.begin_attempt, run, step, action, dict(given), number, bench.now, sending=sending)
