"""Lets a worker work on the runs of a bench, and looks on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from connector.runs.records import Run
from connector.runs.store import Store
from connector.runs.worker import Worker


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
