"""`chatforge mcp`."""

import asyncio
import importlib.util
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector import manifest as manifests
from connector.adapter import DEFAULT, Adapter
from connector.cli import output
from connector.cli.exits import UsageError
from connector.cli.export_host import known_plugins
from connector.cli.flow_files import load_flows
from connector.cli.loading import load_adapter, load_settings, require_steps
from connector.cli.mcp_runs import Runs
from connector.errors import InputError
from connector.flows import parameters
from connector.flows.flow import Flow
from connector.runs import records
from connector.runs.waits import Waiting
from connector.settings import Settings

if TYPE_CHECKING:
    from mcp.server.lowlevel.server import Server

_PATIENCE = 50.0
"""Seconds that a call waits for its run; clients give up after a minute."""
_AWAITED = {
    "approval": "an approval",
    "attempt": "its next attempt",
    "event": "an event",
    "runs": "other runs with its concurrency key",
    "time": "its time",
}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Serve HTTP at /mcp instead of stdio.")] = False,
    host: Annotated[str, typer.Option(help="With --http: the address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="With --http; 0 takes any free port.", min=0, max=65535)] = 8090,
    flows: Annotated[
        Path | None, typer.Option(help="A folder of flow files, or one file; those with inputs become tools.")
    ] = None,
    connection: Annotated[str, typer.Option(help="The account that the tools use.")] = DEFAULT,
    plugins: Annotated[
        list[str] | None, typer.Option("--plugin", metavar="NAME", help="Also the actions of this plugin.")
    ] = None,
    personal: Annotated[
        bool, typer.Option("--personal-data", help="Show what tells about visitors: names, addresses, what they said.")
    ] = False,
) -> None:
    """Serve actions and flows as tools of the Model Context Protocol.

    Agents, leads and runs are resources. A client asks its user before it calls a tool that changes something.

    Example: chatforge mcp --flows flows
    """
    if importlib.util.find_spec("mcp") is None:
        raise UsageError("the command needs the package mcp; install it with: pip install 'chatforge-connector[mcp]'")
    adapter, settings = load_adapter(flows), load_settings(flows)
    wanted = known_plugins(["chatforge", *(plugins or [])], manifests.plugins_of(adapter.registry))
    adapter.require_connection("chatforge", connection)
    loaded = load_flows(flows, adapter.catalogue) if flows else []
    logging.getLogger("mcp").setLevel(logging.WARNING)  # it logs what it is sent
    runs = Runs(adapter, settings.database)
    server = _server(adapter, settings, loaded, runs, wanted, connection, personal=personal)
    if not http:
        asyncio.run(_serve_stdio(adapter, runs, server))
        return
    with _listen(host, port, settings) as listener:
        shown = f"[{host}]" if ":" in host else host
        output.line(f"listening on http://{shown}:{listener.getsockname()[1]}/mcp; stop with Ctrl-C")
        asyncio.run(_serve_http(adapter, runs, server, host, listener, settings))


def _server(
    adapter: Adapter,
    settings: Settings,
    flows: Sequence[Flow],
    runs: Runs,
    plugins: Sequence[str],
    connection: str,
    *,
    personal: bool,
) -> "Server[Any]":
    from connector.hosts.mcp.resources import Resources  # here, because mcp is optional
    from connector.hosts.mcp.server import make_server
    from connector.hosts.mcp.tools import action_offers, flow_offers

    async def run(flow: Flow, given: Mapping[str, Any]) -> dict[str, Any]:
        if faults := _faults(flow, given):
            raise InputError(f"the inputs of {flow.name} do not fit: {'; '.join(faults)}")
        return await _run(runs, adapter, flow, given, personal=personal)

    offers = [
        *action_offers(adapter, plugins, connection, personal=personal),
        *flow_offers(flows, run, personal=personal),
    ]
    return make_server(offers, Resources(adapter, connection, settings.database, personal))


def _faults(flow: Flow, given: Mapping[str, Any]) -> Sequence[str]:
    try:
        json.dumps(given, allow_nan=False)  # the client's text may have what Python takes for numbers
    except ValueError:
        return ["NaN, Infinity and what is too large for a number are not JSON"]
    return parameters.refuse(flow.inputs, given)


async def _run(runs: Runs, adapter: Adapter, flow: Flow, given: Mapping[str, Any], *, personal: bool) -> dict[str, Any]:
    """Start the flow and wait for it, for as long as a client waits."""
    require_steps(adapter, flow)
    run_id = await runs.start(flow, given)
    try:
        async with asyncio.timeout(_PATIENCE):
            run, waiting = await runs.wait(run_id)
    except TimeoutError:
        run, waiting = runs.look(run_id)
    why = _why(run, personal=personal) or _waits(run, waiting)
    return {"run": run.id, "status": run.status, "why": why, "outputs": run.outputs}


def _why(run: records.Run, *, personal: bool) -> str | None:
    """A message, and the reason of a `stop`, quote what a visitor wrote: without personal data the kind has to do."""
    if run.error is None:
        return run.reason if personal or run.status != "succeeded" else None
    return run.error.message if personal else f"the step {run.error.step} failed: {run.error.kind}"


def _waits(run: records.Run, waiting: Sequence[Waiting]) -> str | None:
    """Only the kinds: what an approval asks may quote a visitor."""
    if run.status in records.ENDED:
        return None
    kinds = [f"{one.step or 'it'} waits for {_AWAITED[one.what]}" for one in waiting]
    return "; ".join([*kinds, "its resource tells how it goes on, while this server or chatforge serve runs"])


def _listen(host: str, port: int, settings: Settings) -> socket.socket:
    from connector.server.service import listen

    if host not in _LOOPBACK and settings.mcp_token is None:
        raise UsageError(
            f"--host {host} lets other machines use the account; set CHATFORGE_MCP_TOKEN to a long random text, which "
            "clients then send as Authorization: Bearer TOKEN"
        )
    return listen(host, port)


async def _serve_stdio(adapter: Adapter, runs: Runs, server: "Server[Any]") -> None:
    from connector.hosts.mcp.server import serve_stdio

    async with adapter, aclosing(runs):
        await serve_stdio(server)


async def _serve_http(
    adapter: Adapter, runs: Runs, server: "Server[Any]", host: str, listener: socket.socket, settings: Settings
) -> None:
    import uvicorn

    from connector.hosts.mcp.server import http_app
    from connector.server.service import GRACE_SECONDS

    token = settings.mcp_token.get_secret_value() if settings.mcp_token else None
    config = uvicorn.Config(
        http_app(server, host, token),
        log_config=None,
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    async with adapter, aclosing(runs):
        await uvicorn.Server(config).serve(sockets=[listener])
