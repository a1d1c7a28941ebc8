"""Checks what this machine is to serve: the public address, the port, the flows."""

from collections.abc import Sequence
from pathlib import Path

import httpx

from connector.adapter import Adapter
from connector.chatforge.probe.answers import count
from connector.cli.flow_files import load_flows
from connector.cli.loading import require_connections, require_told
from connector.declare import connector_of
from connector.diagnosis.findings import Finding, fail, fail_with, ok, warn
from connector.diagnosis.reach import is_loopback, open_alone
from connector.errors import ConnectorError, FlowError, NetworkError, SettingsError
from connector.flows.flow import Call, Flow, WaitFor
from connector.flows.problems import Problem
from connector.registry import Registry
from connector.server import service
from connector.settings import Settings
from connector.transport import HttpOptions


def check_public_url(settings: Settings) -> Finding:
    if settings.public_url is None:
        step = "set CHATFORGE_PUBLIC_URL to the address under which webhooks reach this server"
        return warn("public URL", "not set, so the webhook address to paste is not known", step)
    if is_loopback(httpx.URL(settings.public_url).host) and not is_loopback(httpx.URL(settings.base_url).host):
        step = "set CHATFORGE_PUBLIC_URL to an address that ChatForge can reach"
        return warn("public URL", f"{settings.public_url} is only reached from this machine", step)
    return ok("public URL", settings.public_url)


async def check_port(port: int) -> Finding:
    try:
        service.listen("127.0.0.1", port).close()
    except SettingsError as error:
        state = await _find_server(port)
        if state is None:
            return fail_with(error, "port", "choose another --port")
        if state == "ready":
            return ok("port", f"{port} is taken by a chatforge server, which is ready")
        return warn("port", f"{port} is taken by a chatforge server, not ready: {state[:200]}", "read its log")
    return ok("port", f"{port} is free" if port else "0 stands for any free one")


async def _find_server(port: int) -> str | None:
    """What a server of ours says of itself; None where there is another one."""
    options = HttpOptions(f"http://127.0.0.1:{port}", connect_timeout=2, read_timeout=2, total_timeout=4)
    try:
        async with open_alone(options) as client:
            health = (await client.get("/healthz")).json()
            ready = (await client.get("/readyz")).json()
    except (NetworkError, ValueError):
        return None
    state = ready.get("status") if health == {"status": "ok"} and isinstance(ready, dict) else None
    return state if isinstance(state, str) else None


def check_flows(path: Path, plugins: Registry, settings: Settings) -> Finding:
    """Whether a server would start with the flows."""
    adapter = Adapter(plugins, settings)
    step = f"see: chatforge check {path}"
    try:
        flows = load_flows(path, adapter.catalogue)
        require_connections(adapter, flows)
        require_told(settings, flows)
    except FlowError as error:
        wrong = len({problem.path for problem in error.problems if isinstance(problem, Problem)})
        return fail("flows", f"{wrong} of {count(len(error.sources), 'flow')} in {path} has problems", step)
    except ConnectorError as error:
        return fail_with(error, "flows", step)
    return ok("flows", f"{count(len(flows), 'flow')} in {path}, with {', '.join(_used(adapter, flows))}")


def _used(adapter: Adapter, flows: Sequence[Flow]) -> list[str]:
    """The connections that the flows use."""
    steps = [step.does for flow in flows for _, step in flow.all_steps()]
    doing = [does for does in steps if isinstance(does, WaitFor) or (isinstance(does, Call) and does.flow is None)]
    uses = {(one.uses, one.connection) for one in (*doing, *(flow.trigger for flow in flows if flow.trigger))}
    used = {(connector_of(name), connection) for name, connection in uses}
    connectors = adapter.registry.connections
    return sorted(f"{plugin}/{name}" for plugin, name in used if plugin in connectors) or ["no connection"]
