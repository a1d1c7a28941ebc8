"""The connections in use: their values from the settings, and what all calls of one of them share."""

import asyncio
import base64
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote
from weakref import WeakValueDictionary

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from connector.declare import Action
from connector.errors import ConnectorError, PluginError, SettingsError, UnknownOperationError
from connector.flows.problems import did_you_mean
from connector.registry import Registry
from connector.settings import Settings
from connector.transport import Budget, HttpOptions, open_transport
from connector.validation import sentence

DEFAULT = "default"

_UNCONNECTED = HttpOptions("http://unconnected.invalid", base_url_setting="the address of the request")
"""For plugins whose actions name their own addresses."""
_SHORTEST_SECRET = 4
"""Hiding a shorter text would garble sentences."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Account:
    """A connection in use. `values` is None where the plugin declares no connection."""

    values: BaseModel | None
    options: HttpOptions
    transport: httpx.AsyncBaseTransport
    budget: Budget | None
    secrets: Collection[str] = field(repr=False)
    memory: Any = None
    _locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = field(default_factory=WeakValueDictionary, repr=False)

    def turn(self, action: Action, input: BaseModel) -> AbstractAsyncContextManager[object]:
        """Held by one call of those that the action wants one at a time."""
        if action.one_at_a_time is None:
            return nullcontext()
        return self._locks.setdefault((action.name, action.one_at_a_time(input)), asyncio.Lock())

    def hide_secrets(self, text: str) -> str:
        """The text with `[secret]` for each secret of the connection, also for one that was cut: `cf_abc…`."""
        for secret in self.secrets:
            text = text.replace(secret, "[secret]")
        *cut, rest = text.split("…")
        return "…".join([*map(self._hide_start, cut), rest])

    def _hide_start(self, text: str) -> str:
        """The text with `[secret]` for the beginning of a secret at its end."""
        for secret in self.secrets:
            for length in range(len(secret) - 1, _SHORTEST_SECRET - 1, -1):
                if text.endswith(secret[:length]):
                    return f"{text[:-length]}[secret]"
        return text


class Accounts:
    """The connections of one adapter, by connector and name. Whatever fails is a ConnectorError without a secret."""

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._values: dict[tuple[str, str], BaseModel] = {}
        self._open: dict[tuple[str, str], Account] = {}

    async def aclose(self) -> None:
        """Close the HTTP connections."""
        async with AsyncExitStack() as closing:
            while self._open:
                closing.push_async_callback(self._open.popitem()[1].transport.aclose)

    def values(self, connector: str, name: str) -> BaseModel:
        """The values of a connection. Raises SettingsError or UnknownOperationError."""
        if (connector, name) not in self._values:
            self._values[connector, name] = self._read(connector, name)
        return self._values[connector, name]

    def get(self, connector: str, name: str) -> Account:
        """The connection, with all that its actions need; opened at its first use."""
        if (connector, name) not in self._open:
            self._open[connector, name] = self._make(connector, name)
        return self._open[connector, name]

    def _make(self, connector: str, name: str) -> Account:
        declared = self._registry.connections.get(connector)
        if declared is None:
            return Account(None, _UNCONNECTED, open_transport(_UNCONNECTED), None, ())
        values = self.values(connector, name)
        _call(connector, declared.require, values)
        options = _call(connector, declared.http, values) if declared.http else _UNCONNECTED
        budget = _call(connector, declared.budget, values) if declared.budget else None
        memory = _call(connector, declared.memory, values) if declared.memory else None
        return Account(values, options, open_transport(options), budget, _secrets_of(values), memory)

    def _read(self, connector: str, name: str) -> BaseModel:
        declared = self._registry.connections.get(connector)
        if declared is None:
            raise UnknownOperationError(f"the connector {connector[:60]!r} has no connections")
        entry = self._settings.connections.get(name)
        raw: Mapping[str, Any] | None
        if entry is not None and entry.connector == connector:
            place, raw = entry.place, entry.values()
        elif name == DEFAULT:
            place, raw = f"the {connector} connection", _call(connector, declared.default, self._settings)
        else:
            raise UnknownOperationError(self._describe_unknown(connector, name))
        common = _call(connector, declared.common, self._settings)
        try:
            return declared.model.model_validate({**common, **(raw or {})})
        except ValidationError as error:
            fault = sentence(error, quote=False)
        except Exception as error:  # whatever a stranger's validator raises
            fault = f"its values cannot be used, {type(error).__name__}"
        raise SettingsError(f"{place}: {fault}; {declared.help}")  # only now: the first error holds the values

    def _describe_unknown(self, connector: str, name: str) -> str:
        if (entry := self._settings.connections.get(name)) is not None:
            return f"the connection {name!r} is for the connector {entry.connector!r}, not for {connector!r}"
        known = [key for key, value in self._settings.connections.items() if value.connector == connector]
        hint = did_you_mean(name, known) or "add it to connections.yaml"
        return f"there is no {connector} connection {name[:60]!r}; {hint}"


def _call(plugin: str, function: Callable[[Argument], Result], argument: Argument) -> Result:
    try:
        return function(argument)
    except ConnectorError:
        raise
    except Exception as error:  # whatever a stranger's function raises
        reason = f"its connection cannot be used, {type(error).__name__}"
    raise PluginError(plugin, reason)  # only now: the first error may hold a secret


def _secrets_of(values: BaseModel) -> Collection[str]:
    """The secrets of a connection, also as they stand in URLs, JSON, Python and base64; the longest first."""
    found = set(_find_secrets(values.model_dump()))
    written = {form for text in found for form in (quote(text, safe=""), json.dumps(text)[1:-1], repr(text)[1:-1])}
    encoded = {base64.b64encode(text.encode()).decode().rstrip("=") for text in found}
    return sorted(found | written | encoded, key=len, reverse=True)


def _find_secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        if len(text := value.get_secret_value()) >= _SHORTEST_SECRET:
            yield text
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _find_secrets(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _find_secrets(item)
