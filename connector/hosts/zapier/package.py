"""Builds the app: the files of `template`, package.json and definitions.json."""

import json
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

from connector.declare import connector_of
from connector.hosts.exports import Export
from connector.hosts.zapier.definitions import define, is_polled
from connector.registry import Registry

_TEMPLATE = Path(__file__).parent / "template"
_PLATFORM = "19.1.0"
_OWN = "chatforge"


def build(registry: Registry, plugins: Collection[str]) -> Export:
    """The app of ChatForge. Other plugins stay out: an app of Zapier has one kind of account."""
    files: dict[str, str | bytes] = {
        path.name: path.read_text("utf-8") for path in sorted(_TEMPLATE.iterdir()) if path.is_file()
    }
    made = {"package.json": _package(), "definitions.json": _json(define(registry, _OWN))}
    return Export(files | made, _left_out(registry, plugins))


def _left_out(registry: Registry, plugins: Collection[str]) -> dict[str, str]:
    others = [*registry.actions, *registry.triggers]
    found = {name: "an app of Zapier is for one service" for name in others if _is_other(name, plugins)}
    for name, trigger in registry.triggers.items():
        if connector_of(name) == _OWN and not is_polled(trigger):
            found[name] = _reason("webhook" in trigger.sources)
    return found


def _reason(needs_webhook: bool) -> str:
    if needs_webhook:
        return "an app of Zapier gets webhooks only from services that it can subscribe to"
    return "a poll of Zapier does not know what the one before has seen"


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
