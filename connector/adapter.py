"""The way to triggers and actions, for foreign runners and for our own executor alike.

    async with Adapter.from_environment() as adapter:
        output = await adapter.run("chatforge.list_agents", {})

It keeps no state of runs or events: a host that calls `accept_webhook` or `poll` stores the events, with the state
of the poll, and recognises an event that comes twice by `event.identity`; `select` makes a trigger's output of it.
A host without an event loop uses `connector.blocking`.
"""

import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel, ValidationError

from connector import choices, config_values, examples, exchanges, polling, profiles
from connector import headers as shown_headers
from connector import preview as previews
from connector import registry as registries
from connector import settings as setting_sources
from connector.accounts import DEFAULT, Account, Accounts, secrets_of
from connector.call import Call, PausingBudget, hide
from connector.choices import Choices
from connector.declare import (
    Action,
    ActionContext,
    Effect,
    Event,
    Keeping,
    Page,
    PolledList,
    PollRequest,
    Timetable,
    Trigger,
    connector_of,
)
from connector.drift import Drift, Drifts
from connector.errors import (
    ActionError,
    AuthenticationError,
    ConnectorError,
    EventError,
    InputError,
    NotFoundError,
    PlanError,
    SettingsError,
    UnknownOperationError,
    WebhookError,
)
from connector.exchanges import Exchange
from connector.flows.catalogue import Catalogue
from connector.flows.parameters import Parameters
from connector.polling import Polled
from connector.profiles import JsonSchema, Profile
from connector.registry import Registry, operation_of
from connector.settings import Settings
from connector.transport import Engine, Purpose, open_client
from connector.validation import read, sentence, write

__all__ = ["DEFAULT", "Adapter", "Call", "Choices", "Clock", "Delivery", "Outcome", "Polled", "Schemas"]

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
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that may be shown, without secrets of the connection."""
    exact: bool = True
    """Whether the signature fits the body as it came; otherwise that was written anew on its way."""


@dataclass(frozen=True, slots=True)
class Watching:
    """What a trigger asks of the list that it watches. Durations are in seconds."""

    list: PolledList
    start: str
    every: float
    partition: str | None
    patience: float


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """Requests of the last minute, of all processes that share the account, and how many there may be."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Schemas:
    """JSON Schemas of an operation: of the input as it is given, and of the output."""

    input: JsonSchema
    output: JsonSchema


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one input of many: the output, or why there is none."""

    output: dict[str, Any] | None
    error: ConnectorError | None = None


_OF_ACCOUNT = (AuthenticationError, PlanError, SettingsError)
_STEPS = 5
"""Of a poll, in search of a live sample."""


class Adapter:
    """Reaches every registered trigger and action. Use it in one event loop, and close it there.

    `engine` is what sends the HTTP requests; None takes aiohttp where it is installed.
    """

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        clock: Clock = lambda: datetime.now(UTC),
        engine: Engine | None = None,
    ) -> None:
        self.registry = registry
        self._settings = settings
        self._clock = clock
        self._accounts = Accounts(registry, settings, engine)
        self.drifts = Drifts()
        """How answers differ from what plugins declare, of all connections."""

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

    def config(self, declared: Parameters) -> dict[str, Any]:
        """What a flow reads as `config`: the environment's values, those of connections.yaml, or the defaults.

        Raises SettingsError, which names all that are missing or of another type.
        """
        return config_values.find(self._settings, declared)

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

    async def check_connection(self, connector: str, name: str = DEFAULT) -> dict[str, Any]:
        """Show that the connection works, by the read action that its plugin names for that; returns its output.

        Raises ConnectorError, UnknownOperationError where the plugin names no such action.
        """
        declared = self.registry.connections.get(connector)
        if declared is None or declared.test is None:
            raise UnknownOperationError(f"the connector {connector[:60]!r} has no connection that can be checked")
        return await self.run(f"{connector}.{declared.test}", {}, connection=name)

    def rate_limit(self, connector: str, connection: str = DEFAULT) -> int | None:
        """How many requests a minute the connection may send, as far as it is known now; None: as many as it likes.

        Raises SettingsError or UnknownOperationError.
        """
        budget = self._accounts.get(connector, connection).budget
        return budget.limit if budget is not None else None

    async def budget_use(self, connector: str, connection: str = DEFAULT) -> BudgetUse | None:
        """How much of its rate limit the connection uses now; None where it has none.

        Raises SettingsError or UnknownOperationError.
        """
        budget = self._accounts.get(connector, connection).budget
        return BudgetUse(await budget.used(), budget.limit) if budget is not None else None

    def may_wait(self, action: str, connection: str = DEFAULT) -> bool:
        """Whether a call may have to wait before it sends: for the rate limit, or for another call.

        Raises SettingsError or UnknownOperationError.
        """
        one_at_a_time = self.registry.action(action).one_at_a_time is not None
        return one_at_a_time or self._accounts.get(connector_of(action), connection).budget is not None

    async def run(
        self, action: str, input: Mapping[str, Any], *, connection: str = DEFAULT, idempotency_key: str = ""
    ) -> dict[str, Any]:
        """Run an action once, without retries, and return its output as plain JSON. Raises ConnectorError."""
        async with self.open_call(action, input, connection=connection, idempotency_key=idempotency_key) as call:
            return await call.send()

    async def run_each(
        self, action: str, inputs: Iterable[Mapping[str, Any]], *, connection: str = DEFAULT, idempotency_key: str = ""
    ) -> list[Outcome]:
        """Run an action for each input, one after the other; what fails for one does not keep the others from it.

        Only what an account cannot do is not tried again: the inputs that are left get the same error.
        """
        outcomes: list[Outcome] = []
        ends: ConnectorError | None = None
        for position, given in enumerate(inputs):
            try:
                if ends is not None:
                    raise ends
                key = f"{idempotency_key}:{position}" if idempotency_key else ""
                outcomes.append(Outcome(await self.run(action, given, connection=connection, idempotency_key=key)))
            except ConnectorError as error:
                outcomes.append(Outcome(None, error))
                ends = error if isinstance(error, _OF_ACCOUNT) else None
        return outcomes

    def schemas(self, operation: str, profile: Profile = "plain", *, personal: bool = True) -> Schemas:
        """The schemas of an action or a trigger in a profile: see `connector.profiles`."""
        taken, given = registries.schemas_of(self.registry.operation(operation))
        return Schemas(profiles.convert(taken, profile), profiles.convert(given, profile, personal=personal))

    async def options(
        self,
        operation: str,
        name: str,
        input: Mapping[str, Any] | None = None,
        *,
        connection: str = DEFAULT,
        cursor: str | None = None,
    ) -> Choices:
        """One page of the values that there are to choose from for the input `name` of an action or a trigger.

        `input` has what is chosen already. Raises UnknownOperationError where nothing lists the values, InputError
        where they depend on an input that is not given.
        """
        place = choices.place_of(self.registry.operation(operation), name, self.registry.actions)
        if place is None:
            raise UnknownOperationError(f"nothing lists the values of {name[:60]!r} of {operation}; type the value")
        return await choices.find(place, input or {}, cursor, partial(self._ask_interactively, connection))

    async def _ask_interactively(self, connection: str, action: str, input: Mapping[str, Any]) -> dict[str, Any]:
        async with self.open_call(action, input, connection=connection, purpose="interactive") as call:
            return await call.send()

    async def sample(
        self, operation: str, input: Mapping[str, Any] | None = None, *, connection: str | None = None
    ) -> dict[str, Any]:
        """An output of an action or a trigger, to build on.

        With a connection a live one, where there is one: the first event of a polled trigger, or what a `read` action
        gives for `input`. Raises ConnectorError.
        """
        declared = self.registry.operation(operation)
        live = None
        if connection is not None and isinstance(declared, Trigger) and declared.poll is not None:
            live = await self._first_event(operation, input or {}, connection)
        elif connection is not None and isinstance(declared, Action) and self.effect(operation, input or {}) == "read":
            live = await self._ask_interactively(connection, operation, input or {})
        return live or self._static_sample(declared, input or {})

    async def _first_event(self, trigger: str, input: Mapping[str, Any], connection: str) -> dict[str, Any] | None:
        wanted = {"start": "all", **input} if "start" in self.registry.trigger(trigger).input.model_fields else input
        state: Mapping[str, Any] | None = None
        for _ in range(_STEPS):
            polled = await self._poll(trigger, wanted, state, connection, "interactive")
            for event in polled.events:
                if (output := self.select(trigger, wanted, event, self._clock())) is not None:
                    return output
            if not polled.more:
                break
            state = polled.state
        return None

    def _static_sample(self, declared: Action | Trigger, input: Mapping[str, Any]) -> dict[str, Any]:
        """The trigger's own, unless the input does not want that one."""
        sample = declared.sample if isinstance(declared, Trigger) else None
        output = self.select(declared.name, input, sample, self._clock()) if sample else None
        return output or dict(examples.example_of(self.schemas(declared.name).output))

    def effect(self, action: str, input: Mapping[str, Any] | None = None) -> Effect:
        """What repeating the action with that input does; without one, the strictest that the action can have."""
        declared = self.registry.action(action)
        return declared.effect if input is None else declared.effect_of(input)

    def read_input(self, action: str, input: Mapping[str, Any]) -> BaseModel:
        """The input as the action's model. Raises InputError."""
        declared = self.registry.action(action)
        try:
            return read(declared.input, input)
        except ValidationError as error:
            raise InputError(f"the input of {action} does not fit: {sentence(error)}") from error

    def hide_secrets(self, value: Any, connector: str, name: str = DEFAULT) -> Any:
        """The JSON with `[secret]` for each secret of the connection in its texts. Raises ConnectorError."""
        return hide(value, self._accounts.get(connector, name))

    async def preview(
        self, action: str, input: Mapping[str, Any], *, connection: str = DEFAULT
    ) -> previews.Preview | None:
        """The first request that the action would send; nothing is sent. Raises ConnectorError.

        None where the connection declares no HTTP, or the action sends nothing before it fails.
        """
        declared = self.registry.connections.get(connector_of(action))
        if declared is None or declared.http is None:
            return None
        account = self._accounts.get(connector_of(action), connection)
        values = self.read_input(action, input)
        return await previews.preview(self.registry.action(action), values, account, self._clock())

    def open_call(
        self,
        action: str,
        input: Mapping[str, Any],
        *,
        connection: str = DEFAULT,
        idempotency_key: str = "",
        purpose: Purpose | None = None,
        keeping: Keeping | None = None,
    ) -> AbstractAsyncContextManager[Call]:
        """Wait until the action may send its first request; the caller then calls `send` of what it gets.

        So a caller can write down that it is about to send after the wait and before the first byte. `keeping` holds
        what earlier attempts have kept.
        """
        declared, values = self.registry.action(action), self.read_input(action, input)
        account = self._accounts.get(connector_of(action), connection)
        reads = declared.effect_of(input) == "read"
        return self._open(declared, values, account, idempotency_key, purpose, keeping, reads=reads, name=connection)

    @asynccontextmanager
    async def _open(
        self,
        declared: Action,
        values: BaseModel,
        account: Account,
        idempotency_key: str,
        purpose: Purpose | None,
        keeping: Keeping | None = None,
        *,
        reads: bool,
        name: str,
    ) -> AsyncIterator[Call]:
        """With a client that may send its first request at once; its further ones wait for the budget."""
        purpose = purpose or declared.purpose
        pausing = PausingBudget(account.budget)
        budget = pausing if account.budget else None
        made: deque[Exchange] = deque(maxlen=exchanges.MOST)
        async with account.turn(declared, values):
            slot = await account.budget.take(purpose) if account.budget and not declared.local else None
            async with open_client(
                account.options, account.transport, budget, purpose, slot, reads=reads, told=made.append
            ) as client:
                logger = logging.getLogger(f"connector.{declared.name}")
                context = ActionContext(
                    account.values,
                    client,
                    idempotency_key,
                    self._clock(),
                    logger,
                    account.memory,
                    keeping or Keeping(),
                    partial(self._count_drift, account, declared.name),
                    name,
                )
                yield Call(declared, values, context, account, pausing, made)

    def _count_drift(self, account: Account, operation: str, found: Iterable[Drift]) -> None:
        """The names in a path are the other side's, which may repeat the key."""
        for one, times in Counter(found).items():
            self.drifts.count(operation, Drift(one.kind, account.hide_secrets(one.path)), times)

    @asynccontextmanager
    async def open_http(self, connector: str, name: str = DEFAULT) -> AsyncIterator[httpx.AsyncClient]:
        """The HTTP client that actions of the connection get: for looking at answers as they come."""
        account = self._accounts.get(connector, name)
        async with open_client(account.options, account.transport, account.budget, "interactive") as client:
            yield client

    async def poll(
        self,
        trigger: str,
        input: Mapping[str, Any],
        state: Mapping[str, Any] | None = None,
        *,
        connection: str = DEFAULT,
    ) -> Polled:
        """One step of a poll: at most one request. `state` is what the step before returned, None at first.

        Raises ConnectorError; then nothing was lost, and the same state may be used again.
        """
        return await self._poll(trigger, input, state, connection, "background")

    async def _poll(
        self,
        trigger: str,
        input: Mapping[str, Any],
        state: Mapping[str, Any] | None,
        connection: str,
        purpose: Purpose,
    ) -> Polled:
        declared = self.registry.trigger(trigger)
        wanted = self._read_trigger_input(trigger, input)
        asked = polling.ask(declared, wanted, state, self._clock())
        if asked.request is None:
            return asked.polled
        action = f"{connector_of(trigger)}.{asked.request.action}"
        if self.effect(action, asked.request.input) != "read":  # the state came from outside
            raise InputError(f"a poll only reads, but the state of {trigger} asks for {action}; None begins anew")
        page = await self._fetch(action, asked.request, connection, purpose)
        return polling.ask(declared, wanted, asked.polled.state, self._clock(), page).polled

    def watch(self, trigger: str, input: Mapping[str, Any]) -> Watching | None:
        """The list in which the trigger's events are found, and what the input asks of it; None where there is none."""
        polled = self.registry.trigger(trigger).watches
        if polled is None:
            return None
        wanted = self._read_trigger_input(trigger, input)
        return Watching(
            polled, polled.start(wanted), polled.every(wanted), polled.partition(wanted), polled.patience(wanted)
        )

    def pause(self, trigger: str, input: Mapping[str, Any]) -> float | None:
        """Seconds between two rounds of `poll`; None where the trigger is not polled by itself, but watches a list."""
        declared = self.registry.trigger(trigger)
        if declared.poll is None or declared.watches is not None:
            return None
        return declared.pause(self._read_trigger_input(trigger, input))

    async def ask(self, polled: PolledList, request: PollRequest, connector: str, connection: str) -> dict[str, Any]:
        """What the walk through a list wants to see, as background work. Raises ConnectorError."""
        action = replace(polled.reads[request.action], name=f"{connector}.{request.action}")
        account = self._accounts.get(connector, connection)
        opened = self._open(
            action,
            read(action.input, request.input),
            account,
            "",
            "background",
            reads=action.effect == "read",
            name=connection,
        )
        async with opened as call:
            return await call.send()

    async def _fetch(self, action: str, request: PollRequest, connection: str, purpose: Purpose) -> Page:
        try:
            async with self.open_call(action, request.input, connection=connection, purpose=purpose) as call:
                return await call.send()
        except ActionError as error:
            if request.spares(error):
                return {}
            if isinstance(error, NotFoundError):
                return error
            raise

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
            shown = self._show(headers, connector, connection, secrets)
            exact = text.encode("utf-8", "surrogatepass") == body
            return Delivery(connector, connection, declared.webhook.parse(text), text, now, shown, exact)
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

    def _show(
        self, headers: Mapping[str, str], connector: str, connection: str, secrets: Sequence[str]
    ) -> dict[str, str]:
        """Secrets are hidden before the headers are cut: the beginning of one is not known as such."""
        try:
            hidden = self.hide_secrets(dict(headers), connector, connection)
        except ConnectorError:  # it takes webhooks and cannot be called
            hide = secrets_of(tuple(secrets)).hide
            hidden = {name: hide(value) for name, value in headers.items()}
        return shown_headers.show(hidden.items())

    def read_webhook(self, connector: str, text: str) -> Event:
        """The event of a webhook that was accepted before, from its text. Raises WebhookError."""
        webhook = self.registry.connections[connector].webhook
        assert webhook is not None  # noqa: S101 - it was accepted
        return webhook.parse(text)

    def select(
        self, trigger: str, input: Mapping[str, Any], event: Event, received_at: datetime
    ) -> dict[str, Any] | None:
        """What a flow with this trigger reads as `trigger`, or None where the event is not for it.

        Raises EventError where the event is for it, but a field has a wrong type; also where the trigger fails.
        """
        declared = self.registry.trigger(trigger)
        wanted = self._read_trigger_input(trigger, input)
        try:
            output = declared.select(event, wanted, received_at)
            return None if output is None else write(declared.output, output)
        except EventError:
            raise
        except ValidationError as error:
            raise EventError(f"the event {event.name!r} does not fit {trigger}: {sentence(error)}") from error
        except Exception as error:  # a fault in a plugin must not lose the event
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise EventError(f"{trigger} failed on the event {event.name!r}: {reason}") from error

    def timetable(self, trigger: str, input: Mapping[str, Any]) -> Timetable | None:
        """When the clock starts a flow with this trigger; None where something else does. Raises EventError."""
        declared = self.registry.trigger(trigger)
        return declared.timetable(self._read_trigger_input(trigger, input)) if declared.timetable else None

    def _read_trigger_input(self, trigger: str, input: Mapping[str, Any]) -> BaseModel:
        try:
            return read(self.registry.trigger(trigger).input, input)
        except ValidationError as error:
            raise EventError(f"the input of {trigger} does not fit: {sentence(error)}") from error
