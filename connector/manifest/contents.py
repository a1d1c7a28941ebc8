"""What a manifest says of the plugins: the registry's declarations as plain data."""

import importlib.metadata
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from connector.adapter import Adapter
from connector.blocking import BlockingAdapter
from connector.declare import CONTRACT_VERSION, Action, ConnectionType, Trigger, connector_of
from connector.manifest.document import (
    FORMAT,
    ActionPart,
    ConnectionPart,
    Manifest,
    RateLimitPart,
    SamplePart,
    TriggerPart,
    TriggersPart,
    WebhookPart,
)
from connector.registry import GROUP, Registry, schemas_of
from connector.validation import write

DISTRIBUTION = "chatforge-connector"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDER = {
    key: rank
    for rank, key in enumerate(
        "title description type format writeOnly const enum $ref anyOf oneOf items default "
        "properties required additionalProperties".split()
    )
}
"""Of the keys of a JSON Schema, for a person who reads it; others follow, then `$defs`."""


def build(registry: Registry, plugins: Collection[str]) -> dict[str, Any]:
    """The manifest of `plugins`, by the names of their entry points, as plain JSON.

    Its name and version are those of the distribution that has all of them, else of this one, whose manifest also
    has the triggers that belong to no plugin.
    """
    distribution = _distribution_of(plugins)
    manifest = Manifest(
        manifest=FORMAT,
        name=distribution.name,
        version=distribution.version,
        contract=CONTRACT_VERSION,
        adapter=f"{Adapter.__module__}:{Adapter.__qualname__}",
        blocking_adapter=f"{BlockingAdapter.__module__}:{BlockingAdapter.__qualname__}",
        entry_points=GROUP,
        connections={name: _connection(name, made) for name, made in registry.connections.items() if name in plugins},
        triggers=_triggers(registry.triggers, plugins, own=distribution.name == DISTRIBUTION),
        actions={name: _action(action) for name, action in registry.actions.items() if connector_of(name) in plugins},
    )
    # Only fields that may be absent have a default.
    return manifest.model_dump(mode="json", exclude_defaults=True)


def own_plugins() -> list[str]:
    """The plugins that this distribution brings."""
    return [point.name for point in importlib.metadata.distribution(DISTRIBUTION).entry_points.select(group=GROUP)]


def plugins_of(registry: Registry) -> list[str]:
    """The plugins that declare something, in the order of their names."""
    operations = (*registry.actions, *registry.triggers)
    return sorted({*registry.connections, *(connector_of(name) for name in operations if "." in name)})


def group_of(trigger: Trigger) -> str:
    """Under which key of `triggers` it stands."""
    if trigger.joins:
        return "joined"
    if "webhook" in trigger.sources:
        return "webhook"
    return "polled" if "poll" in trigger.sources else "started"


def _distribution_of(plugins: Collection[str]) -> importlib.metadata.Distribution:
    points = [point for point in importlib.metadata.entry_points(group=GROUP) if point.name in plugins and point.dist]
    found = {point.dist.name: point.dist for point in points if point.dist}
    return next(iter(found.values())) if len(found) == 1 else importlib.metadata.distribution(DISTRIBUTION)


def _connection(plugin: str, declared: ConnectionType) -> ConnectionPart:
    path = f"/webhooks/{plugin}"
    limit = declared.rate_limit
    return ConnectionPart(
        title=declared.title,
        help=declared.help,
        help_url=declared.help_url,
        rate_limit=RateLimitPart(requests=limit.requests, seconds=limit.seconds, per=limit.per) if limit else None,
        test=declared.test and f"{plugin}.{declared.test}",
        webhook=WebhookPart(path=path, connection_path=f"{path}/{{connection}}") if declared.webhook else None,
        fields=_in_order(declared.model.model_json_schema(mode="validation")),
    )


def _triggers(triggers: Mapping[str, Trigger], plugins: Collection[str], *, own: bool) -> TriggersPart:
    groups: dict[str, dict[str, TriggerPart]] = {name: {} for name in TriggersPart.model_fields}
    for name, trigger in triggers.items():
        if connector_of(name) in plugins or (own and "." not in name):
            groups[group_of(trigger)][name] = _trigger(trigger)
    return TriggersPart(**groups)


def _trigger(trigger: Trigger) -> TriggerPart:
    taken, given = schemas_of(trigger)
    return TriggerPart(
        title=trigger.title,
        description=trigger.description,
        sources=list(trigger.sources),
        joins=_joins(trigger) or None,
        needs=needs_of(trigger),
        input=_in_order(taken),
        output=_in_order(given),
        sample=_sample(trigger),
    )


def _joins(trigger: Trigger) -> list[str]:
    return [f"{connector_of(trigger.name)}.{part}" for part in trigger.joins]


def needs_of(trigger: Trigger) -> str | None:
    """What a host of the trigger has to do, where that is more than to hand on its events."""
    if not trigger.joins:
        return None
    return (
        f"Joining {' and '.join(_joins(trigger))} takes a host that remembers which events told of the same thing, as "
        "the executor of this package does; another host uses these triggers one by one."
    )


def _sample(trigger: Trigger) -> SamplePart:
    event = trigger.sample
    return SamplePart(
        event=event.name,
        identity=event.identity,
        occurred_at=event.occurred_at.isoformat().replace("+00:00", "Z") if event.occurred_at else None,
        payload=dict(event.payload),
        output=_sample_output(trigger),
    )


def _sample_output(trigger: Trigger) -> dict[str, Any] | None:
    """What the trigger makes of its sample without input; None where it cannot do without one."""
    try:
        output = trigger.select(trigger.sample, trigger.input.model_construct(), trigger.sample.occurred_at or _EPOCH)
        return None if output is None else write(trigger.output, output)
    except Exception:  # a stranger's function, given an input that may lack what it requires
        return None


def _action(action: Action) -> ActionPart:
    taken, given = schemas_of(action)
    return ActionPart(
        title=action.title,
        description=action.description,
        effect=action.effect,
        input=_in_order(taken),
        output=_in_order(given),
        example=dict(action.example),
    )


def _in_order(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema with its keys in the order of `_ORDER`; fields keep theirs."""
    ordered: dict[str, Any] = {}
    for key in sorted(schema, key=lambda key: (key == "$defs", _ORDER.get(key, len(_ORDER)), key)):
        value = schema[key]
        if key in ("properties", "$defs") and isinstance(value, Mapping):
            ordered[key] = {name: _in_order(part) for name, part in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, Mapping):
            ordered[key] = _in_order(value)
        elif key in ("anyOf", "oneOf"):
            ordered[key] = [_in_order(part) for part in value]
        else:
            ordered[key] = value
    return ordered
