"""Builds the package: the files of `template`, those that all hosts share, package.json and definitions.json."""

from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

from connector.declare import connector_of
from connector.hosts.exports import Export
from connector.hosts.javascript.definitions import library, local_actions, polled_triggers, write_json
from connector.hosts.n8n.definitions import define
from connector.registry import Registry

_TEMPLATE = Path(__file__).parent / "template"
_OWN = "chatforge"
_NAME = "n8n-nodes-chatforge"
_NODES = ("ChatForge", "ChatForgeTrigger", "ChatForgePollingTrigger")


def build(registry: Registry, plugins: Collection[str]) -> Export:
    """The nodes of ChatForge. Other plugins stay out: their credentials and errors are others."""
    files = {path.relative_to(_TEMPLATE).as_posix(): path.read_text("utf-8") for path in _template_files()}
    shared = {name if name == "LICENSE" else f"dist/lib/{name}": text for name, text in library().items()}
    made = {"package.json": _package(), "dist/lib/definitions.json": write_json(define(registry, _OWN))}
    return Export(dict(sorted((files | shared | made).items())), _left_out(registry, plugins))


def _template_files() -> list[Path]:
    return [path for path in sorted(_TEMPLATE.rglob("*")) if path.is_file()]


def _left_out(registry: Registry, plugins: Collection[str]) -> dict[str, str]:
    others = [*registry.actions, *registry.triggers]
    found = {
        name: "the nodes have one kind of credential, that of ChatForge"
        for name in others
        if connector_of(name) != _OWN and connector_of(name) in plugins
    }
    found |= dict.fromkeys(local_actions(registry, _OWN), "it answers from samples, and the nodes keep none")
    polled = [trigger.name for trigger in polled_triggers(registry, _OWN)]
    for name, trigger in registry.triggers.items():
        if connector_of(name) == _OWN and name not in polled and "webhook" not in trigger.sources:
            found[name] = "a poll here knows which entries there were, not how they were"
    return found


def _package() -> str:
    return write_json(
        {
            "name": _NAME,
            "version": version("chatforge-connector"),
            "description": "ChatForge for n8n: agents, conversations, leads, messages.",
            "keywords": ["n8n-community-node-package", "chatforge"],
            "license": "MIT",
            "homepage": "https://chatforge.aiedge247.com",
            "main": "dist/nodes/ChatForge/ChatForge.node.js",
            "files": ["dist"],
            "engines": {"node": ">=22"},
            "n8n": {
                "n8nNodesApiVersion": 1,
                "credentials": ["dist/credentials/ChatForgeApi.credentials.js"],
                "nodes": [f"dist/nodes/ChatForge/{name}.node.js" for name in _NODES],
            },
            "peerDependencies": {"n8n-workflow": "*"},
        }
    )
