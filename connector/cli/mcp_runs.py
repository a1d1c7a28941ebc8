"""The runs that clients of `chatforge mcp` start."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from typing import Any

from connector import engines
from connector.adapter import Adapter
from connector.database import Connection
from connector.engines import Address
from connector.errors import StoreError, StoreLockedError
from connector.flows.flow import Flow
from connector.runs import records
from connector.runs.drifts import keep_drifts
from connector.runs.intake import Intake
from connector.runs.journal import Journal
from connector.runs.store import Store
from connector.runs.waits import Waiting, find_waits
from connector.runs.worker import Worker

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.1  # seconds
_TAKE_UP_EVERY = 1.0
"""Seconds after which a run that nobody does is taken up: the process that executed the database may leave."""


View = tuple[records.Run, list[Waiting]]
"""A run, and what it waits for."""


class Runs:
    """Starts runs and does them, all at the same time, unless another process executes the database.

    A run that waits keeps nothing from others, and the end of the process leaves it in the database.
    """

    def __init__(self, adapter: Adapter, database: Address) -> None:
        self._adapter = adapter
        self._database = database
        self._open: set[str] = set()
        self._starting = 0
        self._store: Store | None = None
        self._worker: Worker | None = None
        self._execution: asyncio.Task[None] | None = None
        self._taking_up = asyncio.Lock()

    async def start(self, flow: Flow, inputs: Mapping[str, Any]) -> str:
        """Queue a run of a flow with inputs that fit it; its id. Raises StoreError."""
        self._starting += 1
        try:
            await self._take_up()
            run_id = await self._queue(flow, inputs)
            self._open.add(run_id)
        finally:
            self._starting -= 1
        if self._worker is not None:
            self._worker.wake()
        return run_id

    async def wait(self, run_id: str) -> View:
        """The run, once it has ended or waits for a person. Raises StoreError."""
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while not (_has_ended((view := self.look(run_id))[0]) or asks_a_person(view)):
            if loop.time() - looked >= _TAKE_UP_EVERY:
                await self._take_up()
                looked = loop.time()
            await asyncio.sleep(_LOOK_EVERY)
        return view

    def look(self, run_id: str) -> View:
        """Raises StoreError."""

        def read(connection: Connection) -> View | None:
            run = Journal(connection).run(run_id)
            return None if run is None else (run, find_waits(connection, run))

        if (view := engines.read(self._database, read)) is None:
            raise StoreError(f"the run {run_id} has vanished from {self._database}")
        return view

    async def aclose(self) -> None:
        """Let the calls that cannot be repeated finish, and leave the rest to the next process."""
        if self._execution is not None:
            self._execution.cancel()
            with suppress(asyncio.CancelledError):
                await self._execution

    async def _queue(self, flow: Flow, inputs: Mapping[str, Any]) -> str:
        store = self._store or Store(self._database, executes=False)
        try:
            stored = await Intake(self._adapter, store, [flow]).start(flow, dict(inputs), _now())
        finally:
            if store is not self._store:
                store.close()
        return next(start.run_id for start in stored.starts if start.run_id)

    async def _take_up(self) -> None:
        """Execute the database, unless another process does."""
        async with self._taking_up:
            if self._execution is not None and not self._execution.done():
                return
            with ExitStack() as stack, suppress(StoreLockedError):
                hold = await asyncio.to_thread(stack.enter_context, engines.exclusive(self._database))
                self._store = Store(self._database, hold)
                self._execution = asyncio.create_task(self._execute(self._store, stack.pop_all()))

    async def _execute(self, store: Store, held: ExitStack) -> None:
        """Until the runs that were started here have ended."""
        self._worker = worker = Worker(self._adapter, store, _now)
        working = asyncio.create_task(worker.work(lambda: tuple(self._open)))
        with held, closing(store):
            try:
                while (self._open or self._starting) and not working.done():
                    await asyncio.sleep(_LOOK_EVERY)
                    self._open = {one for one in self._open if not _has_ended(self._find(one))}
            except StoreError as error:
                log.error("the runs go on with the next call: %s", error)  # noqa: TRY400 - the sentence says it all
            finally:
                self._store = self._worker = None
                worker.stop()
                await working
            await keep_drifts(store, self._adapter.drifts, _now())

    def _find(self, run_id: str) -> records.Run | None:
        return engines.read(self._database, lambda connection: Journal(connection).run(run_id))


def asks_a_person(view: View) -> bool:
    return any(one.what == "approval" and one.answer is None for one in view[1])


def _has_ended(run: records.Run | None) -> bool:
    return run is None or run.status in records.ENDED


def _now() -> datetime:
    return datetime.now(UTC)
