"""`chatforge call`."""

import asyncio
import json
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from connector.adapter import DEFAULT, Adapter
from connector.cli import exits, output
from connector.cli.exits import UsageError
from connector.cli.loading import load_adapter
from connector.errors import ConnectorError, InputError
from connector.flows import types
from connector.flows.problems import did_you_mean, quoted
from connector.flows.types import ListOf, Object, Simple, Type

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class NotAgreedError(ConnectorError):
    """Nobody agreed to a destructive action."""


def call(
    name: Annotated[str, typer.Argument(help="An action; see: chatforge list", show_default=False)],
    input: Annotated[str | None, typer.Option(metavar="JSON", help="The input as JSON or @FILE.")] = None,
    arguments: Annotated[
        list[str] | None,
        typer.Option("--arg", metavar="NAME=VALUE", help="One field of the input, as text; may be repeated."),
    ] = None,
    connection: Annotated[str, typer.Option(metavar="NAME", help="A connection of connections.yaml.")] = DEFAULT,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a destructive action.")] = False,
) -> int:
    """Run one action for real, and print its output.

    It is tried once, and leaves no run.

    Example: chatforge call chatforge.list_conversations --arg agent_id=abc123 --arg limit=5
    """
    adapter = load_adapter()
    if name in adapter.registry.triggers:
        raise UsageError(f"{name} is a trigger; a flow that it starts runs with: chatforge run FLOW")
    adapter.registry.action(name)
    if input is not None and arguments:
        raise UsageError("--input and --arg exclude each other; give one of them")
    given = _read_json(input) if input is not None else _read_arguments(adapter, name, arguments or [])
    try:
        adapter.read_input(name, given)
    except InputError as error:
        raise UsageError(f"{error}; see: chatforge show {name}") from error
    if adapter.effect(name) == "destructive" and not yes:
        _ask(name, adapter.registry.action(name).title, given)
    output.write_json(asyncio.run(_send(adapter, name, given, connection)))
    return exits.DONE


async def _send(adapter: Adapter, name: str, given: Mapping[str, Any], connection: str) -> dict[str, Any]:
    key = f"call-{secrets.token_hex(16)}"
    async with (
        adapter,
        adapter.open_call(name, given, connection=connection, idempotency_key=key, purpose="interactive") as call,
    ):
        return await call.send()


def _ask(name: str, title: str, given: Mapping[str, Any]) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"{name} is destructive, and nobody can be asked here; give --yes to do it")
    output.errors.print(f"{name} ({title}) is destructive; its input is", markup=False)
    output.errors.print(output.printable(json.dumps(given, ensure_ascii=False)), markup=False)
    if not typer.confirm("do it?", err=True):
        raise NotAgreedError("nothing was done")


def _read_json(value: str) -> dict[str, Any]:
    text = _read_file(Path(value[1:])) if value.startswith("@") else value
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply"
        if isinstance(error, json.JSONDecodeError):
            reason = f"{error.msg}, line {error.lineno}, column {error.colno}"
        raise UsageError(f"--input: this is not JSON: {reason}") from error
    if not isinstance(given, dict):
        raise UsageError(f"--input: expected a JSON object, such as {{}}, not {quoted(given)}")
    return given


def _read_file(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"--input: the file {str(path)!r} cannot be read: {reason}") from error


def _read_arguments(adapter: Adapter, name: str, arguments: Sequence[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for argument in arguments:
        path, equals, text = argument.partition("=")
        parts = path.split(".")
        if not equals or not all(parts):
            raise UsageError(f"--arg {argument!r}: expected NAME=VALUE, such as limit=5")
        kind: Type = adapter.catalogue.actions[name].input
        for depth, part in enumerate(parts):
            kind = _field(kind, parts[:depth], part)
        _put(given, parts, _convert(kind, path, text))
    return given


def _put(given: dict[str, Any], parts: Sequence[str], value: Any) -> None:
    target: Any = given
    for depth, part in enumerate(parts):
        if not isinstance(target, dict) or (depth == len(parts) - 1 and part in target):
            raise UsageError(f"--arg {'.'.join(parts)}: it is given twice, or has a value that it is inside of")
        target = target.setdefault(part, {} if depth < len(parts) - 1 else value)


def _field(kind: Type, inside: Sequence[str], name: str) -> Type:
    """The type of a field, which must be known."""
    place = ".".join([*inside, name])
    owner = types.without_null(kind)
    if owner == types.ANY:
        return types.ANY
    if not isinstance(owner, Object):
        whole = ".".join(inside)
        raise UsageError(f"--arg {place}: {whole} is {owner} and has no fields; write {whole}=JSON")
    if name in owner.fields:
        return owner.fields[name]
    if owner.extra is not None:
        return owner.extra
    hint = did_you_mean(name, owner.fields) or "see: chatforge show"
    raise UsageError(f"--arg {place}: there is no such field; {hint}")


def _convert(kind: Type, path: str, text: str) -> Any:
    """The text as the type says; a type that takes text takes it as it is."""
    for part in sorted(types.parts(kind), key=_precedence):
        accepted, value = _read_as(part, text)
        if accepted:
            return value
    raise UsageError(f"--arg {path}={text}: expected {kind}, not {quoted(text)}")


def _precedence(kind: Type) -> bool:
    return not (isinstance(kind, Simple) and kind.kind == "str" and not kind.words)


def _read_as(kind: Type, text: str) -> tuple[bool, Any]:
    if isinstance(kind, Object | ListOf):
        wanted: type = dict if isinstance(kind, Object) else list
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return False, None
        return isinstance(value, wanted), value
    if not isinstance(kind, Simple):
        return False, None
    if kind.kind in ("str", "any"):
        return kind.words is None or text in kind.words, text
    if kind.kind == "bool":
        return text in ("true", "false"), text == "true"
    if kind.kind == "null":
        return text == "null", None
    match = _NUMBER.fullmatch(text)
    if match is None or (kind.kind == "int" and (match[2] or match[3])):
        return False, None
    return True, json.loads(text)
