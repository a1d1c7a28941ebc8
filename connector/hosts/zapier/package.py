"""Builds the app: the files of `template`, those that all hosts share, package.json and definitions.json."""

from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

from connector.declare import connector_of
from connector.hosts.exports import Export
from connector.hosts.javascript.definitions import library, local_actions, polled_triggers, write_json
from connector.hosts.zapier.definitions import define
from connector.registry import Registry

_TEMPLATE = Path(__file__).parent / "template"
_PLATFORM = "19.1.0"
_OWN = "chatforge"


def build(registry: Registry, plugins: Collection[str]) -> Export:
    """The app of ChatForge. Other plugins stay out: an app of Zapier has one kind of account."""
    files: dict[str, str | bytes] = {
        path.name: path.read_text("utf-8") for path in sorted(_TEMPLATE.iterdir()) if path.is_file()
    }
    made = {"package.json": _package(), "definitions.json": write_json(define(registry, _OWN))}
    return Export(files | library() | made, _left_out(registry, plugins))


def _left_out(registry: Registry, plugins: Collection[str]) -> dict[str, str]:
    others = [*registry.actions, *registry.triggers]
    found = {name: "an app of Zapier is for one service" for name in others if _is_other(name, plugins)}
    found |= dict.fromkeys(local_actions(registry, _OWN), "it answers from samples, and an app of Zapier keeps none")
    polled = [trigger.name for trigger in polled_triggers(registry, _OWN)]
    for name, trigger in registry.triggers.items():
        if connector_of(name) == _OWN and name not in polled:
            found[name] = _reason("webhook" in trigger.sources)
    return found


def _reason(needs_webhook: bool) -> str:
    if needs_webhook:
        return "an app of Zapier gets webhooks only from services that it can subscribe to"
    return "a poll of Zapier does not know what the one before has seen"


def _is_other(name: str, plugins: Collection[str]) -> bool:
    return connector_of(name) != _OWN and connector_of(name) in plugins


def _package() -> str:
    return write_json(
        {
            "name": "zapier-chatforge",
            "version": version("chatforge-connector"),
            "description": "ChatForge for Zapier.",
            "main": "index.js",
            "license": "MIT",
            "private": True,
            "engines": {"node": ">=22"},
            "dependencies": {"zapier-platform-core": _PLATFORM},
            "devDependencies": {"zapier-platform-cli": _PLATFORM},
        }
    )
