"""The one way to create a run: an event comes in, each flow says what it makes of it, one transaction keeps it."""

import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connector import whereabouts
from connector.adapter import Adapter, Delivery
from connector.database import Connection
from connector.declare import connector_of
from connector.errors import EventError, SettingsError
from connector.flows.explanation import why_false
from connector.flows.expressions.evaluation import Scope
from connector.flows.expressions.functions import EvaluationError, from_time
from connector.flows.flow import Flow
from connector.flows.slots import Expression
from connector.runs import events, pins
from connector.runs.events import BY_HAND, Decision, NewEvent, Stored
from connector.runs.pins import Pins
from connector.runs.polling import arrivals
from connector.runs.polling.watches import Watch
from connector.runs.store import Store

log = logging.getLogger(__name__)

TOO_OLD = timedelta(days=7)
TOO_EARLY = timedelta(minutes=5)
BY_PERSON = "flow"
"""Stands for the connector of an event that is the inputs of a flow; its connection is the name of the flow."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes events for `flows`. `wake` is called when there are new runs."""

    adapter: Adapter
    store: Store
    flows: Sequence[Flow]
    wake: Callable[[], None] = lambda: None
    watches: Sequence[Watch] = ()
    """The lists that are polled beside, in which a webhook's entry is looked for before it starts their flows."""
    arrived: Callable[[Watch], None] = lambda _watch: None
    """Called when a webhook waits for its entry of the list."""

    async def accept(self, delivery: Delivery, pinned: Pins = pins.NONE) -> Stored:
        """Store the event and queue its runs; returns when that is committed and synced. Raises StoreError.

        `pinned` is what steps of the runs are given instead of being done.
        """
        joined = [watch for watch in self.watches if _is_joined(watch, delivery)]
        waiting = {watcher.flow.name for watch in joined for watcher in watch.watchers}
        flows = [flow for flow in self.flows if flow.name not in waiting and self._concerns(flow, delivery)]
        decisions = [replace(made, pins=pinned) for flow in flows if (made := self.decide(flow, delivery))]
        new = NewEvent.of(delivery)
        stored = await self.store.write(_add, new, decisions, joined, delivery)
        for watch in joined if stored.new else ():
            self.arrived(watch)
        for start in stored.starts if stored.new else ():
            if start.held:
                with whereabouts.at(flow=start.flow, event=stored.event_id):
                    log.warning("%s holds the event %s: %r", start.flow, stored.event_id, start.reason)
        if stored.new and any(start.run_id for start in stored.starts):
            self.wake()
        return stored

    async def start(self, flow: Flow, inputs: Mapping[str, Any], now: datetime, pinned: Pins = pins.NONE) -> Stored:
        """Queue a run of a flow that has inputs, which fit it, and no trigger. Raises StoreError."""
        identity = f"{BY_HAND}{secrets.token_hex(16)}"
        new = NewEvent(BY_PERSON, flow.name, identity, "inputs", now, now, json.dumps(inputs), "manual")
        return await self._keep(new, Decision(flow.name, flow, inputs, pins=pinned))

    async def start_with(
        self, flow: Flow, trigger: Mapping[str, Any], delivery: Delivery, pinned: Pins = pins.NONE
    ) -> Stored:
        """Store an event that a person made, and queue a run that reads `trigger`, which fits the flow, in its place.

        Raises StoreError.
        """
        decision = decide_trigger(self.adapter, flow, dict(trigger), delivery.received_at)
        return await self._keep(NewEvent.of(delivery), replace(decision, pins=pinned))

    async def _keep(self, new: NewEvent, decision: Decision) -> Stored:
        stored = await self.store.write(events.add_event, new, [decision])
        self.wake()
        return stored

    def _concerns(self, flow: Flow, delivery: Delivery) -> bool:
        trigger = flow.trigger
        if trigger is None or not flow.enabled:
            return False
        return (connector_of(trigger.uses), trigger.connection) == (delivery.connector, delivery.connection)

    def decide(self, flow: Flow, delivery: Delivery) -> Decision | None:
        """None where the flow's trigger does not want the event."""
        decision = decide_event(self.adapter, flow, delivery, delivery.received_at)
        return decision and (_untimely(flow, delivery) or decision)


def decide_event(adapter: Adapter, flow: Flow, delivery: Delivery, now: datetime) -> Decision | None:
    """What the flow makes of an event, whatever its time is. `now` is when a run would start.

    None where its trigger does not want it.
    """
    if (use := flow.trigger) is None:
        return None
    try:
        trigger = adapter.select(use.uses, use.input, delivery.event, delivery.received_at)
        if trigger is None or not flow.steps:
            return None if trigger is None else _no(flow, "it is kept for runs that wait for it")
    except EventError as error:
        return _no(flow, str(error), held=True)
    return decide_trigger(adapter, flow, trigger, now)


def decide_trigger(adapter: Adapter, flow: Flow, trigger: dict[str, Any], now: datetime) -> Decision:
    """What the flow makes of what its trigger gives."""
    try:
        return _start(flow, trigger, adapter.config(flow.config), now)
    except (EvaluationError, SettingsError) as error:
        return _no(flow, str(error), held=True)


def _start(flow: Flow, trigger: dict[str, Any], config: Mapping[str, Any], now: datetime) -> Decision:
    scope = {"trigger": trigger, "config": config}
    condition = flow.trigger.condition if flow.trigger else None
    if condition and not _value(condition, scope, "trigger.if"):
        return _no(flow, f"trigger.if: {why_false(condition, scope)}")
    lane = _value(flow.concurrency.key, scope, "concurrency.key") if flow.concurrency else None
    if flow.dedupe is None:
        return Decision(flow.name, flow, trigger, lane=lane)
    key = _value(flow.dedupe.key, scope, "dedupe.key")
    since = now - timedelta(seconds=flow.dedupe.window)
    return Decision(flow.name, flow, trigger, lane=lane, dedupe_key=key, dedupe_since=since)


def _untimely(flow: Flow, delivery: Delivery) -> Decision | None:
    """Why a webhook starts nothing: its time. `start` and `missed` of other triggers say how old an event may be."""
    if delivery.event.source != "webhook":
        return None
    happened = delivery.event.occurred_at or delivery.received_at
    if delivery.received_at - happened > TOO_OLD:
        return _no(flow, f"it happened at {from_time(happened)}, and after 7 days an event starts nothing by itself")
    if happened - delivery.received_at > TOO_EARLY:
        return _no(flow, f"its time is {from_time(happened)}, more than 5 minutes in the future", held=True)
    return None


def _no(flow: Flow, reason: str, *, held: bool = False) -> Decision:
    return Decision(flow.name, reason=reason, held=held)


def _is_joined(watch: Watch, delivery: Delivery) -> bool:
    join, event = watch.list.join, delivery.event
    if join is None or event.source != "webhook" or event.name != join.event:
        return False
    return (watch.connector, watch.connection) == (delivery.connector, delivery.connection)


def _add(
    connection: Connection,
    new: NewEvent,
    decisions: Sequence[Decision],
    watches: Sequence[Watch],
    delivery: Delivery,
) -> Stored:
    stored = events.add_event(connection, new, decisions)
    if not stored.new:
        return stored
    starts = [*stored.starts]
    for watch in watches:
        starts += arrivals.arrive(connection, watch, stored.event_id, delivery)
    return Stored(stored.event_id, new=True, starts=starts)


def _value(expression: Expression, scope: Scope, slot: str) -> Any:
    try:
        return expression.evaluate(scope)
    except EvaluationError as error:
        raise EvaluationError(f"{slot}: {error}") from error
