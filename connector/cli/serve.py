"""`chatforge serve`."""

import logging
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from connector import registry
from connector.adapter import Adapter
from connector.cli import log_lines, output, traces
from connector.cli.exits import UsageError
from connector.cli.flow_files import check_files, flow_paths, same_names, stamp_of
from connector.cli.loading import load_settings, pause_of, require_connections, require_told
from connector.cli.paragraphs import write_beside
from connector.declare import connector_of
from connector.errors import ConnectorError, FlowError
from connector.flows import durations
from connector.flows.flow import Flow
from connector.runs.listeners import find_listeners
from connector.server import service
from connector.server.access import LOOPBACK_NAMES, Access
from connector.server.flow_files import FlowFile, FlowFiles, flows_of
from connector.settings import Settings

_LEFT = 10
_HERE = "127.0.0.1"
_NO_PUBLIC_URL = (
    "set CHATFORGE_PUBLIC_URL to the address under which ChatForge reaches this server, and paste the webhook address "
    "into the ChatForge dashboard, Integrations"
)
_ALSO_UNREAD = suppress(SystemExit)
"""rich raises it where the reader of a pipe has left; the server goes on."""


def serve(
    flows: Annotated[Path, typer.Option(help="A folder of flow files, or one file.")] = Path("flows"),
    host: Annotated[str, typer.Option(help="The address to listen on.")] = _HERE,
    port: Annotated[int, typer.Option(help="0 takes any free port.", min=0, max=65535)] = 8080,
    pages: Annotated[
        bool, typer.Option("--pages/--no-pages", help="Whether people can look at runs and events.")
    ] = True,
    webhooks_port: Annotated[
        int | None,
        typer.Option(
            help="Webhooks come in here alone, and all else at --port; 0 takes any free port.",
            min=0,
            max=65535,
            show_default=False,
        ),
    ] = None,
    webhooks_host: Annotated[
        str | None, typer.Option(help="The address of --webhooks-port; 127.0.0.1 without it.", show_default=False)
    ] = None,
) -> None:
    """Receive webhooks and run flows until Ctrl-C, with pages to look at.

    On an address that other machines reach, the pages need a password in CHATFORGE_PASSWORD. With --webhooks-port
    webhooks come in elsewhere, and the pages can stay at this machine.

    Example: chatforge serve --flows flows --webhooks-host 0.0.0.0 --webhooks-port 8081
    """
    settings = load_settings(flows)
    log_lines.configure(settings.log_format, logging.INFO)
    plugins = registry.load()
    adapter = Adapter(plugins, settings)
    files = _find_files(flows, adapter)
    loaded = flows_of(files.first)
    require_connections(adapter, loaded)
    require_told(settings, loaded)
    access = _read_access(settings, host) if pages else None
    with ExitStack() as listening:
        listener = listening.enter_context(service.listen(host, port))
        webhooks = _listen_apart(webhooks_host, webhooks_port, listener)
        if webhooks is not None:
            listening.enter_context(webhooks)
        address = _address(host, listener)
        apart = _address(webhooks_host or _HERE, webhooks) if webhooks is not None else None

        def started(upcoming: Mapping[str, datetime]) -> None:
            with _ALSO_UNREAD:
                output.line(f"listening on {address}; stop with Ctrl-C")
                if apart is not None:
                    output.line(f"also on   {apart}, for webhooks alone")
                _announce(apart or address, adapter, settings, loaded, upcoming)
                if access is not None:
                    output.line(f"pages     {address}/")

        folder = flows if flows.is_dir() else flows.parent
        with traces.follow() as tracers:
            service.serve(
                plugins,
                settings,
                loaded,
                listener,
                started,
                folder=folder,
                files=files,
                access=access,
                webhooks=webhooks,
                tracers=tracers,
            )
    with _ALSO_UNREAD:
        output.line("stopped")


def _listen_apart(host: str | None, port: int | None, listener: socket.socket) -> socket.socket | None:
    """The socket of webhooks alone, where one was asked for. Raises UsageError and SettingsError."""
    if port is None:
        if host is not None:
            raise UsageError(f"--webhooks-host {host} is the address of --webhooks-port; give that too, such as 8081")
        return None
    if port == listener.getsockname()[1]:
        raise UsageError(f"--webhooks-port {port} is the port of the pages too; give another one, such as {port + 1}")
    return service.listen(host or _HERE, port, "--webhooks-host and --webhooks-port")


def _address(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def _find_files(path: Path, adapter: Adapter) -> FlowFiles:
    """The flow files, which are taken over when they change. Raises FlowError where one does not check now."""
    stamped, first = stamp_of(path), _read_files(path, adapter, lambda _: None)
    if problems := [problem for one in first for problem in one.problems]:
        raise FlowError("the flows have problems", problems, {one.path: one.source for one in first})
    return FlowFiles(
        partial(_read_files, path, adapter, partial(_fault_of, adapter)), partial(stamp_of, path), first, stamped
    )


def _read_files(path: Path, adapter: Adapter, fault_of: Callable[[Flow], str | None]) -> list[FlowFile]:
    """The flow files as they are now. Raises UsageError where there are none."""
    checked = check_files(flow_paths([path]), lambda _: adapter.catalogue)
    twice = {problem.path: problem for problem in same_names(checked)}
    found = []
    for file, result in checked:
        problems = [*result.problems, *([twice[str(file)]] if str(file) in twice else [])]
        fault = fault_of(result.flow) if result.flow else None
        flow = None if problems or fault else result.flow
        source = "" if problems and _leads_out(file) else result.source
        found.append(FlowFile(str(file), source, flow, problems, result.unchecked, fault))
    return found


def _leads_out(file: Path) -> bool:
    """Whether it is a link to a file of another folder. What is no flow there, such as a secret, is not shown."""
    return not file.resolve().is_relative_to(file.parent.resolve())


def _fault_of(adapter: Adapter, flow: Flow) -> str | None:
    """What the flow needs and has not got."""
    try:
        require_connections(adapter, [flow])
    except ConnectorError as error:
        return str(error)
    return None


def _read_access(settings: Settings, host: str) -> Access:
    """Who may see the pages. Raises UsageError where anybody could."""
    password = settings.password.get_secret_value() if settings.password else None
    if host not in LOOPBACK_NAMES and password is None:
        raise UsageError(
            f"with --host {host} other machines reach the pages, and there is no password: set CHATFORGE_PASSWORD, or "
            f"leave the pages out with --no-pages, or let only webhooks come in there: --webhooks-host {host} "
            "--webhooks-port 8081 without --host"
        )
    public = urlsplit(settings.public_url or "").hostname
    return Access(password, frozenset(name for name in (public, host) if name))


def _announce(
    address: str, adapter: Adapter, settings: Settings, flows: list[Flow], upcoming: Mapping[str, datetime]
) -> None:
    output.line(f"database  {settings.database}")
    for flow in flows:
        output.line(f"flow      {flow.name}, {_start(adapter, flow, upcoming)}")
    used = [flow.trigger for flow in (*flows, *find_listeners(flows)) if flow.trigger]
    triggers = [trigger for trigger in used if "webhook" in adapter.registry.trigger(trigger.uses).sources]
    for connector, connection in sorted({(connector_of(trigger.uses), trigger.connection) for trigger in triggers}):
        path = f"/webhooks/{connector}" + ("" if connection == "default" else f"/{connection}")
        output.line(f"webhooks  {settings.public_url or address}{path}")
    if triggers and settings.public_url is None:
        write_beside(" " * _LEFT, _LEFT, _NO_PUBLIC_URL)


def _start(adapter: Adapter, flow: Flow, upcoming: Mapping[str, datetime]) -> str:
    if flow.name in upcoming:
        moment = upcoming[flow.name]
        seconds = ":%S" if moment.second else ""
        return f"next at {moment:%Y-%m-%d %H:%M{seconds}} {moment.tzinfo}"
    if flow.trigger is None:
        return "called by others, or with chatforge run"
    how = f"started by {flow.started_by.uses}"
    if not flow.enabled:
        return f"{how} (off)"
    if (pause := pause_of(adapter, flow)) is not None:
        return f"{how}, polled every {durations.render(pause)}{_first(adapter, flow)}"
    by_hand = adapter.registry.trigger(flow.started_by.uses).sources == ("manual",)
    return f"{how}, with chatforge run only" if by_hand else how


def _first(adapter: Adapter, flow: Flow) -> str:
    """What of the list the flow gets at first, unless that is what is new from now on."""
    watching = adapter.watch(flow.started_by.uses, flow.started_by.input)
    return f", start: {watching.start}" if watching is not None and watching.start != "now" else ""
