"""What most commands start with: the plugins and the settings."""

from collections.abc import Sequence
from pathlib import Path

from connector import registry, settings
from connector.adapter import Adapter
from connector.declare import connector_of
from connector.flows.flow import Flow
from connector.settings import Settings


def load_settings(flows: Path | None = None) -> Settings:
    """The settings of this folder; connections.yaml lies beside the flows, which are in `flows` unless it is here."""
    beside = flows.parent if flows and not flows.is_dir() else flows
    if beside is None and not Path("connections.yaml").exists() and Path("flows/connections.yaml").exists():
        beside = Path("flows")
    return settings.load(Path.cwd(), beside)


def load_adapter(flows: Path | None = None) -> Adapter:
    return Adapter(registry.load(), load_settings(flows))


def require_connections(adapter: Adapter, flows: Sequence[Flow]) -> None:
    """Raise SettingsError unless each connection that the flows use, those that are on, has what it needs."""
    for flow in flows:
        if flow.enabled:
            _require_trigger(adapter, flow)
            require_steps(adapter, flow)


def _require_trigger(adapter: Adapter, flow: Flow) -> None:
    connector, sources = connector_of(flow.trigger.uses), adapter.registry.trigger(flow.trigger.uses).sources
    if "webhook" in sources:
        adapter.require_webhook(connector, flow.trigger.connection)
    if "poll" in sources:
        adapter.require_connection(connector, flow.trigger.connection)


def require_steps(adapter: Adapter, flow: Flow) -> None:
    """Raise SettingsError unless each connection of the flow's steps has what it needs."""
    for step in (*flow.steps, *flow.on_error):
        adapter.require_connection(connector_of(step.uses), step.connection)


def pause_of(adapter: Adapter, flow: Flow) -> float | None:
    """Seconds between two polls for the flow; None where nothing is polled."""
    trigger = flow.trigger
    watching = adapter.watch(trigger.uses, trigger.input)
    return watching.every if watching is not None else adapter.pause(trigger.uses, trigger.input)
