"""The event that a person starts a flow with by hand, and what the flow reads of it as `trigger`."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connector.adapter import Adapter, Delivery
from connector.cli.arguments import read_arguments
from connector.cli.exits import UsageError
from connector.cli.input_files import read_input, read_object
from connector.cli.send_event import sample
from connector.declare import Event, connector_of
from connector.errors import EventError, WebhookError
from connector.flows import samples, values
from connector.flows.flow import TriggerUse
from connector.flows.types import Type
from connector.runs.events import BY_HAND


@dataclass(frozen=True, slots=True)
class ByHand:
    """`trigger` is what the flow reads, where a person has given that; else its trigger makes it of the event."""

    delivery: Delivery
    trigger: dict[str, Any] | None = None


def read_by_hand(adapter: Adapter, use: TriggerUse, input: str | None, changes: Sequence[str], now: datetime) -> ByHand:
    """The given event, or a sample as of now in which what the flow reads is changed. Raises UsageError."""
    kind = adapter.catalogue.triggers[use.uses].output
    if input is not None:
        return _given(adapter, use, kind, read_input(input), now)
    delivery = _sample(adapter, use, now)
    if not changes:
        return ByHand(delivery)
    changed = _merged(_selected(adapter, use, delivery, kind), read_arguments(kind, changes, "--set"))
    if (refused := values.refuse(changed, kind)) is not None:
        raise UsageError(f"--set: {refused}")
    return ByHand(delivery, changed)


def _given(adapter: Adapter, use: TriggerUse, kind: Type, text: str, now: datetime) -> ByHand:
    """What the flow reads, or the body of an event."""
    example = adapter.registry.trigger(use.uses).sample
    try:
        body = read_object(text, example.payload)
    except UsageError:
        if example.source != "webhook":
            raise
        return ByHand(_delivery(use, _parse(adapter, use, text), text, now))  # a webhook may hold what no flow reads
    trigger = samples.with_nulls(body, kind)
    refused = values.refuse(trigger, kind)
    if refused is None:
        return ByHand(_sample(adapter, use, now), trigger)
    if example.source != "webhook":
        return ByHand(_delivery(use, replace(example, occurred_at=now, payload=body), text, now))
    if "event" not in body:
        shown = json.dumps(example.payload, ensure_ascii=False)
        raise UsageError(f"--input: {refused}; give what the flow reads as `trigger`, or a webhook, such as {shown}")
    return ByHand(_delivery(use, _parse(adapter, use, text), text, now))


def _sample(adapter: Adapter, use: TriggerUse, now: datetime) -> Delivery:
    example = adapter.registry.trigger(use.uses).sample
    text = json.dumps(sample(example.payload, now))
    event = replace(example, occurred_at=now, payload=json.loads(text))
    return _delivery(use, _parse(adapter, use, text) if example.source == "webhook" else event, text, now)


def _parse(adapter: Adapter, use: TriggerUse, text: str) -> Event:
    try:
        return adapter.read_webhook(connector_of(use.uses), text)
    except WebhookError as error:
        raise UsageError(f"--input: {error}") from error


def _delivery(use: TriggerUse, event: Event, text: str, now: datetime) -> Delivery:
    # Each manual run is an event of its own, also with the same input.
    event = replace(event, identity=f"{BY_HAND}{secrets.token_hex(16)}")
    return Delivery(connector_of(use.uses), use.connection, event, text, now)


def _selected(adapter: Adapter, use: TriggerUse, delivery: Delivery, kind: Type) -> dict[str, Any]:
    """What the flow reads of the sample, also where the trigger's own input does not want that."""
    for wanted in (use.input, {}):
        try:
            found = adapter.select(use.uses, wanted, delivery.event, delivery.received_at)
        except EventError:
            continue
        if found is not None:
            return found
    made: dict[str, Any] = samples.sample(kind)
    return made


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        inner = merged.get(name)
        merged[name] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged
