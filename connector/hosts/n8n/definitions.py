"""What definitions.json has for n8n alone: the forms of the nodes and of the credential, and the webhook triggers."""

from collections.abc import Mapping
from typing import Any

from connector import choices
from connector.declare import Action, Trigger
from connector.hosts.javascript import definitions
from connector.hosts.javascript.definitions import (
    actions_of,
    key_of,
    label_of,
    places_of,
    polled_triggers,
    received_triggers,
)
from connector.hosts.n8n.properties import Property, choice, inputs
from connector.profiles import convert
from connector.registry import Registry, schemas_of


def define(registry: Registry, connector: str) -> dict[str, Any]:
    """The content of definitions.json."""
    common = definitions.define(registry, connector)
    received = received_triggers(registry, connector)
    return {
        **common,
        "received": received,
        "forms": {
            "credential": _credential(registry, connector, common["account"]),
            "actions": [
                choice("operation", common["actions"], "Operation"),
                *(
                    made
                    for action in actions_of(registry, connector)
                    for made in _inputs(registry, action, "operation", list(action.input.model_fields))
                ),
            ],
            "polled": [
                choice("trigger", common["triggers"], "Trigger On"),
                *(
                    made
                    for trigger in polled_triggers(registry, connector)
                    for made in _inputs(registry, trigger, "trigger", list(choices.marked(trigger)))
                ),
            ],
            "received": [
                choice("trigger", received, "Trigger On"),
                *(made for key in received for made in _filters(registry.triggers[f"{connector}.{key}"])),
            ],
        },
    }


def _inputs(registry: Registry, declared: Action | Trigger, chosen: str, names: list[str]) -> list[Property]:
    schema = convert(schemas_of(declared)[0], "mcp")
    schema["properties"] = {name: part for name, part in schema.get("properties", {}).items() if name in names}
    lists = {name: place.items for name, place in places_of(registry, declared)}
    return list(inputs(schema, lists, {chosen: [key_of(declared)]}))


def _filters(trigger: Trigger) -> list[Property]:
    """Those that a webhook alone can answer. Its agent may have another id than the list says, so it is text."""
    schema = convert(schemas_of(trigger)[0], "mcp")
    names = ("events", "agent_id")
    schema["properties"] = {name: part for name, part in schema["properties"].items() if name in names}
    return list(inputs(schema, {}, {"trigger": [key_of(trigger)]}))


def _credential(registry: Registry, connector: str, account: Mapping[str, Any]) -> list[Property]:
    declared = registry.connections[connector]
    help_text = f"{declared.help[:1].upper()}{declared.help[1:]}."
    secrets = [{**_secret(name, label), "required": True} for name, label in account["secrets"].items()]
    hooks = [
        {**_secret("webhook_secret", "Webhook Secret"), "description": "For the ChatForge Trigger alone. " + help_text},
        {
            **_secret("previous_webhook_secret", "Previous Webhook Secret"),
            "description": "Accepted too, while a new one replaces it.",
        },
    ]
    address = [
        {"displayName": label_of(name), "name": name, "type": "string", "default": account["base_url"]}
        for name in (account["address_field"],)
        if name
    ]
    return [{**one, "description": help_text} for one in secrets] + (hooks if declared.webhook else []) + address


def _secret(name: str, label: str) -> Property:
    return {
        "displayName": label,
        "name": name,
        "type": "string",
        "typeOptions": {"password": True},
        "default": "",
    }
