"""Builds the app: the files of `template`, package.json and definitions.json."""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from connector import choices, examples
from connector.declare import Action, Event, Trigger, connector_of
from connector.hosts.exports import Export
from connector.hosts.requests import Given, Part, Request, derive, login_of
from connector.hosts.zapier.fields import input_fields, output_fields
from connector.profiles import convert
from connector.registry import Registry, schemas_of

_TEMPLATE = Path(__file__).parent / "template"
_PLATFORM = "19.1.0"
_NOW = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
_OWN = "chatforge"


def build(registry: Registry, plugins: Collection[str]) -> Export:
    """The app of ChatForge. Other plugins stay out: an app of Zapier has one kind of account."""
    left_out = {name: "an app of Zapier is for one service" for name in registry.actions if _is_other(name, plugins)}
    actions = {}
    for name, action in registry.actions.items():
        if connector_of(name) == _OWN:
            request = derive(registry, action, _OWN)
            actions[name.partition(".")[2]] = _action(registry, action, request)
    definitions = {
        "version": version("chatforge-connector"),
        "login": _login(registry),
        "actions": actions,
        "new_lead": _new_lead(registry.trigger(f"{_OWN}.new_lead")),
    }
    files: dict[str, str | bytes] = {
        path.name: path.read_text("utf-8") for path in sorted(_TEMPLATE.iterdir()) if path.is_file()
    }
    return Export({**files, "package.json": _package(), "definitions.json": _json(definitions)}, left_out)


def _is_other(name: str, plugins: Collection[str]) -> bool:
    return connector_of(name) != _OWN and connector_of(name) in plugins


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _package() -> str:
    return _json(
        {
            "name": "zapier-chatforge",
            "version": version("chatforge-connector"),
            "description": "ChatForge for Zapier.",
            "main": "index.js",
            "license": "MIT",
            "private": True,
            "engines": {"node": ">=22"},
            "dependencies": {"zapier-platform-core": _PLATFORM},
        }
    )


def _login(registry: Registry) -> dict[str, Any]:
    declared = registry.connections[_OWN]
    login = login_of(declared)
    assert login is not None  # noqa: S101 - ChatForge has one
    limit = declared.rate_limit
    return {
        "base_url": login.base_url,
        "headers": dict(login.headers),
        "help": declared.help,
        "test": declared.test,
        "throttle": {"window": limit.seconds, "limit": limit.requests, "scope": ["auth"]} if limit else None,
    }


def _action(registry: Registry, action: Action, request: Request | None) -> dict[str, Any]:
    taken, given = schemas_of(action)
    output = convert(given, "plain")
    return {
        "title": action.title,
        "description": action.description.partition("\n\n")[0].replace("\n", " "),
        "effect": action.effect,
        "input": input_fields(convert(taken, "mcp"), _dynamic(registry, action)),
        "output": output_fields(output),
        "sample": examples.example_of(output),
        "request": None if request is None else _request(request),
    }


def _dynamic(registry: Registry, declared: Action | Trigger) -> dict[str, str]:
    """Only agents: the trigger that lists values has no other inputs to go by."""
    places = {name: choices.place_of(declared, name, registry.actions) for name in choices.marked(declared)}
    return {
        name: f"{place.items}.{place.value}.{place.label}"
        for name, place in places.items()
        if place is not None and not place.needs
    }


def _request(request: Request) -> dict[str, Any]:
    return {"method": request.method, "query": _written(request.query), "body": _written(request.body)}


def _written(part: Part | Mapping[str, Part]) -> Any:
    """With `{"input": NAME}` for an input."""
    if isinstance(part, Given):
        return {"input": part.name}
    return {name: _written(inner) for name, inner in part.items()} if isinstance(part, Mapping) else part


def _new_lead(trigger: Trigger) -> dict[str, Any]:
    """What it gives, and from which field of a listed lead each value comes: found by letting it select one."""
    lead = {name: f"{name} of the lead" for name in trigger.sample.payload["lead"]} | {"created_at": _NOW.isoformat()}
    event = Event(trigger.sample.name, "", None, {"lead": lead, "agent_id": "the agent"}, trigger.sample.source)
    selected = trigger.select(event, trigger.input(), _NOW)
    assert selected is not None  # noqa: S101 - it is an event that the trigger wants
    values = {**lead, "created_at": _NOW}
    found = {out: [name for name, value in values.items() if value == got] for out, got in selected}
    sample = trigger.select(trigger.sample, trigger.input(), _NOW)
    assert sample is not None  # noqa: S101 - as above
    return {
        "title": trigger.title,
        "description": trigger.description.partition("\n\n")[0].replace("\n", " "),
        "from": {out: names[0] for out, names in found.items() if names},
        "constants": {"source": "poll"},
        "output": output_fields(convert(schemas_of(trigger)[1], "plain")),
        "sample": {"id": "uuid", **sample.model_dump(mode="json")},
    }
