"""The way to triggers and actions, for foreign runners and for our own executor alike.

    async with Adapter.from_environment() as adapter:
        output = await adapter.run("chatforge.list_agents", {})

It keeps no state of runs or events: a host that calls `accept_webhook` stores the event and recognises a second
delivery by `event.identity`.
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel, ValidationError

from connector import registry as registries
from connector import settings as setting_sources
from connector.declare import Action, ActionContext, ConnectionType, Event
from connector.errors import (
    ActionError,
    ConnectorError,
    EventError,
    InputError,
    OutputError,
    SettingsError,
    UnknownOperationError,
    WebhookError,
)
from connector.flows.catalogue import Catalogue
from connector.flows.problems import did_you_mean
from connector.registry import Registry, operation_of
from connector.settings import Settings
from connector.transport import Budget, HttpOptions, open_client, open_transport
from connector.validation import read, sentence

DEFAULT = "default"

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook delivery that was authenticated and read."""

    connector: str
    connection: str
    event: Event
    text: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt of an action that may send now."""

    action: Action
    input: BaseModel
    context: ActionContext[Any]

    async def send(self) -> dict[str, Any]:
        """Run the action; the output is plain JSON. Raises ActionError and nothing else."""
        try:
            output = await self.action.run(self.input, self.context)
        except ActionError:
            raise
        except ConnectorError as error:
            raise ActionError(str(error)) from error
        except Exception as error:  # a fault in a plugin; nobody knows how far it came
            reason = f"{type(error).__name__}: {error}"
            raise ActionError(f"{self.action.name} failed unexpectedly: {reason}", processed="unknown") from error
        if not isinstance(output, self.action.output):
            wanted = self.action.output.__name__
            message = f"{self.action.name} returned {type(output).__name__} instead of {wanted}"
            raise OutputError(message, processed="unknown")
        return output.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class _Account:
    """A connection in use: its values, and what all its calls share."""

    type: ConnectionType
    values: BaseModel
    options: HttpOptions
    transport: httpx.AsyncBaseTransport
    budget: Budget | None


class Adapter:
    """Reaches every registered trigger and action. Use it in one event loop, and close it there."""

    def __init__(self, registry: Registry, settings: Settings, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self.registry = registry
        self._settings = settings
        self._clock = clock
        self._values: dict[tuple[str, str], BaseModel] = {}
        self._accounts: dict[tuple[str, str], _Account] = {}
        self._plain: httpx.AsyncBaseTransport | None = None

    @classmethod
    def from_environment(cls) -> "Adapter":
        """With all installed plugins and the settings of the environment, `.env` and connections.yaml here."""
        return cls(registries.load(), setting_sources.load(Path.cwd()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the HTTP connections."""
        accounts = list(self._accounts.values())
        self._accounts.clear()
        for account in accounts:
            await account.transport.aclose()
        if self._plain:
            await self._plain.aclose()

    @cached_property
    def catalogue(self) -> Catalogue:
        """What the flow checker needs to know of the operations and connections."""
        return Catalogue(
            {name: operation_of(trigger) for name, trigger in self.registry.triggers.items()},
            {name: operation_of(action) for name, action in self.registry.actions.items()},
            {name: entry.connector for name, entry in self._settings.connections.items()},
        )

    def connection(self, connector: str, name: str = DEFAULT) -> BaseModel:
        """The values of a connection. Raises SettingsError or UnknownOperationError."""
        if (connector, name) not in self._values:
            self._values[connector, name] = self._read_connection(connector, name)
        return self._values[connector, name]

    def require_connection(self, connector: str, name: str = DEFAULT) -> None:
        """Raise SettingsError unless the connection has all that its actions need."""
        if (declared := self.registry.connections.get(connector)) is not None:
            declared.require(self.connection(connector, name))

    def require_webhook(self, connector: str, name: str = DEFAULT) -> None:
        """Raise SettingsError unless the connection can authenticate webhooks."""
        declared = self.registry.connections.get(connector)
        if declared is not None and declared.webhook is not None:
            declared.webhook.secrets(self.connection(connector, name), self._clock())

    async def run(
        self, action: str, input: Mapping[str, Any], *, connection: str = DEFAULT, idempotency_key: str = ""
    ) -> dict[str, Any]:
        """Run an action once, without retries, and return its output as plain JSON. Raises ConnectorError."""
        async with self.open_call(action, input, connection=connection, idempotency_key=idempotency_key) as call:
            return await call.send()

    def read_input(self, action: str, input: Mapping[str, Any]) -> BaseModel:
        """The input as the action's model. Raises InputError."""
        declared = self.registry.action(action)
        try:
            return read(declared.input, input)
        except ValidationError as error:
            raise InputError(f"the input of {action} does not fit: {sentence(error)}") from error

    @asynccontextmanager
    async def open_call(
        self, action: str, input: Mapping[str, Any], *, connection: str = DEFAULT, idempotency_key: str = ""
    ) -> AsyncIterator[Call]:
        """Wait until the action may send its first request; the caller then calls `send` of what it gets.

        So a caller can write down that it is about to send after the wait and before the first byte.
        """
        declared = self.registry.action(action)
        values = self.read_input(action, input)
        client, connected = await self._client(declared, action.partition(".")[0], connection)
        async with client:
            log = logging.getLogger(f"connector.{action}")
            context = ActionContext(connected, client, idempotency_key, self._clock(), log)
            yield Call(declared, values, context)

    def accept_webhook(self, connector: str, connection: str, headers: Mapping[str, str], body: bytes) -> Delivery:
        """Authenticate and read a delivery. Raises WebhookError, whose `status` is the answer."""
        declared = self.registry.connections.get(connector)
        if declared is None or declared.webhook is None:
            raise WebhookError(f"there is no connector {connector[:60]!r} that takes webhooks", status=404)
        now = self._clock()
        try:
            secrets = declared.webhook.secrets(self.connection(connector, connection), now)
        except UnknownOperationError as error:
            raise WebhookError(str(error), status=404) from error
        except SettingsError as error:
            raise WebhookError(str(error), status=503) from error
        text = declared.webhook.verify(headers, body, secrets)
        return Delivery(connector, connection, declared.webhook.parse(text), text, now)

    def select(
        self, trigger: str, input: Mapping[str, Any], event: Event, received_at: datetime
    ) -> dict[str, Any] | None:
        """What a flow with this trigger reads as `trigger`, or None where the event is not for it.

        Raises EventError where the event is for it, but a field has a wrong type.
        """
        declared = self.registry.trigger(trigger)
        try:
            output = declared.select(event, read(declared.input, input), received_at)
        except ValidationError as error:
            raise EventError(f"the event {event.name!r} does not fit {trigger}: {sentence(error)}") from error
        return None if output is None else output.model_dump(mode="json")

    async def _client(self, action: Action, connector: str, connection: str) -> tuple[httpx.AsyncClient, Any]:
        declared = self.registry.connections.get(connector)
        values = None
        if declared is not None:
            values = self.connection(connector, connection)
            declared.require(values)
        if declared is None or declared.http is None or values is None:
            return httpx.AsyncClient(trust_env=False, transport=self._unconnected()), values
        account = self._account(connector, connection, declared, values)
        slot = await account.budget.take(action.purpose) if account.budget else None
        return open_client(account.options, account.transport, account.budget, action.purpose, slot), values

    def _unconnected(self) -> httpx.AsyncBaseTransport:
        """For actions whose plugin has no HTTP connection; opened lazily by httpx, so it costs nothing."""
        if self._plain is None:
            self._plain = httpx.AsyncHTTPTransport(trust_env=False)
        return self._plain

    def _account(self, connector: str, name: str, declared: ConnectionType, values: BaseModel) -> _Account:
        if (account := self._accounts.get((connector, name))) is None:
            assert declared.http is not None  # noqa: S101 - the only caller has looked
            options = declared.http(values)
            budget = declared.budget(values) if declared.budget else None
            account = _Account(declared, values, options, open_transport(options), budget)
            self._accounts[connector, name] = account
        return account

    def _read_connection(self, connector: str, name: str) -> BaseModel:
        declared = self.registry.connections.get(connector)
        if declared is None:
            raise UnknownOperationError(f"the connector {connector[:60]!r} has no connections")
        entry = self._settings.connections.get(name)
        if entry is not None and entry.connector == connector:
            place, raw = entry.place, entry.values()
        elif name == DEFAULT:
            place, raw = f"the {connector} connection", dict(declared.default(self._settings) or {})
        else:
            known = [key for key, value in self._settings.connections.items() if value.connector == connector]
            hint = did_you_mean(name, known) or "add it to connections.yaml"
            raise UnknownOperationError(f"there is no {connector} connection {name[:60]!r}; {hint}")
        try:
            return declared.model.model_validate(raw)
        except ValidationError as error:
            raise SettingsError(f"{place}: {sentence(error)}") from None  # its cause would show the values
