"""What the app is made of, from the declarations: its account, actions, triggers and lists to choose from."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from connector import choices, examples
from connector.choices import Place
from connector.declare import Action, ConnectionType, PolledList, Trigger
from connector.hosts.requests import Given, Part, Request, derive, login_of
from connector.hosts.zapier.fields import Dropdown, input_fields, label_of, output_fields
from connector.hosts.zapier.refusals import read_not_json, read_refusals
from connector.profiles import convert
from connector.registry import Registry, schemas_of
from connector.validation import refuse

_NOW = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
_NOW_TEXT = "2026-03-25T10:30:00Z"
_TOLD_AT = "2026-03-26T11:45:00Z"
_ID = {"key": "id", "label": "ID", "type": "string"}


def define(registry: Registry, connector: str) -> dict[str, Any]:
    """The content of definitions.json: plain JSON, in the order of the declarations."""
    actions = {_key(action): action for action in registry.actions.values() if _key(action, connector)}
    triggers = {_key(trigger): trigger for trigger in registry.triggers.values() if _key(trigger, connector)}
    polled = {key: trigger for key, trigger in triggers.items() if is_polled(trigger)}
    return {
        "version": version("chatforge-connector"),
        "account": _account(registry.connections[connector]),
        "refusals": read_refusals(),
        "not_json": read_not_json(),
        "actions": {key: _action(registry, action, connector) for key, action in actions.items()},
        "triggers": {
            key: _trigger(registry, trigger, trigger.watches) for key, trigger in polled.items() if trigger.watches
        },
        "choices": dict(_choices(registry, [*actions.values(), *polled.values()])),
    }


def _key(declared: Action | Trigger, connector: str = "") -> str:
    """The name without the plugin's; empty where it is of another one than `connector`."""
    plugin, _, key = declared.name.partition(".")
    return key if connector in ("", plugin) else ""


def is_polled(trigger: Trigger) -> bool:
    """Whether polls that remember nothing find its events: there is one for each entry of a list."""
    if trigger.sources != ("poll",) or trigger.watches is None:
        return False
    return bool(trigger.sample.identity.rpartition(":")[2] == _entry(trigger)["id"])


def _entry(trigger: Trigger) -> Mapping[str, Any]:
    """The entry of the list in a polled trigger's sample."""
    found: Mapping[str, Any] = next(value for value in trigger.sample.payload.values() if isinstance(value, dict))
    return found


def _account(declared: ConnectionType) -> dict[str, Any]:
    login = login_of(declared)
    assert login is not None  # noqa: S101 - an address and a key in a header
    limit = declared.rate_limit
    help_text = f"{declared.help[:1].upper()}{declared.help[1:]}."
    secrets = [
        {"key": name, "label": label_of(name), "type": "password", "required": True, "helpText": help_text}
        for name in login.secret_fields
    ]
    address = {"type": "string", "required": False, "default": login.base_url, "helpText": "Only for tests."}
    named = [{"key": name, "label": label_of(name), **address} for name in (login.address_field,) if name]
    return {
        "fields": secrets + named,
        "base_url": login.base_url,
        "address_field": login.address_field,
        "headers": dict(login.headers),
        "test": declared.test,
        "throttle": {"window": limit.seconds, "limit": limit.requests, "scope": ["auth"]} if limit else None,
    }


def _about(declared: Action | Trigger) -> dict[str, str]:
    return {
        "title": declared.title,
        "noun": declared.title.partition(" ")[2].capitalize() or declared.title,
        "description": declared.description.partition("\n\n")[0].replace("\n", " "),
    }


def _action(registry: Registry, action: Action, connector: str) -> dict[str, Any]:
    taken, given = schemas_of(action)
    output = convert(given, "plain")
    request = derive(registry, action, connector)
    return {
        **_about(action),
        "effect": action.effect,
        "input": input_fields(convert(taken, "mcp"), _dropdowns(registry, action)),
        "incomplete": _incomplete(action),
        "output": output_fields(output),
        "always": [name for name, field in action.output.model_fields.items() if field.is_required()],
        "sample": examples.example_of(output),
        "request": None if request is None else _request(request),
    }


def _incomplete(action: Action) -> str | None:
    """What is said where nothing is given but what is required; None where that is enough."""
    required = {name for name, field in action.input.model_fields.items() if field.is_required()}
    found = refuse(action.input, {name: value for name, value in action.example.items() if name in required})
    return found[1] if found else None


def _places(registry: Registry, declared: Action | Trigger) -> Iterator[tuple[str, Place]]:
    for name in choices.marked(declared):
        place = choices.place_of(declared, name, registry.actions)
        if place is not None:
            yield name, place


def _dropdowns(registry: Registry, declared: Action | Trigger) -> dict[str, Dropdown]:
    return {
        name: Dropdown(f"{place.items}.{place.value}.{place.label}", place.needs)
        for name, place in _places(registry, declared)
    }


def _choices(registry: Registry, declared: list[Action | Trigger]) -> Iterator[tuple[str, dict[str, Any]]]:
    """By the key of a hidden trigger: what it asks, and what it shows."""
    for one in declared:
        for _, place in _places(registry, one):
            yield (
                place.items,
                {
                    "action": place.action.partition(".")[2],
                    "noun": place.items.removesuffix("s").capitalize(),
                    "items": place.items,
                    "value": place.value,
                    "label": place.label,
                    "cursor": place.cursor,
                    "needs": [*place.needs],
                },
            )


def _request(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "query": _written(request.query),
        "body": _written(request.body),
    }


def _written(part: Part | Mapping[str, Part]) -> Any:
    """With `{"input": NAME}` for an input."""
    if isinstance(part, Given):
        return {"input": part.name}
    return {name: _written(inner) for name, inner in part.items()} if isinstance(part, Mapping) else part


def _trigger(registry: Registry, trigger: Trigger, watched: PolledList) -> dict[str, Any]:
    """What it gives, and from which field of an entry each value comes: found by letting it select one."""
    entry, agent_id = _entry(trigger), trigger.sample.payload["agent_id"]
    told = _distinct(entry)
    found = _select(trigger, entry, told)
    sources = {out: next((name for name, value in told.items() if value == got), None) for out, got in found.items()}
    without_time = _select(trigger, entry, {name: value for name, value in told.items() if value != _TOLD_AT})
    taken, given = schemas_of(trigger)
    filters = convert(taken, "mcp")
    filters["properties"] = {name: filters["properties"][name] for name in choices.marked(trigger)}
    return {
        **_about(trigger),
        "list": watched.name,
        "input": input_fields(filters, _dropdowns(registry, trigger)),
        "from": {out: name for out, name in sources.items() if name},
        "or_now": [out for out, value in without_time.items() if value == _NOW_TEXT],
        "constants": {out: found[out] for out, name in sources.items() if not name and found[out] != agent_id},
        "output": [_ID, *output_fields(convert(given, "plain"))],
        "sample": {"id": entry["id"], **_select(trigger, entry, entry)},
    }


def _distinct(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with a value of its own in each text."""
    return {
        name: _TOLD_AT if name == "created_at" else f"{name} of it" if isinstance(value, str) else value
        for name, value in entry.items()
    }


def _select(trigger: Trigger, sample: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The output, as JSON, for an entry that stands where `sample` does in the trigger's sample."""
    payload = {name: entry if value is sample else value for name, value in trigger.sample.payload.items()}
    event = replace(trigger.sample, occurred_at=None, payload=payload)
    selected = trigger.select(event, trigger.input(), _NOW)
    assert selected is not None  # noqa: S101 - it is an event that the trigger wants
    return selected.model_dump(mode="json")
