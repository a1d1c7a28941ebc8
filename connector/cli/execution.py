"""Has runs done and shows them: in this process, or by the one that executes the database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from connector import engines
from connector.adapter import Adapter
from connector.cli import exits, output, timeline, traces
from connector.engines import Address
from connector.errors import StoreError, StoreLockedError
from connector.runs import records
from connector.runs.drifts import keep_drifts
from connector.runs.journal import Journal
from connector.runs.store import Store
from connector.runs.worker import Worker

_WAITS = "waiting; Ctrl-C leaves the run, and chatforge serve goes on with it"

Queue = Callable[[Store], Awaitable[Sequence[str]]]
"""Queues runs in one transaction, and returns their ids."""


def finish(adapter: Adapter, database: Address, queue: Queue, *, quiet: bool = False) -> list[records.Run]:
    """Queue runs, and wait until each has ended or waits for a person. Prints them unless `quiet`."""
    try:
        with engines.exclusive(database) as hold:
            run_ids = asyncio.run(_execute(adapter, database, hold, queue, quiet=quiet))
    except StoreLockedError:
        run_ids = asyncio.run(_leave(database, queue))
        for run_id in run_ids:
            follow(adapter, database, run_id, quiet=quiet)
    return [_read(database, run_id) for run_id in run_ids]


def code_of(runs: Sequence[records.Run]) -> int:
    """The exit code for the first run that did not succeed."""
    for run in runs:
        if run.error or run.status == "cancelled":
            return exits.of_kind(run.error.kind) if run.error else exits.FAILED
    return exits.DONE


async def _execute(adapter: Adapter, database: Address, hold: Any, queue: Queue, *, quiet: bool) -> Sequence[str]:
    store = Store(database, hold)
    try:
        async with _working(adapter, store) as worker:
            run_ids = await queue(store)
            showing = asyncio.create_task(_show(database, () if quiet else run_ids))
            try:
                await worker.finish(run_ids)
                await showing
            finally:
                showing.cancel()
            await keep_drifts(store, adapter.drifts, _now())
            return run_ids
    finally:
        store.close()


@asynccontextmanager
async def _working(adapter: Adapter, store: Store) -> AsyncIterator[Worker]:
    with traces.follow() as observers:
        async with adapter:
            yield Worker(adapter, store, _now, observers=observers, traced=bool(observers))


async def _leave(database: Address, queue: Queue) -> Sequence[str]:
    """Queue the runs for the process that executes the database."""
    store = Store(database, executes=False)
    try:
        return await queue(store)
    finally:
        store.close()


async def _show(database: Address, run_ids: Sequence[str]) -> None:
    """One run after the other, as it goes on."""
    for run_id in run_ids:
        shown = _begin(database, run_id, quiet=False)
        _end(await shown.watch())


def follow(adapter: Adapter, database: Address, run_id: str, *, quiet: bool) -> None:
    """Watch the process that executes the database do the run; where that process has left, do it here."""
    shown = _begin(database, run_id, quiet=quiet)
    while (run := shown.follow(timeline.has_ended, seconds=1)).status not in records.ENDED:
        with suppress(StoreLockedError), engines.exclusive(database) as hold:
            asyncio.run(_finish_left(adapter, Store(database, hold), run_id))
    if not quiet:
        _end(run)


async def _finish_left(adapter: Adapter, store: Store, run_id: str) -> None:
    try:
        async with _working(adapter, store) as worker:
            await worker.finish([run_id])
            await keep_drifts(store, adapter.drifts, _now())
    finally:
        store.close()


def _begin(database: Address, run_id: str, *, quiet: bool) -> timeline.Timeline:
    if not quiet:
        output.line(output.styled(run_id, "bold"))
    return timeline.Timeline(database, run_id, quiet=quiet, pause=_WAITS)


def _end(run: records.Run) -> None:
    why = run.error.message if run.error else run.reason if run.status == "cancelled" else None
    output.line(output.status(run.status), f": {why}" if why else "")


def _read(database: Address, run_id: str) -> records.Run:
    run = engines.read(database, lambda connection: Journal(connection).run(run_id))
    if run is None:
        raise StoreError(f"the run {run_id} has vanished from {database}")
    return run


def _now() -> datetime:
    return datetime.now(UTC)
