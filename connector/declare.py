"""What a plugin author declares: actions, triggers and connections.

A declaration is a value. Its full name is the name of the plugin's entry point, a dot, and its own name:
`inject_message` of the plugin `chatforge` is `chatforge.inject_message`.
"""

import hashlib
import inspect
import logging
import typing
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

import httpx
from pydantic import BaseModel, BeforeValidator, RootModel, SecretStr

from connector.drift import Drift
from connector.errors import (
    ActionError,
    AuthenticationError,
    ForbiddenError,
    NetworkError,
    NotFoundError,
    RateLimitError,
)
from connector.settings import REFERENCE, Settings
from connector.transport import Budget, HttpOptions, Purpose

CONTRACT_VERSION = 1
"""Rises when a host or a plugin that follows this module would have to change."""

Effect = Literal["read", "idempotent", "once", "destructive"]
"""What repeating an action does.

read: nothing changes. idempotent: repeating gives the same effect and the same output. once: repeating acts
twice, so an unknown outcome stops for a decision. destructive: something is gone afterwards.
"""

Connection = TypeVar("Connection")
Input = TypeVar("Input", bound=BaseModel)
Output = TypeVar("Output", bound=BaseModel)
Example = Mapping[str, Any]


Kept = Mapping[str, Any]
Found = TypeVar("Found")


@dataclass(slots=True)
class Keeping:
    """What an action has found out before it changed anything, for later attempts of the same step."""

    values: Kept = field(default_factory=dict)
    write: Callable[[Kept], Awaitable[None]] | None = None
    """Keeps all values; None where nothing outlives the process."""

    async def get(self, name: str, find: Callable[[], Awaitable[Found]]) -> Found:
        if name not in self.values:
            values = {**self.values, name: await find()}
            if self.write is not None:
                await self.write(values)
            self.values = values
        found: Found = self.values[name]
        return found


@dataclass(frozen=True, slots=True)
class ActionContext(Generic[Connection]):
    """What an action may use while it runs."""

    connection: Connection
    """The plugin's connection model; None where the plugin declares no connection."""
    http: httpx.AsyncClient
    """Has the connection's base URL, headers, time-outs and budget; failures arrive as `NetworkError`."""
    idempotency_key: str
    """The same for every attempt of one step of one run."""
    now: datetime
    """When the attempt began; aware, UTC."""
    log: logging.Logger
    memory: Any = None
    """What the plugin's `ConnectionType.memory` made; all calls of the connection share it."""
    keeping: Keeping = field(default_factory=Keeping, repr=False)
    count_drift: Callable[[Iterable[Drift]], None] = field(default=lambda _found: None, repr=False)
    """Is told how an answer differs from what the plugin's models declare, as `connector.drift.find` finds it."""
    connection_name: str = "default"
    """What the connection is called in connections.yaml."""

    async def kept(self, name: str, find: Callable[[], Awaitable[Found]]) -> Found:
        """What `find` gave at the first attempt of this step: plain JSON without secrets.

        It is kept before anything that follows is sent, so that an action that creates what it did not find gives the
        same output when it is repeated after a crash. Raises what `find` raises, and StoreError.
        """
        return await self.keeping.get(name, find)


def connector_of(operation: str) -> str:
    """The plugin that declares an operation: `chatforge` of `chatforge.inject_message`."""
    return operation.partition(".")[0]


ActionFunction = Callable[[Any, ActionContext[Any]], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class ByConstants:
    """For an action whose effect and output depend on inputs that a flow writes out, such as the method of a request.

    The functions are pure, take those of these inputs that were given, and raise ConstantError.
    """

    names: tuple[str, ...]
    """Inputs that are no place for expressions."""
    effect: Callable[[Mapping[str, Any]], Effect]
    output: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    """→ the JSON Schema of the output, as it is dumped."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a plugin can do. Made by the decorator `action`."""

    name: str
    title: str
    description: str
    effect: Effect
    purpose: Purpose
    input: type[BaseModel]
    output: type[BaseModel]
    example: Example
    run: ActionFunction = field(repr=False)
    one_at_a_time: Callable[[Any], str] | None = None
    """Of its input: calls of one connection for which it gives the same text wait for each other."""
    by_constants: ByConstants | None = None
    local: bool = False
    """Whether it answers from what is kept on this machine, and asks the other side now and then only.

    It runs without a place in the rate limit, for which a request of it waits. Packages that are exported for hosts
    that keep nothing leave it out.
    """

    def effect_of(self, input: Mapping[str, Any]) -> Effect:
        """What repeating the action with that input, plain JSON, does."""
        return self.by_constants.effect(self._constants(input)) if self.by_constants else self.effect

    def _constants(self, input: Mapping[str, Any]) -> Mapping[str, Any]:
        names = self.by_constants.names if self.by_constants else ()
        return {name: input[name] for name in names if name in input}


def action(
    *,
    effect: Effect,
    title: str,
    example: Example | None = None,
    purpose: Purpose = "action",
    one_at_a_time: Callable[[Any], str] | None = None,
    by_constants: ByConstants | None = None,
    local: bool = False,
) -> Callable[[ActionFunction], Action]:
    """Declare an async function as an action.

    The function takes a pydantic model and an `ActionContext` and returns a pydantic model; its name, less a `_`
    at its end, is the action's name, its docstring the description. `example` is a valid input. With `by_constants`,
    `effect` is the strictest that the action can have.
    Raises TypeError where a part of that is missing.
    """

    def declare(function: ActionFunction) -> Action:
        name = getattr(function, "__name__", repr(function)).removesuffix("_")
        hints = typing.get_type_hints(function)
        parameters = list(inspect.signature(function).parameters)
        if not inspect.iscoroutinefunction(function) or len(parameters) != 2:
            raise TypeError(f"action {name!r} must be an async function of two parameters, its input and its context")
        _require_word(name, "effect", effect, typing.get_args(Effect))
        _require_word(name, "purpose", purpose, typing.get_args(Purpose))
        return Action(
            name=name,
            title=title,
            description=inspect.cleandoc(function.__doc__ or title),
            effect=effect,
            purpose=purpose,
            input=_model(name, "its first parameter", hints.get(parameters[0])),
            output=_model(name, "its return value", hints.get("return")),
            example=example or {},
            run=function,
            one_at_a_time=one_at_a_time,
            by_constants=by_constants,
            local=local,
        )

    return declare


def _model(action_name: str, place: str, hint: object) -> type[BaseModel]:
    if isinstance(hint, type) and issubclass(hint, BaseModel) and not issubclass(hint, RootModel):
        return hint
    raise TypeError(f"action {action_name!r}: {place} must be annotated with a pydantic model of fields, not {hint!r}")


def _require_word(action_name: str, what: str, word: str, words: Sequence[str]) -> None:
    if word not in words:
        raise TypeError(f"action {action_name!r}: {what} is {word!r}, expected one of {', '.join(words)}")


LONGEST_IDENTITY = 300
"""Characters."""

Source = Literal["webhook", "poll", "schedule", "manual"]
"""What brought an event."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at the other side, as its plugin read it."""

    name: str
    """The other side's own word, such as `lead.captured`; unknown words are fine."""
    identity: str
    """Two events of one connection with the same identity are one event. A long one, or one that not every database
    holds, becomes its digest."""
    occurred_at: datetime | None
    payload: Mapping[str, Any]
    """The whole body as plain JSON; written by strangers even when the signature is right."""
    source: Source = "webhook"

    def __post_init__(self) -> None:
        if not isinstance(self.identity, str):
            return  # the registry says what is wrong with a plugin's
        if len(self.identity) > LONGEST_IDENTITY or not self.identity.isprintable():
            digest = hashlib.sha256(self.identity.encode("utf-8", "surrogatepass")).hexdigest()
            object.__setattr__(self, "identity", f"sha256:{digest}")


@dataclass(frozen=True, slots=True)
class Webhook:
    """How the deliveries to `/webhooks/<plugin>/<connection>` are authenticated and read."""

    verify: Callable[[Mapping[str, str], bytes, Sequence[str]], str]
    """(headers, body, live secrets) → the authenticated text; raises `WebhookError`."""
    parse: Callable[[str], Event]
    """The authenticated text → the event; raises `WebhookError`."""
    secrets: Callable[[Any, datetime], Sequence[str]]
    """(connection, now) → the secrets that are live now; raises `SettingsError` where there is none."""


Missed = Literal["skip", "one", "all"]
"""What is made up for of the ticks that were missed: nothing, the newest one, or each."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """When the clock starts a flow; such a moment is a tick. Times are aware and in UTC."""

    key: str
    """Timetables with the same key have the same ticks; a flow whose key has changed begins anew."""
    zone: tzinfo
    """The time zone in which people read it."""
    missed: Missed
    due: Callable[[datetime, datetime, datetime, int], Sequence[datetime]]
    """(anchor, after, until, most) → the newest ticks after `after` and not after `until`, oldest first.

    `anchor` is when the flow began with this timetable.
    """
    following: Callable[[datetime, datetime], datetime | None]
    """(anchor, after) → the first tick after `after`; None where there is none."""


_OF_ACCOUNT = (AuthenticationError, ForbiddenError, RateLimitError, NetworkError)
"""What keeps all requests of an account from being answered."""


@dataclass(frozen=True, slots=True)
class PollRequest:
    """What a poll wants to see next: the output of an action of the same plugin."""

    action: str
    """Without the plugin's name: `list_leads`."""
    input: Mapping[str, Any]
    optional: bool = False
    """Whether the poll goes on without the answer; where it cannot be had, the output is empty, `{}`."""

    def spares(self, error: ActionError) -> bool:
        """Whether the poll goes on after that error, which does not say that the account cannot be asked at all."""
        return self.optional and not isinstance(error, _OF_ACCOUNT)


@dataclass(frozen=True, slots=True)
class PollStep:
    """What one page told. Whoever polls keeps `state` and `events` together, in one transaction."""

    events: Sequence[Event]
    state: Mapping[str, Any]
    """Plain JSON; handed to the next step as it is."""
    request: PollRequest | None
    """What to ask next; None at the end of a round, after which the poll rests for a while."""


Page = Mapping[str, Any] | NotFoundError | None
"""What the last request gave: an output, or the error where it asked for something gone; None begins a round."""

Poll = Callable[[Any, Mapping[str, Any] | None, Page, datetime], PollStep]
"""(input, state, page, now) → the step. Pure: it neither waits nor sends. The state of the first round is None."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list that is polled, as its plugin read it. Whatever stood there: nothing is refused here."""

    id: str
    """The same for the same entry, whatever else of it changes."""
    payload: Mapping[str, Any]
    """Plain JSON, as it came."""
    occurred_at: datetime | None = None
    version: int = 0
    """Rises when the entry has changed in a way that matters."""
    facts: Mapping[str, Any] | None = None
    """Plain JSON by which `Join.distance` recognises the entry in a webhook."""


@dataclass(frozen=True, slots=True)
class ListStep:
    """Where a walk through a list stands. `state` is plain JSON of a size that does not grow with the list."""

    state: Mapping[str, Any]
    request: PollRequest | None
    """What to ask next; None at the end of a round."""
    number: int = 0
    """Of the full walk that is under way, or was the last one."""
    swept: datetime | None = None
    """When the full walk began that has just ended and cannot have missed anything; else None."""
    patient: bool = False
    """Whether the request has time: it belongs to a long walk, not to the look for new entries."""
    alert: str | None = None
    """What an operator should know of this list, as one sentence."""
    swept_at: datetime | None = None
    """When the last such full walk ended."""


@dataclass(frozen=True, slots=True)
class Join:
    """How a webhook that names no entry of the list is recognised as one of them."""

    event: str
    """The webhook event that tells of an entry."""
    facts: Callable[[Event, datetime], Mapping[str, Any]]
    """(event, received at) → what there is to recognise."""
    distance: Callable[[Mapping[str, Any], Mapping[str, Any]], float | None]
    """(facts of the webhook, facts of the entry) → seconds between them, or None where they are not the same."""
    partition: Callable[[Event], str | None]
    """The partition that the webhook names, perhaps by another name than the list does."""
    place: Callable[[Event, str | None, str | None], Event]
    """(event, partition, entry id) → the webhook's event, naming both where they are known."""
    within: timedelta
    """Facts that are further apart are never the same."""


@dataclass(frozen=True, slots=True)
class PolledList:
    """A list at the other side, walked by offset for all triggers that watch it, once for each partition.

    The functions are pure. Whoever polls keeps the state, which entries were observed, and their versions.
    """

    name: str
    reads: Mapping[str, Action]
    """What the requests of the walk ask, by `PollRequest.action`. An entry that does not fit must not refuse a page."""
    partitions: PollRequest
    """Asks for the partitions, such as the agents of an account."""
    read_partitions: Callable[[Mapping[str, Any]], Sequence[str]]
    begin: Callable[[str, Mapping[str, Any] | None, datetime, bool], ListStep]
    """(partition, state, now, whether a full walk is wanted that begins from now on) → the first request."""
    take: Callable[[str, Mapping[str, Any], Mapping[str, Any], Collection[str], datetime], ListStep]
    """(partition, state, output, ids that were observed before, now) → the next request."""
    read: Callable[[Mapping[str, Any], datetime], Sequence[Item]]
    """(output, now) → its entries; none where it is no page."""
    told_at: Callable[[Mapping[str, Any]], datetime | None]
    """When the other side answered, by its own clock."""
    tell: Callable[[str, Item, int | None], Sequence[Event]]
    """(partition, entry, the version that was observed before, or None) → what that tells."""
    start: Callable[[Any], str]
    """Of a trigger's input: `now`, `all` or a time; what is older is not told before the list was swept."""
    every: Callable[[Any], float]
    """Of a trigger's input: seconds between two rounds."""
    partition: Callable[[Any], str | None]
    """Of a trigger's input: the one partition that it watches, or None for all."""
    patience: Callable[[Any], float] = lambda _input: 0.0
    """Of a trigger's input: seconds that a webhook waits for its entry before it starts the flow by itself."""
    join: Join | None = None
    count: Callable[[str], PollRequest] | None = None
    """(partition) → asks how many entries there are; None where nothing tells."""
    read_count: Callable[[Mapping[str, Any]], int | None] = lambda _output: None
    """(output of that) → the number, or None."""
    entry: Callable[[Event, datetime], tuple[str, Item] | None] = lambda _event, _received_at: None
    """(event that `tell` gave, received at) → the partition and the entry; None where it is no such event."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Something that can start a flow."""

    name: str
    title: str
    description: str
    input: type[BaseModel]
    """What the flow writes under `with`."""
    output: type[BaseModel]
    """What the flow reads as `trigger`."""
    select: Callable[[Event, Any, datetime], BaseModel | None]
    """(event, input, received at) → the output, or None when this trigger does not want the event.

    Raises `EventError` when the event is wanted but a field of it has a wrong type.
    """
    sample: Event
    """An event that this trigger wants."""
    sources: tuple[Source, ...] = ("webhook",)
    """What brings its events."""
    poll: Poll | None = None
    """How its events are found, where they are polled."""
    pause: Callable[[Any], float] = lambda _input: 60.0
    """Of its input: seconds between two rounds of `poll`."""
    watches: PolledList | None = None
    """The list in which its events are found; an executor with a database walks it once for all flows."""
    joins: tuple[str, ...] = ()
    """The triggers, without the plugin's name, whose events are joined here: what both tell of starts a flow once.

    That takes an executor that remembers; another host uses the joined triggers one by one.
    """
    timetable: Callable[[Any], Timetable] | None = None
    """Of its input: when the clock starts a flow, where that is what starts it."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What the other side allows."""

    requests: int
    seconds: int
    per: str
    """What is counted: `API key`."""


@runtime_checkable
class HoldsSecrets(Protocol):
    """What `ConnectionType.memory` makes, where it holds secrets that the connection does not: a fetched token."""

    @property
    def secrets(self) -> Sequence[str]:
        """They are hidden like those of the connection."""


@dataclass(frozen=True, slots=True)
class ConnectionType:
    """An account at the other side: what describes it and how it is reached."""

    model: type[BaseModel]
    title: str
    help: str
    """Where a user finds the values."""
    default: Callable[[Settings], Mapping[str, Any] | None]
    """The values of the connection called `default` from the environment, or None where it has none."""
    common: Callable[[Settings], Mapping[str, Any]] = lambda _settings: {}
    """Values from the environment for each connection that does not have its own, such as an address."""
    require: Callable[[Any], None] = lambda _connection: None
    """Called before an action runs; raises `SettingsError` where a value that actions need is missing."""
    http: Callable[[Any], HttpOptions] | None = None
    budget: Callable[[Any], Budget] | None = None
    memory: Callable[[Any], Any] | None = None
    """Makes what the calls of one connection share while the process lives; it may be lost at any time."""
    webhook: Webhook | None = None
    help_url: str | None = None
    """The page where a user finds the values."""
    rate_limit: RateLimit | None = None
    test: str | None = None
    """The action, without the plugin's name, that shows that the connection works: a `read` one without input."""


def _only_by_reference(value: object) -> object:
    if isinstance(value, SecretStr):
        return value
    raise ValueError(f"a secret must be given by reference: write {REFERENCE} and nothing else")


Secret = typing.Annotated[SecretStr, BeforeValidator(_only_by_reference)]
"""A secret field of a connection model: settings resolve it from the environment or a file."""
