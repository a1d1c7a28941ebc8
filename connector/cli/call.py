"""`chatforge call`."""

import asyncio
import json
import secrets
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from connector.adapter import DEFAULT, Adapter
from connector.cli import exits, output
from connector.cli.arguments import read_arguments
from connector.cli.exits import UsageError
from connector.cli.input_files import read_input, read_object
from connector.cli.loading import load_adapter
from connector.cli.progress import working
from connector.errors import ConnectorError, InputError


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
    if input is not None:
        given = read_object(read_input(input), {})
    else:
        given = read_arguments(adapter.catalogue.actions[name].input, arguments or [])
    try:
        adapter.read_input(name, given)
    except InputError as error:
        raise UsageError(f"{error}; see: chatforge show {name}") from error
    if adapter.effect(name, given) == "destructive" and not yes:
        _ask(name, adapter.registry.action(name).title, given)
    with working(f"waits for {name}"):
        found = asyncio.run(_send(adapter, name, given, connection))
    output.write_json(found)
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
