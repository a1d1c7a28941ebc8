"""What an action sends, as data: where each of its inputs goes in its request.

Nothing is written twice: the action's own function runs, with a client that sends nothing, and what it would have sent
for one input is compared with what it would have sent for another.
"""

import asyncio
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from connector.accounts import Account, Secrets
from connector.declare import Action, ConnectionType
from connector.preview import preview
from connector.profiles import JsonSchema, convert
from connector.registry import Registry, schemas_of
from connector.transport import HttpOptions
from connector.validation import read

_NOW = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
_PAIRS = {
    "boolean": (True, False),
    "date-time": ("2026-03-25T10:30:00Z", "2026-03-26T11:45:00Z"),
    "flow-duration": ("7s", "8s"),
}


@dataclass(frozen=True, slots=True)
class Given:
    """The place of an input in a request."""

    name: str


_Leaves = dict[tuple[Any, ...], Any]
"""What stands at each place of a request."""
Part = str | int | float | bool | None | Given | list[Any] | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is behind the connection's address. What an input that is not given leaves out is not sent."""

    method: str
    path: str
    query: Mapping[str, Part]
    body: Part
    """JSON in which a `Given` stands for an input; None where there is no body."""


@dataclass(frozen=True, slots=True)
class Login:
    """How requests of a connection are authenticated."""

    base_url: str
    address_field: str | None
    """The field of the connection that replaces `base_url`."""
    secret_fields: tuple[str, ...]
    headers: Mapping[str, str]
    """Their values have `{field}` for each secret."""


def login_of(declared: ConnectionType) -> Login | None:
    """None where a connection needs more than an address and secrets in headers."""
    values = _values_of(declared)
    options = declared.http(values) if values is not None and declared.http is not None else None
    if values is None or options is None:
        return None
    secrets = _secrets_of(values)
    headers = {name: _with_fields(value, secrets) for name, value in options.headers.items()}
    if not secrets or not all(any(f"{{{name}}}" in value for value in headers.values()) for name in secrets):
        return None
    plain = values.model_dump(mode="json")
    address = next((name for name, value in plain.items() if value == options.base_url), None)
    return Login(options.base_url, address, tuple(secrets), headers)


def _values_of(declared: ConnectionType) -> BaseModel | None:
    """A connection whose secrets are told by their values."""
    fields = declared.model.model_fields
    secrets = {name: SecretStr(_mark(name)) for name, field in fields.items() if "SecretStr" in str(field.annotation)}
    try:
        return declared.model.model_validate(secrets)
    except ValidationError:
        return None


def _mark(name: str) -> str:
    return f"secret-of-{name}"


def _secrets_of(values: BaseModel) -> Mapping[str, str]:
    return {
        name: value.get_secret_value()
        for name, value in values
        if isinstance(value, SecretStr) and value.get_secret_value() == _mark(name)
    }


def _with_fields(text: str, secrets: Mapping[str, str]) -> str:
    for name, secret in secrets.items():
        text = text.replace(secret, f"{{{name}}}")
    return text


def derive(registry: Registry, action: Action, connector: str) -> Request | None:
    """The one request of the action; None where it sends another one for some inputs, or changes what it was given."""
    declared = registry.connections[connector]
    values = _values_of(declared)
    if values is None or declared.http is None:
        return None
    return asyncio.run(_Derivation(action, values, declared.http(values)).derive())


class _Derivation:
    def __init__(self, action: Action, values: BaseModel, options: HttpOptions) -> None:
        self._action = action
        self._base = str(httpx.URL(options.base_url.rstrip("/")))
        self._account = Account(values, options, httpx.AsyncBaseTransport(), None, Secrets(()))
        schema = convert(schemas_of(action)[0], "mcp")
        self._pairs = {name: _pair(name, part) for name, part in schema.get("properties", {}).items()}
        self._required = schema.get("required", ())

    async def derive(self) -> Request | None:
        first = {name: pair[0] for name, pair in self._pairs.items()}
        leaves = await self._leaves(first)
        if leaves is None or leaves != await self._leaves(first, _NOW + timedelta(days=1)):
            return None
        given: dict[tuple[Any, ...], Any] = {}
        for name in self._pairs:
            places = await self._places(name, first, leaves)
            if not places or not await self._may_be_left_out(name, first, leaves, places):
                return None
            given |= {path: Given(name) for path in places}
        return self._request(leaves | given)

    async def _places(self, name: str, first: Mapping[str, Any], leaves: _Leaves) -> list[tuple[Any, ...]]:
        """Where the input stands as it is given; nowhere if it changes anything else."""
        one, other = self._pairs[name]
        changed = await self._leaves({**first, name: other})
        if changed is None or changed.keys() != leaves.keys():
            return []
        places = [path for path, leaf in changed.items() if leaves[path] != leaf]
        return places if all(_is_form(leaves[path], changed[path], one, other) for path in places) else []

    async def _may_be_left_out(
        self, name: str, first: Mapping[str, Any], leaves: _Leaves, places: Collection[tuple[Any, ...]]
    ) -> bool:
        """Whether all but its places stays the same without the input; one that has to be given is not left out."""
        if name in self._required:
            return True
        without = await self._leaves({other: value for other, value in first.items() if other != name})
        if without is None or not without.keys() <= leaves.keys():
            return False
        return all(without.get(path) == leaf for path, leaf in leaves.items() if path not in places)

    async def _leaves(self, given: Mapping[str, Any], now: datetime = _NOW) -> _Leaves | None:
        """What would be sent, as the values at the ends of its branches."""
        try:
            shown = await preview(self._action, read(self._action.input, given), self._account, now)
        except ValidationError:
            return None
        if shown is None or not shown.url.startswith(self._base):
            return None
        try:
            body = json.loads(shown.body) if shown.body else None
        except ValueError:
            return None
        url = httpx.URL(shown.url)
        path = str(url.copy_with(query=None)).removeprefix(self._base)
        query = {("query", name): value for name, value in url.params.multi_items()}
        return {("method",): shown.method, ("path",): path, **query, **dict(_walk(body, ("body",)))}

    def _request(self, leaves: Mapping[tuple[Any, ...], Any]) -> Request | None:
        query = {path[1]: leaf for path, leaf in leaves.items() if path[0] == "query"}
        body = {path[1:]: leaf for path, leaf in leaves.items() if path[0] == "body"}
        if isinstance(leaves["method",], Given) or isinstance(leaves["path",], Given):
            return None
        return Request(leaves["method",], leaves["path",], query, _grow(body))


def _pair(name: str, schema: JsonSchema) -> tuple[Any, Any]:
    """Two values that fit, and that stand nowhere else."""
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if "enum" in schema:
        return schema["enum"][0], schema["enum"][1]
    if schema.get("format") in _PAIRS or kind in _PAIRS:
        return _PAIRS.get(str(schema.get("format"))) or _PAIRS[kind]
    if kind in ("integer", "number"):
        start = int(schema.get("minimum", 0))
        return start + 1, start + 2
    if kind == "object":
        return {f"{name}-key": "a"}, {f"{name}-key": "b"}
    return f"{name} <1> & 'É'", f"{name} <2> & 'É'"  # with what is often written in another way


def _is_form(leaf: Any, changed: Any, one: Any, other: Any) -> bool:
    """Whether both stand in a request as they are, or as text in a query. In Python, true is 1, but not in JSON."""
    if isinstance(leaf, bool) != isinstance(one, bool) and not isinstance(leaf, str):
        return False
    return (leaf, changed) in [(one, other), (str(one), str(other))]


def _walk(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _walk(part, (*path, name))
    elif isinstance(value, list) and value:
        for position, part in enumerate(value):
            yield from _walk(part, (*path, position))
    elif value is not None or len(path) > 1:
        yield path, value


def _grow(leaves: Mapping[tuple[Any, ...], Any]) -> Part:
    """The value whose branches end so."""
    if not leaves:
        return None
    if () in leaves:
        found: Part = leaves[()]
        return found
    names = list(dict.fromkeys(path[0] for path in leaves))
    parts = {name: _grow({path[1:]: leaf for path, leaf in leaves.items() if path[0] == name}) for name in names}
    return list(parts.values()) if isinstance(names[0], int) else parts
