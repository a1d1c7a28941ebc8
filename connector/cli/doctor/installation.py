"""Checks what is installed and set: the settings, the names of variables, the plugins."""

import importlib.metadata
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

from connector import registry as registries
from connector.chatforge.probe.answers import count
from connector.cli.loading import load_settings
from connector.declare import connector_of
from connector.diagnosis.findings import Finding, Findings, fail_with, ok, warn
from connector.errors import PluginError, SettingsError
from connector.flows.problems import closest
from connector.registry import Registry
from connector.settings import Settings, variables

_PREFIX = "CHATFORGE_"
_NAMES = (
    "API_KEY",
    "BASE_URL",
    "BUDGET_FILE",
    "CONFIG_NAME",
    "DATABASE_URL",
    "LOG_FORMAT",
    "MCP_TOKEN",
    "ON_FAILURE",
    "PASSWORD",
    "PUBLIC_URL",
    "KEEP_SUCCEEDED",
    "KEEP_FAILED",
    "KEEP_CANCELLED",
    "RATE_LIMIT",
    "SECRETS_DIR",
    "WEBHOOK_SECRET",
)
VARIABLES = frozenset(_PREFIX + name for name in _NAMES)
"""What `settings` reads; a test compares."""


def check_settings(flows: Path | None) -> Generator[Finding, None, Settings | None]:
    """The settings, and the variables that look like one of ours but are none; None where they cannot be read."""
    try:
        settings = load_settings(flows)
        names = variables(Path.cwd())
    except SettingsError as error:
        step = "correct it where it is set: in the environment, in .env or in connections.yaml"
        yield fail_with(error, "settings", step)
        return None
    files = [".env"] if Path(".env").is_file() else []
    files += ["connections.yaml"] if settings.connections else []
    yield ok("settings", ", ".join(["read from the environment", *files]))
    referred = {name for entry in settings.connections.values() for name in _references(entry.raw)}
    yield from check_variables(names - referred)
    return settings


def check_variables(names: frozenset[str]) -> Findings:
    """A warning for each name that is meant for us, but not read."""
    ours = {name for name in names if name.startswith(_PREFIX) and not name.startswith(f"{_PREFIX}CONFIG_")}
    for name in sorted(ours - VARIABLES):
        meant = closest(name.removeprefix(_PREFIX), _NAMES)  # with the prefix, all are alike
        step = f"did you mean {_PREFIX}{meant}?" if meant else f"known are {', '.join(sorted(VARIABLES))}"
        yield warn("variables", f"{name} is set, but nothing reads it", step)


def _references(value: object) -> Iterator[str]:
    """The variables that an entry of connections.yaml names."""
    if isinstance(value, Mapping):
        if isinstance(value.get("env"), str):
            yield value["env"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _references(item)


def check_plugins() -> Generator[Finding, None, Registry]:
    """Each plugin alone, so that a broken one does not hide the others. Returns the good ones."""
    good: list[importlib.metadata.EntryPoint] = []
    for point in sorted(importlib.metadata.entry_points(group=registries.GROUP), key=lambda point: point.name):
        try:
            alone = registries.load([point])
            registries.load([*good, point])
        except PluginError as error:
            yield fail_with(error, "plugins", "correct or uninstall it: every command stops at it")
        else:
            good.append(point)
            yield _describe_plugin(point, alone)
    return registries.load(good)


def _describe_plugin(point: importlib.metadata.EntryPoint, alone: Registry) -> Finding:
    actions, triggers = (
        sum(connector_of(name) == point.name for name in named) for named in (alone.actions, alone.triggers)
    )
    origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
    return ok("plugins", f"{point.name} ({origin}): {count(actions, 'action')} and {count(triggers, 'trigger')}")
