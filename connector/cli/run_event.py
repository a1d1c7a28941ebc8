"""What a flow with a trigger is started with by hand: an event, or what the flow reads as `trigger`."""

import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from connector.adapter import Adapter, Delivery
from connector.cli.arguments import read_arguments
from connector.cli.exits import UsageError
from connector.cli.input_files import read_input, read_value
from connector.cli.send_event import sample
from connector.declare import Event, connector_of
from connector.errors import EventError, WebhookError
from connector.flows import samples, types, values
from connector.flows.flow import TriggerUse
from connector.flows.problems import quoted
from connector.flows.types import Object, Type
from connector.runs.events import BY_HAND


@dataclass(frozen=True, slots=True)
class Given:
    """An event, and what the flow reads as `trigger` where that is not what the trigger makes of the event."""

    delivery: Delivery
    trigger: Mapping[str, Any] | None = None


def read_event(adapter: Adapter, trigger: TriggerUse, input: str | None, changes: Sequence[str]) -> Given:
    """What `--input` gives, or the trigger's sample as of now with the changes. Raises UsageError."""
    now = datetime.now(UTC)
    if input is None:
        made = _sample(adapter, trigger, now)
        return Given(made, _change(adapter, trigger, made, changes) if changes else None)
    return _read(adapter, trigger, read_input(input), now)


def _sample(adapter: Adapter, trigger: TriggerUse, now: datetime) -> Delivery:
    example = adapter.registry.trigger(trigger.uses).sample
    text = json.dumps(sample(example.payload, now))
    if example.source == "webhook":
        return _deliver(trigger, adapter.read_webhook(connector_of(trigger.uses), text), text, now)
    return _deliver(trigger, replace(example, occurred_at=now), text, now)


def _deliver(trigger: TriggerUse, event: Event, text: str, now: datetime) -> Delivery:
    # Each manual run is an event of its own, also with the same input.
    event = replace(event, identity=f"{BY_HAND}{secrets.token_hex(16)}")
    return Delivery(connector_of(trigger.uses), trigger.connection, event, text, now)


def _change(adapter: Adapter, trigger: TriggerUse, made: Delivery, changes: Sequence[str]) -> dict[str, Any]:
    """What the trigger makes of its sample, with the changes: they may make of it what the trigger wants."""
    kind = _kind(adapter, trigger.uses)
    given = read_arguments(kind, changes, "--set", nulls=True)
    output = _output(adapter, trigger, made)
    for change in changes:
        _put(output, given, change.partition("=")[0].split("."))
    if (refused := values.refuse(output, kind)) is not None:
        raise UsageError(f"--set: what the flow reads as trigger does not fit: {refused}")
    return output


def _output(adapter: Adapter, trigger: TriggerUse, made: Delivery) -> dict[str, Any]:
    """What the trigger makes of its sample; where its input does not want that, what it makes of it without input."""
    for wanted in (trigger.input, {}):
        with suppress(EventError):
            if (output := adapter.select(trigger.uses, wanted, made.event, made.received_at)) is not None:
                return output
    raise UsageError(
        f"the flow does not want the sample of {trigger.uses}, so --set has nothing to change; give --input"
    )


def _put(output: dict[str, Any], given: Mapping[str, Any], path: Sequence[str]) -> None:
    *parents, name = path
    for parent in parents:
        given = given[parent]
        if not isinstance(output.get(parent), dict):
            output[parent] = {}
        output = output[parent]
    output[name] = given[name]


def _read(adapter: Adapter, trigger: TriggerUse, text: str, now: datetime) -> Given:
    example = adapter.registry.trigger(trigger.uses).sample
    is_webhook = example.source == "webhook"
    if is_webhook:
        with suppress(WebhookError):
            return Given(_deliver(trigger, adapter.read_webhook(connector_of(trigger.uses), text), text, now))
    value, kind = read_value(text, "--input"), _kind(adapter, trigger.uses)
    if not isinstance(value, dict):
        raise UsageError(f"--input: expected a JSON object, such as {_shape(kind)}, not {quoted(value)}")
    filled = samples.with_nulls(value, kind)
    if (refused := values.refuse(filled, kind)) is None:
        return Given(_sample(adapter, trigger, now), filled)
    event = replace(example, occurred_at=now, payload=value)
    reason = "it has no field 'event'" if is_webhook else _refuse(adapter, trigger, event, now)
    if reason is not None:
        raise UsageError(
            f"--input: this is neither what the flow reads as trigger ({refused}) nor an event ({reason}); "
            f"write such as {_shape(kind)}, see: chatforge show {trigger.uses}"
        )
    return Given(_deliver(trigger, event, text, now))


def _refuse(adapter: Adapter, trigger: TriggerUse, event: Event, now: datetime) -> str | None:
    try:
        adapter.select(trigger.uses, trigger.input, event, now)
    except EventError as error:
        return str(error)
    return None


def _shape(kind: Type) -> str:
    """A sample with the fields that must be given."""
    made = samples.sample(kind)
    if isinstance(kind, Object):
        made = {name: made[name] for name, one in kind.fields.items() if not types.nullable(one)}
    return json.dumps(made)


def _kind(adapter: Adapter, trigger: str) -> Type:
    return adapter.catalogue.triggers[trigger].output
