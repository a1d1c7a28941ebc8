"""The way to triggers and actions, for foreign runners and for our own executor alike.

    async with Adapter.from_environment() as adapter:
        output = await adapter.run("chatforge.list_agents", {})

It keeps no state of runs or events: a host that calls `accept_webhook` stores the event and recognises a second
delivery by `event.identity`.
"""

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel, ValidationError

from connector import registry as registries
from connector import settings as setting_sources
from connector.accounts import DEFAULT, Account, Accounts
from connector.declare import Action, ActionContext, Effect, Event, connector_of
from connector.errors import (
    ActionError,
    ConnectorError,
    EventError,
    InputError,
    OutputError,
    StepTimeoutError,
    UnknownOperationError,
    WebhookError,
)
from connector.flows.catalogue import Catalogue
from connector.registry import Registry, operation_of
from connector.settings import Settings
from connector.transport import Budget, Purpose, Slot, open_client
from connector.validation import read, sentence

__all__ = ["DEFAULT", "Adapter", "Call", "Clock", "Delivery"]

log = logging.getLogger(__name__)

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
    _account: Account = field(repr=False)
    _budget: "_PausingBudget" = field(repr=False)

    async def send(self, seconds: float | None = None) -> dict[str, Any]:
        """Run the action; the output is plain JSON. Raises ActionError and nothing else.

        After `seconds` it is a StepTimeoutError; waits for the budget do not count.
        """
        try:
            async with asyncio.timeout(seconds) as limit:
                self._budget.limit = limit
                output = await self.action.run(self.input, self.context)
        except TimeoutError as error:
            if not limit.expired():
                reason = self._describe(error)
            else:
                message = f"{self.action.name} did not finish within its timeout of {seconds:g} s"
                raise StepTimeoutError(message, processed="unknown", transient=True) from None
        except ActionError as error:
            error.args = (self._account.hide_secrets(str(error)),)
            raise
        except Exception as error:  # a fault in a plugin; nobody knows how far it came
            reason = self._describe(error)
        else:
            return self._read_output(output)
        raise ActionError(reason, processed="unknown")  # only now: as its context, the first one may show a secret

    def _describe(self, error: Exception) -> str:
        if isinstance(error, ConnectorError):
            return self._account.hide_secrets(str(error))
        trace = "".join(traceback.format_exception(error)).rstrip()
        self.context.log.error("%s", self._account.hide_secrets(trace))
        return self._account.hide_secrets(f"{self.action.name} failed unexpectedly: {type(error).__name__}: {error}")

    def _read_output(self, output: object) -> dict[str, Any]:
        try:
            plain = _plain(output, self.action.output)
        except (TypeError, ValueError) as error:
            reason = self._account.hide_secrets(" ".join(str(error).split()))
        else:
            # An answer that repeats the key must not carry it into a journal.
            hidden = self._account.hide_secrets(written := json.dumps(plain))
            return plain if hidden == written else dict(json.loads(hidden))
        raise OutputError(f"{self.action.name} returned what it does not declare: {reason}", processed="unknown")


@dataclass(slots=True)
class _PausingBudget:
    """A budget whose waits stop the clock of the call that waits."""

    budget: Budget | None
    limit: asyncio.Timeout | None = None

    async def take(self, purpose: Purpose) -> Slot:
        assert self.budget is not None  # noqa: S101 - it is handed on only where there is one
        end = self.limit.when() if self.limit else None
        if self.limit is None or end is None:
            return await self.budget.take(purpose)
        now = asyncio.get_running_loop().time
        left = end - now()
        self.limit.reschedule(None)
        try:
            return await self.budget.take(purpose)
        finally:
            self.limit.reschedule(now() + left)


class Adapter:
    """Reaches every registered trigger and action. Use it in one event loop, and close it there."""

    def __init__(self, registry: Registry, settings: Settings, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self.registry = registry
        self._settings = settings
        self._clock = clock
        self._accounts = Accounts(registry, settings)

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
        await self._accounts.aclose()

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
        return self._accounts.values(connector, name)

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

    def effect(self, action: str) -> Effect:
        """What repeating the action does."""
        return self.registry.action(action).effect

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
        account = self._accounts.get(connector_of(action), connection)
        slot = await account.budget.take(declared.purpose) if account.budget else None
        pausing = _PausingBudget(account.budget)
        budget = pausing if account.budget else None
        async with open_client(account.options, account.transport, budget, declared.purpose, slot) as client:
            logger = logging.getLogger(f"connector.{action}")
            context = ActionContext(account.values, client, idempotency_key, self._clock(), logger)
            yield Call(declared, values, context, account, pausing)

    def accept_webhook(self, connector: str, connection: str, headers: Mapping[str, str], body: bytes) -> Delivery:
        """Authenticate and read a delivery. Raises WebhookError, whose `status` is the answer.

        Its text is for strangers: what only the operator may know is logged.
        """
        declared = self.registry.connections.get(connector)
        if declared is None or declared.webhook is None:
            raise WebhookError(f"there is no connector {connector[:60]!r} that takes webhooks", status=404)
        now = self._clock()
        try:
            secrets = declared.webhook.secrets(self.connection(connector, connection), now)
            text = declared.webhook.verify(headers, body, secrets)
            return Delivery(connector, connection, declared.webhook.parse(text), text, now)
        except WebhookError:
            raise
        except UnknownOperationError:
            message, status = f"there is no {connector} connection {connection[:60]!r}", 404
        except ConnectorError as error:
            log.error("the %s connection %r takes no webhooks: %s", connector, connection, error)  # noqa: TRY400
            message, status = "this connection takes no webhooks now; its operator finds the reason in the log", 503
        except Exception as error:  # a fault in a plugin; its text may hold a secret
            log.error("%s failed on a delivery, %s", connector, type(error).__name__)  # noqa: TRY400
            message, status = f"{connector} failed on this delivery; send it again later", 500
        raise WebhookError(message, status=status)

    def select(
        self, trigger: str, input: Mapping[str, Any], event: Event, received_at: datetime
    ) -> dict[str, Any] | None:
        """What a flow with this trigger reads as `trigger`, or None where the event is not for it.

        Raises EventError where the event is for it, but a field has a wrong type; also where the trigger fails.
        """
        declared = self.registry.trigger(trigger)
        try:
            wanted = read(declared.input, input)
        except ValidationError as error:
            raise EventError(f"the input of {trigger} does not fit: {sentence(error)}") from error
        try:
            output = declared.select(event, wanted, received_at)
            return None if output is None else _plain(output, declared.output)
        except EventError:
            raise
        except ValidationError as error:
            raise EventError(f"the event {event.name!r} does not fit {trigger}: {sentence(error)}") from error
        except Exception as error:  # a fault in a plugin must not lose the event
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise EventError(f"{trigger} failed on the event {event.name!r}: {reason}") from error


def _plain(output: object, model: type[BaseModel]) -> dict[str, Any]:
    """The output as JSON; TypeError or ValueError where it is not of `model`, or cannot be written as JSON."""
    if not isinstance(output, model):
        raise TypeError(f"{type(output).__name__} instead of {model.__name__}")
    plain = output.model_dump(mode="json", warnings="error")
    json.dumps(plain, allow_nan=False)
    return plain
