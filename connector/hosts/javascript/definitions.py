"""definitions.json, from the declarations: how to log in, what each action sends, what each trigger reads."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from connector import choices, examples
from connector.choices import Place
from connector.declare import Action, ConnectionType, Trigger, Webhook
from connector.hosts.javascript.events import read_mapping, select
from connector.hosts.javascript.refusals import read_not_json, read_refusals
from connector.hosts.requests import Given, Part, Request, derive, login_of
from connector.profiles import convert
from connector.registry import Registry, schemas_of
from connector.validation import refuse

_LIBRARY = Path(__file__).parent / "library"
_ACRONYMS = ("api", "id", "url")


def library() -> dict[str, str]:
    """The files that are the same for all hosts, by name."""
    return {path.name: path.read_text("utf-8") for path in sorted(_LIBRARY.iterdir())}


def write_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def label_of(name: str) -> str:
    """`agent_id` → Agent ID."""
    return " ".join(word.upper() if word in _ACRONYMS else word.capitalize() for word in name.split("_"))


def key_of(declared: Action | Trigger) -> str:
    """The name without the plugin's."""
    return declared.name.partition(".")[2]


def actions_of(registry: Registry, connector: str) -> list[Action]:
    """Those that need nothing but the account: a local one answers from what this package keeps."""
    declared = [action for name, action in registry.actions.items() if name.startswith(f"{connector}.")]
    return [action for action in declared if not action.local]


def local_actions(registry: Registry, connector: str) -> list[str]:
    return [name for name, one in registry.actions.items() if name.startswith(f"{connector}.") and one.local]


def polled_triggers(registry: Registry, connector: str) -> list[Trigger]:
    """Those whose events are the entries of a list: what was not in it before is new."""
    declared = [trigger for name, trigger in registry.triggers.items() if name.startswith(f"{connector}.")]
    return [trigger for trigger in declared if _is_an_entry(trigger)]


def _is_an_entry(trigger: Trigger) -> bool:
    if trigger.sources != ("poll",) or trigger.watches is None:
        return False
    return bool(trigger.sample.identity.rpartition(":")[2] == entry_of(trigger)["id"])


def entry_of(trigger: Trigger) -> Mapping[str, Any]:
    """The entry of the list in a polled trigger's sample."""
    found: Mapping[str, Any] = next(value for value in trigger.sample.payload.values() if isinstance(value, dict))
    return found


def define(registry: Registry, connector: str) -> dict[str, Any]:
    """Plain JSON, in the order of the declarations; hosts add what only they need."""
    actions, triggers = actions_of(registry, connector), polled_triggers(registry, connector)
    declared: list[Action | Trigger] = [*actions, *triggers]
    places = [place for one in declared for _, place in places_of(registry, one)]
    return {
        "version": version("chatforge-connector"),
        "account": _account(registry.connections[connector]),
        "refusals": read_refusals(),
        "not_json": read_not_json(),
        "actions": {key_of(action): _action(registry, action, connector) for action in actions},
        "triggers": {key_of(trigger): _polled(trigger) for trigger in triggers},
        "choices": {place.items: _choice(place) for place in places},
    }


def places_of(registry: Registry, declared: Action | Trigger) -> Iterator[tuple[str, Place]]:
    """The inputs whose values can be chosen, and where they are listed."""
    for name in choices.marked(declared):
        place = choices.place_of(declared, name, registry.actions)
        if place is not None:
            yield name, place


def _account(declared: ConnectionType) -> dict[str, Any]:
    login = login_of(declared)
    assert login is not None  # noqa: S101 - an address and a key in a header
    limit = declared.rate_limit
    return {
        "secrets": {name: label_of(name) for name in login.secret_fields},
        "base_url": login.base_url,
        "address_field": login.address_field,
        "headers": dict(login.headers),
        "test": declared.test,
        "limit": {"requests": limit.requests, "seconds": limit.seconds} if limit else None,
    }


def _about(declared: Action | Trigger) -> dict[str, str]:
    return {
        "title": declared.title,
        "noun": declared.title.partition(" ")[2].capitalize() or declared.title,
        "description": declared.description.partition("\n\n")[0].replace("\n", " "),
    }


def _action(registry: Registry, action: Action, connector: str) -> dict[str, Any]:
    request = derive(registry, action, connector)
    return {
        **_about(action),
        "effect": action.effect,
        "incomplete": _incomplete(action),
        "always": [name for name, field in action.output.model_fields.items() if field.is_required()],
        "sample": examples.example_of(convert(schemas_of(action)[1], "plain")),
        "request": None if request is None else _request(request),
    }


def _incomplete(action: Action) -> str | None:
    """What is said where nothing is given but what is required; None where that is enough."""
    required = {name for name, field in action.input.model_fields.items() if field.is_required()}
    found = refuse(action.input, {name: value for name, value in action.example.items() if name in required})
    return found[1] if found else None


def _choice(place: Place) -> dict[str, Any]:
    """What is asked for what a person chooses from, and what is shown of it."""
    return {
        "action": place.action.partition(".")[2],
        "noun": place.items.removesuffix("s").capitalize(),
        "items": place.items,
        "value": place.value,
        "label": place.label,
        "cursor": place.cursor,
        "needs": [*place.needs],
    }


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


def _polled(trigger: Trigger) -> dict[str, Any]:
    assert trigger.watches is not None  # noqa: S101 - it is polled
    sample = replace(trigger.sample, occurred_at=None)
    return {
        **_about(trigger),
        "list": trigger.watches.name,
        "entry": next(name for name, value in sample.payload.items() if isinstance(value, dict)),
        **read_mapping(trigger, sample, lambda payload: replace(sample, payload=payload)),
        "sample": {"id": entry_of(trigger)["id"], **select(trigger, sample)},
    }


def received_triggers(registry: Registry, connector: str) -> dict[str, dict[str, Any]]:
    """What the triggers with webhooks give: `event` is the name of the only one that they want, None for any."""
    webhook = registry.connections[connector].webhook
    declared = [trigger for name, trigger in registry.triggers.items() if name.startswith(f"{connector}.")]
    return {key_of(trigger): _received(trigger, webhook) for trigger in declared if "webhook" in trigger.sources}


def _received(trigger: Trigger, webhook: Webhook | None) -> dict[str, Any]:
    assert webhook is not None  # noqa: S101 - of a trigger with webhooks
    return {
        **_about(trigger),
        "event": None if "events" in trigger.input.model_fields else trigger.sample.name,
        **read_mapping(trigger, trigger.sample, lambda payload: webhook.parse(json.dumps(payload))),
        "sample": {"id": trigger.sample.identity, **select(trigger, trigger.sample)},
    }
