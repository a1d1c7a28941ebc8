"""`chatforge serve`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from connector import registry
from connector.adapter import Adapter
from connector.cli import output
from connector.cli.flow_files import load_flows
from connector.cli.loading import is_served, load_settings, require_connections
from connector.declare import connector_of
from connector.flows.flow import Flow
from connector.server import service
from connector.settings import Settings


def serve(
    flows: Annotated[Path, typer.Option(help="A folder of flow files, or one file.")] = Path("flows"),
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any free port.", min=0, max=65535)] = 8080,
) -> None:
    """Receive webhooks and run flows until Ctrl-C.

    Example: chatforge serve --flows flows --port 8080
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for library in ("httpx", "uvicorn"):
        logging.getLogger(library).setLevel(logging.WARNING)
    settings = load_settings(flows)
    plugins = registry.load()
    adapter = Adapter(plugins, settings)
    loaded = load_flows(flows, adapter.catalogue)
    require_connections(adapter, loaded)
    listener = service.listen(host, port)
    with listener:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        service.serve(plugins, settings, loaded, listener, lambda: _announce(address, adapter, settings, loaded))
    output.line("stopped")


def _announce(address: str, adapter: Adapter, settings: Settings, flows: list[Flow]) -> None:
    output.line(f"listening on {address}; stop with Ctrl-C")
    output.line(f"database  {settings.database}")
    for flow in flows:
        output.line(f"flow      {flow.name}, started by {flow.trigger.uses}{_limit(adapter, flow)}")
    triggers = [flow.trigger for flow in flows if "webhook" in adapter.registry.trigger(flow.trigger.uses).sources]
    for connector, connection in sorted({(connector_of(trigger.uses), trigger.connection) for trigger in triggers}):
        path = f"/webhooks/{connector}" + ("" if connection == "default" else f"/{connection}")
        output.line(f"webhooks  {settings.public_url or address}{path}")
    if settings.public_url is None:
        output.line("          set CHATFORGE_PUBLIC_URL to the address under which ChatForge reaches this server,")
        output.line("          and paste the webhook address into the ChatForge dashboard, Integrations")


def _limit(adapter: Adapter, flow: Flow) -> str:
    if not flow.enabled:
        return " (off)"
    return "" if is_served(adapter, flow) else " (not by this version's server, only by chatforge run)"
