"""Triggers for new leads. They hold the id of a connection, never its key."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowException
from airflow.sdk.execution_time.context import AssetStateStoreAccessor
from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from connector.errors import ActionError, ConnectorError
from connector.hosts.airflow.hook import ChatForgeHook
from connector.hosts.polling import find, pause, step

log = logging.getLogger(__name__)

_STATE = "chatforge.new_lead"
"""The key of the poll's state in the store of an asset."""
_PAUSE_AFTER_FAILURE = 60.0
"""Seconds. Airflow starts a trigger that failed at once again, for ever."""


class LeadTrigger(BaseTrigger):  # type: ignore[misc] # Airflow is not installed where types are checked
    """Waits for new leads on behalf of a sensor; fires once, with the leads and the state of the poll after them.

    A triggerer that starts it again begins with the state that the sensor gave, so the same leads are found again.
    """

    def __init__(self, conn_id: str, input: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        super().__init__()
        self.conn_id, self.input, self.state = conn_id, dict(input), dict(state)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.LeadTrigger", {"conn_id": self.conn_id, "input": self.input, "state": self.state}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        hook = ChatForgeHook(self.conn_id)
        try:
            yield TriggerEvent(await self._wait(hook))
        except ConnectorError as error:
            yield TriggerEvent({"error": hook.told(error)})

    async def _wait(self, hook: ChatForgeHook) -> dict[str, Any]:
        state = self.state
        async with await hook.aget_conn() as adapter:
            while True:
                try:
                    found = await find(adapter, self.input, state)
                except ActionError as error:
                    if not error.transient:
                        raise
                    log.warning("new leads are polled again later: %s", error)
                else:
                    if found.leads:
                        return {"leads": found.leads, "state": found.state}
                    state = found.state
                await asyncio.sleep(pause(adapter, self.input))


class NewLeadTrigger(BaseEventTrigger):  # type: ignore[misc] # Airflow is not installed where types are checked
    """For an `AssetWatcher`: an asset event for each new lead, whose payload has its `identity` and the `lead`.

    `asset` is the name of the watched asset, in whose store the state of the poll is kept. It moves on only once
    Airflow has stored the events, so nothing is lost; after a crash between the two a lead comes again, with the
    same identity: `leads.new_leads` leaves it out.
    """

    def __init__(self, asset: str, conn_id: str, input: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.asset, self.conn_id, self.input = asset, conn_id, dict(input or {})

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.NewLeadTrigger", {"asset": self.asset, "conn_id": self.conn_id, "input": self.input}

    def shared_stream_key(self) -> Hashable:
        return ("chatforge", self.asset, self.conn_id, json.dumps(self.input, sort_keys=True))

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        return _Producer(kwargs["asset"], kwargs["conn_id"], kwargs["input"])

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        async for found in shared_stream:
            yield TriggerEvent(found)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Not called: Airflow reads the shared stream of a trigger that has one."""
        raise NotImplementedError("new leads come from the shared stream")
        yield


class _Producer(SharedStreamProducer):  # type: ignore[misc] # Airflow is not installed where types are checked
    """Polls a page, and keeps the state after it once the events of the page are stored."""

    def __init__(self, asset: str, conn_id: str, input: Mapping[str, Any]) -> None:
        self._store, self._hook, self._input = AssetStateStoreAccessor(name=asset), ChatForgeHook(conn_id), input
        self._outstanding = 0
        self._stored = asyncio.Event()

    async def open_stream(self) -> AsyncIterator[tuple[Any, Any]]:
        try:
            async for found in self._poll():
                yield found, None
        except (ConnectorError, AirflowException) as error:  # also where there is no such connection
            reason = self._hook.told(error) if isinstance(error, ConnectorError) else error
            log.error("new leads cannot be polled: %s", reason)  # noqa: TRY400 - the sentence says it
            await asyncio.sleep(_PAUSE_AFTER_FAILURE)
            raise

    async def _poll(self) -> AsyncIterator[dict[str, Any]]:
        state: Any = await self._store.aget(_STATE)
        async with await self._hook.aget_conn() as adapter:
            rest = pause(adapter, self._input)
            while True:
                try:
                    found = await step(adapter, self._input, state)
                except ActionError as error:
                    if not error.transient:
                        raise
                    log.warning("new leads are polled again later: %s", error)
                    await asyncio.sleep(rest)
                    continue
                self._outstanding = len(found.leads)
                self._stored.clear()
                for lead in found.leads:
                    yield lead
                if found.leads:
                    await self._stored.wait()
                state = found.state
                await self._store.aset(_STATE, state)
                if not found.more:
                    await asyncio.sleep(rest)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        if not all(item.outcome.is_clean for item in batch):
            raise RuntimeError("new leads were not stored; they are polled again")
        self._outstanding -= len(batch)
        if self._outstanding == 0:
            self._stored.set()
