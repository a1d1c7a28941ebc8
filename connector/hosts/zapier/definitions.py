"""What definitions.json has for Zapier alone: the forms, and how often the account may be asked."""

from collections.abc import Mapping
from typing import Any

from connector import choices
from connector.declare import Action, ConnectionType, Trigger
from connector.hosts.javascript import definitions
from connector.hosts.javascript.definitions import actions_of, key_of, label_of, places_of, polled_triggers
from connector.hosts.zapier.fields import Dropdown, input_fields, output_fields
from connector.profiles import convert
from connector.registry import Registry, schemas_of

_ID = {"key": "id", "label": "ID", "type": "string"}


def define(registry: Registry, connector: str) -> dict[str, Any]:
    """The content of definitions.json."""
    common = definitions.define(registry, connector)
    actions = {key_of(action): _action(registry, action) for action in actions_of(registry, connector)}
    triggers = {key_of(trigger): _trigger(registry, trigger) for trigger in polled_triggers(registry, connector)}
    return {
        **common,
        "account": {**common["account"], **_account(registry.connections[connector], common["account"])},
        "actions": {key: {**common["actions"][key], **forms} for key, forms in actions.items()},
        "triggers": {key: {**common["triggers"][key], **forms} for key, forms in triggers.items()},
    }


def _account(declared: ConnectionType, common: Mapping[str, Any]) -> dict[str, Any]:
    limit = common["limit"]
    help_text = f"{declared.help[:1].upper()}{declared.help[1:]}."
    secrets = [
        {"key": name, "label": label, "type": "password", "required": True, "helpText": help_text}
        for name, label in common["secrets"].items()
    ]
    address = {"type": "string", "required": False, "default": common["base_url"], "helpText": "Only for tests."}
    named = [{"key": name, "label": label_of(name), **address} for name in (common["address_field"],) if name]
    return {
        "fields": secrets + named,
        "throttle": {"window": limit["seconds"], "limit": limit["requests"], "scope": ["auth"]} if limit else None,
    }


def _action(registry: Registry, action: Action) -> dict[str, Any]:
    taken, given = schemas_of(action)
    return {
        "input": input_fields(convert(taken, "mcp"), _dropdowns(registry, action)),
        "output": output_fields(convert(given, "plain")),
    }


def _trigger(registry: Registry, trigger: Trigger) -> dict[str, Any]:
    taken, given = schemas_of(trigger)
    filters = convert(taken, "mcp")
    filters["properties"] = {name: filters["properties"][name] for name in choices.marked(trigger)}
    return {
        "input": input_fields(filters, _dropdowns(registry, trigger)),
        "output": [_ID, *output_fields(convert(given, "plain"))],
    }


def _dropdowns(registry: Registry, declared: Action | Trigger) -> dict[str, Dropdown]:
    return {
        name: Dropdown(f"{place.items}.{place.value}.{place.label}", place.needs)
        for name, place in places_of(registry, declared)
    }
