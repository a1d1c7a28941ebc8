"""Polls what flows watch, and starts flows from webhooks whose entry of a list does not appear in time.

Each list is walked once for each account and partition, whatever the number of flows. For a database only one process
may poll.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime

from connector.declare import connector_of
from connector.errors import StoreError
from connector.flows.flow import Flow
from connector.runs.intake import Intake
from connector.runs.polling import abandoned, arrivals, own_polls, poll_notes, subscriptions
from connector.runs.polling.fall_backs import FallBack
from connector.runs.polling.own_polls import OwnPoll
from connector.runs.polling.pace import FAULT_PAUSE, STORE_PAUSE, Pace
from connector.runs.polling.partitions import Partitions, end
from connector.runs.polling.watches import Watch

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds


class Poller:
    """Polls for the flows of `intake`; `watches` are the lists that they watch."""

    def __init__(
        self,
        intake: Intake,
        watches: Sequence[Watch],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._intake, self._watches, self._clock, self._monotonic = intake, watches, clock, monotonic
        self._store = intake.store
        self._paces: dict[tuple[str, str], Pace] = {}
        self._partitions = [
            Partitions(watch, self._pace(*watch.key[:2]), self._store, clock, intake.wake) for watch in watches
        ]
        self._own = [poll for flow in intake.flows if flow.enabled and (poll := self._own_poll(flow))]
        self._fall_back = FallBack(intake, watches, self._refused, clock, look_every)
        self._stopping = asyncio.Event()

    def arrived(self, watch: Watch) -> None:
        """A webhook waits for its entry of this list."""
        with suppress(StoreError):  # the webhook is stored, and the next look comes anyway
            waiting = self._store.query(arrivals.partitions_to_hurry, watch)
            for partitions in self._partitions:
                if partitions.watch.key == watch.key:
                    partitions.arrived(waiting)

    def stop(self) -> None:
        self._stopping.set()

    async def work(self) -> None:
        """Poll until `stop`. Requests that are under way then are dropped: they only read."""
        stopping, polling = asyncio.create_task(self._stopping.wait()), asyncio.create_task(_keep(self._poll))
        try:
            await asyncio.wait((stopping, polling), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end((stopping, polling))
        if not self._stopping.is_set():
            polling.result()  # no exception that anybody can go on after

    async def _poll(self) -> None:
        await self._subscribe()
        async with asyncio.TaskGroup() as group:
            for work in (*(one.work for one in self._partitions), *(one.work for one in self._own)):
                group.create_task(_keep(work))
            group.create_task(_keep(self._fall_back.work))

    def _pace(self, connector: str, connection: str) -> Pace:
        pace = Pace(self._intake.adapter, connector, connection, self._monotonic)
        return self._paces.setdefault(pace.key, pace)

    def _own_poll(self, flow: Flow) -> OwnPoll | None:
        trigger = flow.started_by
        pause = self._intake.adapter.pause(trigger.uses, trigger.input)
        if pause is None:
            return None
        pace = self._pace(connector_of(trigger.uses), trigger.connection)
        return OwnPoll(flow, pause, self._intake, pace, self._clock)

    async def _subscribe(self) -> None:
        """Begin to watch. Nothing is polled before that is known to the database."""
        off = [flow.name for flow in self._intake.flows if not flow.enabled]
        while True:
            try:
                for flow in off:
                    await self._store.write(subscriptions.unsubscribe, flow)
                    await self._store.write(abandoned.drop, flow, self._clock())
                    await self._store.write(own_polls.forget, flow)
                await self._store.write(poll_notes.begin, self._watches, self._clock())
                for watch in self._watches:
                    await self._store.write(subscriptions.subscribe, watch, self._clock())
            except StoreError as error:
                log.error("nothing is polled until this ends: %s", error)  # noqa: TRY400 - the sentence says it all
                await asyncio.sleep(STORE_PAUSE)
            else:
                return

    def _refused(self) -> list[tuple[str, str, str, str | None]]:
        """What cannot be had: (connector, connection, list, partition); the partition is None where it is all."""
        return [(*one.watch.key, partition) for one in self._partitions for partition in one.refused]


async def _keep(work: Callable[[], Awaitable[None]]) -> None:
    """Do what has no end; a fault does not end it, nor the server."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("polling failed after a fault of this program; it is tried again")
        await asyncio.sleep(FAULT_PAUSE)
