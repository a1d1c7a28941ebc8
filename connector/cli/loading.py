"""What most commands start with: the plugins and the settings."""

from pathlib import Path

from connector import registry, settings
from connector.adapter import Adapter
from connector.settings import Settings


def load_settings(flows: Path | None = None) -> Settings:
    """The settings of this folder; connections.yaml lies beside the flows."""
    beside = flows.parent if flows and not flows.is_dir() else flows
    return settings.load(Path.cwd(), beside)


def load_adapter(flows: Path | None = None) -> Adapter:
    return Adapter(registry.load(), load_settings(flows))
