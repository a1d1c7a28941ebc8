"""Takes the runs that are due from the store and lets the interpreter do them, many at a time."""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

from connector import whereabouts
from connector.adapter import Adapter
from connector.database import Connection
from connector.errors import StoreError
from connector.flows.flow import Flow
from connector.runs import claims, records, revisions, transitions
from connector.runs.claims import Claim
from connector.runs.decisions import cancels
from connector.runs.interpreter import Interpreter
from connector.runs.journal import DamagedRowError
from connector.runs.observers import Observer
from connector.runs.records import Failure
from connector.runs.store import Store
from connector.runs.transitions import StaleRunError

log = logging.getLogger(__name__)
Result = TypeVar("Result")
P = ParamSpec("P")

BACKFILL_SHARE = 0.2
"""The part of the runs at work that backfills may be: what is new must not wait for them."""
LEAVE_SECONDS = 10.0
"""For calls that must not be cut off, when the process ends."""
CANCEL_SECONDS = 2.0
"""For what ends in a task that was cancelled."""
LOOK_EVERY = 1.0  # seconds; other processes leave runs in the database without a word


class Worker:
    """Executes a database; only one worker may do so. `wake()` tells it that there is something to do."""

    def __init__(
        self,
        adapter: Adapter,
        store: Store,
        clock: Callable[[], datetime],
        *,
        jitter: Callable[[], float] = random.random,
        parallel: int = 100,
        observers: Sequence[Observer] = (),
        traced: bool = False,
    ) -> None:
        self._adapter = adapter
        self._store = store
        self._clock = clock
        self._parallel = parallel
        self._traced = traced
        """Whether each run gets an id for its trace, where it has none."""
        self._interpreter = Interpreter(
            adapter, store, clock, jitter, stopping=lambda: self._stopping, observers=observers
        )
        self._flows: dict[str, Flow | str] = {}
        self._active: dict[str, asyncio.Task[None]] = {}
        self._backfills: set[str] = set()
        self._astray = True
        """Whether there may be runs that are claimed and not at work."""
        self._something = asyncio.Event()
        self._wake_at: datetime | None = None
        """When the next run goes on that waits, as far as the last claim knows."""
        self._looked_at = time.monotonic()
        self._stopping = False

    def wake(self) -> None:
        self._something.set()

    async def work(self, only: Callable[[], Collection[str] | None] = lambda: None) -> None:
        """Work until `stop`, on `only` these runs where given. Runs that an earlier process left behind come first."""
        failing = False
        while not self._stopping:
            try:
                await self._start_due(only())
                if failing:
                    log.info("the database can be used again")
                failing = False
            except StoreError as error:
                if not failing:
                    log.error("no runs are taken up until this ends: %s", error)  # noqa: TRY400 - the sentence says it all
                failing = True
            await self._rest(failing=failing)
        await self._leave()

    async def _leave(self) -> None:
        """Let what must not be cut off end, and give back the rest."""
        for run_id, task in self._active.items():
            if run_id not in self._interpreter.in_flight:
                task.cancel()  # it waits, or does what can be repeated
        await self._wait_for_active()
        with suppress(StoreError):  # the next process gives them back otherwise
            await self._store.write(claims.requeue)

    async def _wait_for_active(self) -> None:
        """For a while. A call that is under way then stays in `sending`, so the next process says that it is held."""
        if not self._active:
            return
        _, late = await asyncio.wait(self._active.values(), timeout=LEAVE_SECONDS)
        for task in late:
            run_id = task.get_name()
            with whereabouts.at(run=run_id):
                log.warning("the run %s is left in a call that has not ended within %.0f s", run_id, LEAVE_SECONDS)
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCEL_SECONDS)

    def stop(self) -> None:
        """Let the calls that cannot be repeated finish, and leave the rest to the next process."""
        self._stopping = True
        self.wake()

    async def finish(self, run_ids: Collection[str]) -> None:
        """Work on these runs, and those before them in their lanes, until each has ended or waits for a person."""
        try:
            while True:
                await self._start_due(run_ids)
                if all(self._has_ended(run_id) for run_id in run_ids):
                    return
                await self._rest()
        finally:
            self._stopping = True
            await self._leave()
            self._stopping = False

    async def _start_due(self, only: Collection[str] | None = None) -> None:
        self._something.clear()
        self._look_for_cancels()
        if self._astray:
            self._astray = False  # others may go astray meanwhile
            await self._write(claims.requeue, list(self._active))
        free = self._parallel - len(self._active)
        backfills = max(1, int(self._parallel * BACKFILL_SHARE)) - len(self._backfills)
        if free <= 0:
            return
        taken = await self._write(claims.take, self._clock(), free, only, backfills)
        self._wake_at = taken.wake_at
        for claim in taken.claims:
            if claim.run.backfill:
                self._backfills.add(claim.run.id)
            self._active[claim.run.id] = asyncio.create_task(self._advance(claim), name=claim.run.id)

    async def _write(
        self, work: Callable[Concatenate[Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        try:
            return await self._store.write(work, *args, **kwargs)
        except BaseException:
            self._astray = True  # it may have been kept all the same
            raise

    def _look_for_cancels(self) -> None:
        """Another process may have asked for it. Writes find out by themselves; waits do not."""
        if self._active and time.monotonic() - self._looked_at >= LOOK_EVERY:
            self._looked_at = time.monotonic()
            for run_id in self._store.query(cancels.find_requests):
                if run_id in self._active:
                    self._interpreter.cancelling.ask(run_id)

    def _has_ended(self, run_id: str) -> bool:
        run = self._store.read(lambda journal: journal.run(run_id))
        return run is None or run.status in records.ENDED

    async def _rest(self, *, failing: bool = False) -> None:
        """Until there is something to do, or a wait is over, or it is time to look."""
        seconds = LOOK_EVERY
        # What is due and not at work has to wait for another run, whose end wakes the worker.
        if not failing and len(self._active) < self._parallel and self._wake_at is not None:
            seconds = max(0.0, min(LOOK_EVERY, (self._wake_at - self._clock()).total_seconds()))
        try:
            async with asyncio.timeout(seconds):
                await self._something.wait()
        except TimeoutError:
            return

    async def _advance(self, claim: Claim) -> None:
        with whereabouts.at(flow=claim.run.flow, run=claim.run.id):
            await self._advance_here(claim)

    async def _advance_here(self, claim: Claim) -> None:
        run, broken = claim.run, False
        try:
            await self._interpret(claim)
        except StaleRunError as error:
            log.warning("%s", error)
        except StoreError as error:
            log.error("the run %s was interrupted and will be taken up again: %s", run.id, error)  # noqa: TRY400 - the sentence says it all
            broken = True
        finally:
            del self._active[run.id]
            self._backfills.discard(run.id)
            self._astray |= broken
            if not broken:
                self.wake()

    async def _interpret(self, claim: Claim) -> None:
        """Let the interpreter work on the run; hold it where that is not possible."""
        if self._traced and claim.run.trace is None:
            claim = replace(claim, run=replace(claim.run, trace=secrets.token_hex(16)))  # as W3C Trace Context has it
        run = claim.run
        try:
            flow = self._flow(run)
            if isinstance(flow, Flow):
                await self._interpreter.advance(claim, flow)
                return
            failure = Failure("", "", flow, "revision", 0)
        except DamagedRowError as error:
            failure = Failure("", "", str(error), "damaged", 0)
        except StoreError:
            raise
        except Exception as error:
            log.exception("a fault of this program")
            reason = f"a fault of this program, {type(error).__name__}: {error}; report it with the log"
            failure = Failure("", "", reason, "internal", 0)
        log.warning("the run %s of %s is held: %r", run.id, run.flow, failure.message)
        status = await self._store.write(transitions.finish_run, run, "held", self._clock(), error=failure)
        self._interpreter.observe(claim).end_run(status, failure)

    def _flow(self, run: records.Run) -> Flow | str:
        """The flow that the run is pinned to, or why it cannot run."""
        if run.revision not in self._flows:
            self._flows[run.revision] = self._store.query(revisions.load, run.revision, self._adapter.catalogue)
        return self._flows[run.revision]
