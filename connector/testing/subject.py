"""The plugin under test: its declarations, its connection, the double of its service."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import jsonschema  # type: ignore[import-untyped] # ships no type information
import pytest

from connector import settings
from connector.adapter import Adapter
from connector.declare import Action, ConnectionType, Event, Keeping, Trigger, connector_of
from connector.errors import ConnectorError
from connector.registry import Registry, schemas_of
from connector.settings import ConnectionEntry, Environment, Settings
from connector.testing.gateway import Gateway

CONNECTION = "contract"
"""The name of the connection that the suite makes."""
IDEMPOTENCY_KEY = "contract-1"
NOW = datetime(2026, 3, 25, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Service:
    """A double of the plugin's service, as the suite sees it."""

    url: str
    """Its address; `connection_values` puts it, or the suite's gateway to it, into the connection."""
    records: Mapping[str, int] = field(default_factory=dict)
    """How many records each action that lists, and each polled trigger, has to bring: `{"list_cards": 7}`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A plugin that can be run."""

    plugin: str
    registry: Registry
    settings: Settings
    secret: str
    gateway: Gateway | None
    """None where the plugin's connection has no `http`."""
    inputs: Mapping[str, Mapping[str, Any]]
    records: Mapping[str, int]

    @property
    def connection(self) -> ConnectionType | None:
        return self.registry.connections.get(self.plugin)

    def full(self, name: str) -> str:
        return f"{self.plugin}.{name}"

    def action(self, name: str) -> Action:
        return self.registry.action(self.full(name))

    def trigger(self, name: str) -> Trigger:
        return self.registry.trigger(self.full(name))

    def input_of(self, name: str) -> Mapping[str, Any]:
        """What the author says, else the declared example of an action, else nothing."""
        if name in self.inputs:
            return self.inputs[name]
        return self.action(name).example if self.full(name) in self.registry.actions else {}

    def open(self) -> Adapter:
        """A new adapter: nothing is shared with an earlier one, neither HTTP connections nor a rate budget."""
        return Adapter(self.registry, self.settings, lambda: NOW)

    def require_connection(self) -> None:
        """What the author gives has to be a connection with which actions run."""
        try:
            if self.connection:
                self.open().require_connection(self.plugin, CONNECTION)
        except ConnectorError as error:
            fail(f"connection_values does not give a connection: {error}; return what connections.yaml would hold")

    async def run(
        self,
        adapter: Adapter,
        name: str,
        input: Mapping[str, Any] | None = None,
        keeping: Keeping | None = None,
    ) -> dict[str, Any]:
        """Run an action, with the input that is meant for it where none is given; `keeping` is that of its step."""
        given = self.input_of(name) if input is None else input
        opened = adapter.open_call(
            self.full(name), given, connection=self.connection_name, idempotency_key=IDEMPOTENCY_KEY, keeping=keeping
        )
        async with opened as call:
            return await call.send()

    async def run_well(
        self,
        adapter: Adapter,
        name: str,
        input: Mapping[str, Any] | None = None,
        keeping: Keeping | None = None,
    ) -> dict[str, Any]:
        """Run an action that has to succeed."""
        try:
            return await self.run(adapter, name, input, keeping)
        except ConnectorError as error:
            fail(
                f"{self.full(name)} failed against the double: {error}; correct the action or the double, or give "
                f"`inputs` an input for {name!r} that the double takes"
            )

    def select(self, name: str, event: Event) -> dict[str, Any]:
        """What a trigger makes of an event that it has to want."""
        trigger = self.full(name)
        try:
            output = self.open().select(trigger, self.input_of(name), event, NOW)
        except ConnectorError as error:
            fail(f"{trigger} fails on the event {event.identity!r}: {error}; correct its select")
        if output is None:
            fail(
                f"{trigger} does not want the event {event.identity!r} ({event.name}); correct its select, or give "
                f"`inputs` an input for {name!r} that does"
            )
        require_schema(self.trigger(name), output)
        return output

    @property
    def connection_name(self) -> str:
        return CONNECTION if self.connection else "default"


def require_schema(declared: Action | Trigger, output: Mapping[str, Any]) -> None:
    """The output fits the JSON Schema that flows are checked against."""
    validator = jsonschema.Draft202012Validator(schemas_of(declared)[1])
    for fault in sorted(validator.iter_errors(output), key=lambda fault: fault.json_path):
        what = " ".join(fault.message.split())[:200]
        fail(f"the output of {declared.name} does not fit its JSON Schema at {fault.json_path}: {what}; correct either")


def fail(sentence: str) -> NoReturn:
    """End the test with a sentence for the plugin's author, and nothing else."""
    raise pytest.fail.Exception(sentence, pytrace=False) from None


def make_settings(folder: Path, plugin: str, values: Mapping[str, Any]) -> Settings:
    """Settings with one connection; `folder` is empty, and the environment is left out."""
    entry = ConnectionEntry(plugin, values, f"the values of {plugin}", folder, Environment(()))
    loaded = settings.load(folder, environ={"HOME": str(folder)})
    return replace(loaded, connections={CONNECTION: entry}, budget_file=None)


def names_of(registry: Registry, plugin: str) -> tuple[list[str], list[str]]:
    """The names of the plugin's actions and of its triggers, without the plugin's name."""
    actions, triggers = (
        [name.partition(".")[2] for name in declared if "." in name and connector_of(name) == plugin]
        for declared in (registry.actions, registry.triggers)
    )
    return actions, triggers
