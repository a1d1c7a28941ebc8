"""What most commands start with: the plugins and the settings."""

from collections.abc import Sequence
from pathlib import Path

from connector import registry, settings
from connector.adapter import Adapter
from connector.declare import connector_of
from connector.flows.flow import Flow
from connector.settings import Settings


def load_settings(flows: Path | None = None) -> Settings:
    """The settings of this folder; connections.yaml lies beside the flows."""
    beside = flows.parent if flows and not flows.is_dir() else flows
    return settings.load(Path.cwd(), beside)


def load_adapter(flows: Path | None = None) -> Adapter:
    return Adapter(registry.load(), load_settings(flows))


def require_connections(adapter: Adapter, flows: Sequence[Flow]) -> None:
    """Raise SettingsError unless each connection that the flows use, those that are on, has what it needs."""
    for flow in flows:
        if not flow.enabled:
            continue
        adapter.require_webhook(connector_of(flow.trigger.uses), flow.trigger.connection)
        for step in (*flow.steps, *flow.on_error):
            adapter.require_connection(connector_of(step.uses), step.connection)
