"""The connections in use: their values from the settings, and what all calls of one of them share."""

import asyncio
import base64
import functools
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus
from weakref import WeakValueDictionary

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from connector.declare import Action, HoldsSecrets
from connector.errors import ConnectorError, PluginError, SettingsError, UnknownOperationError
from connector.flows.problems import did_you_mean
from connector.registry import Registry
from connector.settings import Settings
from connector.transport import Budget, Engine, HttpOptions, open_transport
from connector.validation import sentence

DEFAULT = "default"

_UNCONNECTED = HttpOptions("http://unconnected.invalid", base_url_setting="the address of the request")
"""For plugins whose actions name their own addresses."""
_SHORTEST_SECRET = 4
"""Hiding a shorter text would garble sentences."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Secrets:
    """The secrets of a connection, in the forms in which a text may show them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = sorted({form for secret in secrets for form in _write_forms(secret)}, key=len, reverse=True)
        self._starts: dict[str, list[str]] = {}
        for form in self._forms:
            self._starts.setdefault(form[:_SHORTEST_SECRET], []).append(form)

    def hide(self, text: str) -> str:
        """The text with `[secret]` for each secret, also for one that was cut: `cf_abc…`."""
        if self._forms and len(text) >= len(self._forms[-1]):  # most texts of an answer are shorter
            for form in self._forms:
                text = text.replace(form, "[secret]")
        if "…" not in text:
            return text
        *cut, rest = text.split("…")
        return "…".join([*map(self._hide_start, cut), rest])

    def _hide_start(self, text: str) -> str:
        """The text with `[secret]` for the beginning of a secret at its end."""
        longest = len(self._forms[0]) if self._forms else 0
        for at in range(max(0, len(text) - longest), len(text) - _SHORTEST_SECRET + 1):
            forms = self._starts.get(text[at : at + _SHORTEST_SECRET], ())
            if forms and any(form.startswith(text[at:]) for form in forms):
                return f"{text[:at]}[secret]"
        return text


@dataclass(frozen=True, slots=True)
class Account:
    """A connection in use. `values` is None where the plugin declares no connection."""

    values: BaseModel | None
    options: HttpOptions
    transport: httpx.AsyncBaseTransport
    budget: Budget | None
    secrets: Secrets = field(repr=False)
    memory: Any = None
    holder: HoldsSecrets | None = field(default=None, repr=False)
    """The memory, where it holds secrets."""
    _locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = field(default_factory=WeakValueDictionary, repr=False)

    def turn(self, action: Action, input: BaseModel) -> AbstractAsyncContextManager[object]:
        """Held by one call of those that the action wants one at a time."""
        if action.one_at_a_time is None:
            return nullcontext()
        return self._locks.setdefault((action.name, action.one_at_a_time(input)), asyncio.Lock())

    def hide_secrets(self, text: str) -> str:
        """The text with `[secret]` for each secret of the connection, also for one that was cut: `cf_abc…`."""
        hidden = self.secrets.hide(text)
        return secrets_of(tuple(self.holder.secrets)).hide(hidden) if self.holder else hidden


class Accounts:
    """The connections of one adapter, by connector and name. Whatever fails is a ConnectorError without a secret."""

    def __init__(self, registry: Registry, settings: Settings, engine: Engine | None = None) -> None:
        self._registry = registry
        self._settings = settings
        self._engine = engine
        self._values: dict[tuple[str, str], BaseModel] = {}
        self._open: dict[tuple[str, str], Account] = {}

    async def aclose(self) -> None:
        """Close the HTTP connections, and keep what is known of the budgets."""
        async with AsyncExitStack() as closing:
            while self._open:
                account = self._open.popitem()[1]
                if account.budget is not None:
                    closing.push_async_callback(account.budget.aclose)
                closing.push_async_callback(account.transport.aclose)  # comes first

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
            return Account(None, _UNCONNECTED, open_transport(_UNCONNECTED, self._engine), None, Secrets(()))
        values = self.values(connector, name)
        _call(connector, declared.require, values)
        options = _call(connector, declared.http, values) if declared.http else _UNCONNECTED
        budget = _call(connector, declared.budget, values) if declared.budget else None
        memory = _call(connector, declared.memory, values) if declared.memory else None
        secrets = Secrets(_find_secrets(values.model_dump()))
        holder = memory if isinstance(memory, HoldsSecrets) else None
        return Account(values, options, open_transport(options, self._engine), budget, secrets, memory, holder)

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
            step = _find_meant(declared.model, error) or declared.help
        except Exception as error:  # whatever a stranger's validator raises
            fault, step = f"its values cannot be used, {type(error).__name__}", declared.help
        raise SettingsError(f"{place}: {fault}; {step}")  # only now: the first error holds the values

    def _describe_unknown(self, connector: str, name: str) -> str:
        if (entry := self._settings.connections.get(name)) is not None:
            return f"the connection {name!r} is for the connector {entry.connector!r}, not for {connector!r}"
        known = [key for key, value in self._settings.connections.items() if value.connector == connector]
        hint = did_you_mean(name, known) or "add it to connections.yaml"
        return f"there is no {connector} connection {name[:60]!r}; {hint}"


def _find_meant(model: type[BaseModel], error: ValidationError) -> str | None:
    """Which key was meant by the first one that the model does not have."""
    known = [field.alias or name for name, field in model.model_fields.items()]
    unknown = (
        str(one["loc"][0]) for one in error.errors() if one["type"] == "extra_forbidden" and len(one["loc"]) == 1
    )
    return next((did_you_mean(name, known) for name in unknown), None)


def _call(plugin: str, function: Callable[[Argument], Result], argument: Argument) -> Result:
    try:
        return function(argument)
    except ConnectorError:
        raise
    except Exception as error:  # whatever a stranger's function raises
        reason = f"its connection cannot be used, {type(error).__name__}"
    raise PluginError(plugin, reason)  # only now: the first error may hold a secret


def _write_forms(secret: str) -> Iterator[str]:
    """The secret as it stands in texts, URLs, JSON, Python, HTML, hexadecimal and base64, and each of these in JSON."""
    for part in (secret, *_find_path(secret)):
        for form in _write_once(part):
            yield form
            yield from (json.dumps(form)[1:-1], json.dumps(form, ensure_ascii=False)[1:-1])


def _find_path(secret: str) -> Iterator[str]:
    """Of an address that is a secret: what a server says of a request names its path alone."""
    if found := re.fullmatch(r"https?://[^/]+(/.{7,})", secret):
        yield found[1]


def _write_once(secret: str) -> Iterator[str]:
    yield secret
    for url in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield url
        yield re.sub("%..", lambda escape: escape[0].lower(), url)
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    page = html.escape(secret)
    yield from (page, html.escape(secret, quote=False), page.replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))
    hexadecimal = secret.encode().hex()
    yield from (hexadecimal, hexadecimal.upper())
    for form in _write_base64(secret.encode()):
        yield form
        yield form.replace("+", "-").replace("/", "_")


def _write_base64(secret: bytes) -> Iterator[str]:
    """What only the secret decides in the base64 of a text that ends with it, or goes on; for each place in a group."""
    for before, mixed in ((0, 0), (1, 2), (2, 3)):
        text = bytes(before) + secret
        encoded = base64.b64encode(text).decode().rstrip("=")[mixed:]
        yield encoded
        yield encoded[: len(text) * 8 // 6 - mixed]


@functools.lru_cache(maxsize=16)
def secrets_of(texts: Sequence[str]) -> Secrets:
    """Those of a connection that are long enough to be hidden."""
    return Secrets([text for text in texts if len(text) >= _SHORTEST_SECRET])


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
