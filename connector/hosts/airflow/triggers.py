"""Triggers for new leads. They hold the id of a connection, never its key."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from typing import Any

from airflow.sdk.execution_time.context import AssetStateStoreAccessor
from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from connector.errors import ActionError
from connector.hosts.airflow.hook import ChatForgeHook
from connector.hosts.airflow.polling import TRIGGER, look

_MODULE = "connector.hosts.airflow.triggers"
_STATE = "chatforge.new_lead"
"""The key of the poll's state in the store of an asset."""


class LeadTrigger(BaseTrigger):  # type: ignore[misc]
    """Waits for new leads on behalf of a sensor; fires once, with the leads and the state of the poll after them.

    A triggerer that starts it again begins with the state that the sensor gave, so the same leads are found again.
    """

    def __init__(self, conn_id: str, input: Mapping[str, Any], state: Mapping[str, Any] | None) -> None:
        super().__init__()
        self.conn_id, self.input, self.state = conn_id, dict(input), state

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{_MODULE}.LeadTrigger", {"conn_id": self.conn_id, "input": self.input, "state": self.state}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        state = self.state
        async with await ChatForgeHook(self.conn_id).aget_conn() as adapter:
            pause = adapter.watch(TRIGGER, self.input)
            while True:
                try:
                    found, state = await look(adapter, self.input, state)
                except ActionError as error:
                    if not error.transient:
                        yield TriggerEvent({"error": str(error)})
                        return
                    found = []
                if found:
                    yield TriggerEvent({"leads": found, "state": state})
                    return
                await asyncio.sleep(pause.every if pause else 60)


class NewLeadTrigger(BaseEventTrigger):  # type: ignore[misc]
    """For an `AssetWatcher`: an asset event for each new lead, whose payload has its `identity` and the `lead`.

    `asset` is the name of the watched asset, in whose store the state of the poll is kept. It moves on only once
    Airflow has stored the events, so nothing is lost; after a crash between the two a lead may come again, with the
    same identity: see `leads.new_leads`.
    """

    def __init__(self, asset: str, conn_id: str, input: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.asset, self.conn_id, self.input = asset, conn_id, dict(input or {})

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{_MODULE}.NewLeadTrigger", {"asset": self.asset, "conn_id": self.conn_id, "input": self.input}

    def shared_stream_key(self) -> Hashable:
        return ("chatforge", self.asset, self.conn_id, repr(sorted(self.input.items())))

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        return _Producer(kwargs["asset"], kwargs["conn_id"], kwargs["input"])

    async def run(self) -> AsyncIterator[TriggerEvent]:
        raise NotImplementedError("a trigger with a shared stream is not run by itself")
        yield

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        async for found in shared_stream:
            yield TriggerEvent(found)


class _Producer(SharedStreamProducer):  # type: ignore[misc]
    """Polls, and keeps the state once the events before it are stored."""

    def __init__(self, asset: str, conn_id: str, input: Mapping[str, Any]) -> None:
        self._store, self._conn_id, self._input = AssetStateStoreAccessor(name=asset), conn_id, input
        self._outstanding = 0

    async def open_stream(self) -> AsyncIterator[tuple[Any, Any]]:
        state: Any = await self._store.aget(_STATE)
        async with await ChatForgeHook(self._conn_id).aget_conn() as adapter:
            watching = adapter.watch(TRIGGER, self._input)
            while True:
                try:
                    found, state = await look(adapter, self._input, state)
                except ActionError as error:
                    if not error.transient:
                        raise
                    found = []
                for position, one in enumerate(found):
                    self._outstanding += 1
                    yield one, state if position == len(found) - 1 else None
                if not self._outstanding:
                    await self._store.aset(_STATE, state)
                await asyncio.sleep(watching.every if watching else 60)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        if not all(item.outcome.is_clean for item in batch):
            raise RuntimeError("new leads were not stored; they are polled again")
        self._outstanding -= len(batch)
        states = [item.broker_payload for item in batch if item.broker_payload is not None]
        if states:
            await self._store.aset(_STATE, states[-1])
