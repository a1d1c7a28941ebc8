"""The runs that clients of `chatforge mcp` start."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
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
"""Seconds after which runs that can go on are taken up: their wait is over, or the process that did them has left."""
_SOON = timedelta(seconds=5)
"""For a wait that is over by then the database is not left to other processes."""


View = tuple[records.Run, list[Waiting]]
"""A run, and what it waits for."""


class Runs:
    """Starts runs and does them, all at the same time, unless another process executes the database.

    A run that waits keeps nothing from others, also of other processes. The end of this one leaves it in the database.
    """

    def __init__(self, adapter: Adapter, database: Address) -> None:
        self._adapter = adapter
        self._database = database
        self._open: set[str] = set()
        self._starting = 0
        self._store: Store | None = None
        self._worker: Worker | None = None
        self._execution: asyncio.Task[None] | None = None
        self._tending: asyncio.Task[None] | None = None
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
        if self._tending is None or self._tending.done():
            self._tending = asyncio.create_task(self._tend())
        return run_id

    async def wait(self, run_id: str) -> View:
        """The run, once it has ended or waits for a person. Raises StoreError."""
        while True:
            run, waiting = view = self.look(run_id)
            if run.status in records.ENDED or asks_a_person(waiting):
                return view
            await asyncio.sleep(_LOOK_EVERY)

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
        for task in (self._tending, self._execution):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _queue(self, flow: Flow, inputs: Mapping[str, Any]) -> str:
        store = self._store or Store(self._database, executes=False)
        try:
            stored = await Intake(self._adapter, store, [flow]).start(flow, dict(inputs), _now())
        finally:
            if store is not self._store:
                store.close()
        return next(start.run_id for start in stored.starts if start.run_id)

    async def _tend(self) -> None:
        """Take runs up when they can go on, until all have ended."""
        while self._open:
            await asyncio.sleep(_TAKE_UP_EVERY)
            try:
                if self._can_go_on():
                    await self._take_up()
            except StoreError as error:
                log.warning("the runs do not go on now: %s", error)

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
        """Until the runs that were started here have ended, or wait."""
        self._worker = worker = Worker(self._adapter, store, _now)
        working = asyncio.create_task(worker.work(lambda: tuple(self._open)))
        with held, closing(store), suppress(StoreError):  # the next look at the runs says it
            try:
                while (self._starting or self._can_go_on()) and not working.done():  # noqa: ASYNC110 - the database says it
                    await asyncio.sleep(_LOOK_EVERY)
            finally:
                self._store = self._worker = None
                worker.stop()
                await working
            await keep_drifts(store, self._adapter.drifts, _now())

    def _can_go_on(self) -> bool:
        """Whether there is something to do for a run that was started here, now or soon."""
        found = [run for run in self._find(self._open) if run is not None and run.status not in records.ENDED]
        self._open &= {run.id for run in found}
        soon = _now() + _SOON
        return any(run.status != "waiting" or run.wake_at is None or run.wake_at <= soon for run in found)

    def _find(self, run_ids: Collection[str]) -> list[records.Run | None]:
        return engines.read(self._database, lambda connection: [Journal(connection).run(one) for one in run_ids])


def asks_a_person(waiting: Sequence[Waiting]) -> bool:
    return any(one.what == "approval" and one.answer is None for one in waiting)


def _now() -> datetime:
    return datetime.now(UTC)
