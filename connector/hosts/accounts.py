"""An account whose key a Python host keeps, and what its retries may do."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from connector import registry, settings
from connector.adapter import Adapter
from connector.errors import ActionError, ConnectorError


def make_adapter(api_key: str, base_url: str = "") -> Adapter:
    """An adapter whose default ChatForge account has this key; the rest is as in the environment.

    Raises SettingsError or PluginError.
    """
    found = settings.load(Path.cwd())
    account = replace(found, api_key=SecretStr(api_key) if api_key else None, base_url=base_url or found.base_url)
    return Adapter(registry.load(), account)


def may_repeat(adapter: Adapter, action: str, input: Mapping[str, Any], error: ConnectorError) -> bool:
    """Whether the host may run the action again by itself: it may help, and cannot do anything twice."""
    if not isinstance(error, ActionError) or not error.transient:
        return False
    return error.processed == "no" or adapter.effect(action, input) in ("read", "idempotent")
