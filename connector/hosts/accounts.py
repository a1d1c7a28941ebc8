"""An account whose key a Python host keeps, and what its retries may do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector import registry, settings
from connector.adapter import Adapter
from connector.errors import ActionError, AuthenticationError, ConnectorError, SettingsError


def make_adapter(api_key: str, base_url: str, *, key_place: str, url_place: str) -> Adapter:
    """An adapter whose default ChatForge account has this key; the rest is as in the environment.

    The places are where the host keeps them, for the errors. Raises SettingsError or PluginError.
    """
    if not api_key:
        made = f"make a key in the ChatForge dashboard ({settings.WHERE})"
        raise SettingsError(f"the ChatForge API key is missing: it belongs into {key_place}; {made}")
    found = settings.load(Path.cwd())
    return Adapter(registry.load(), settings.with_account(found, api_key, base_url, url_place))


def told(error: ConnectorError, place: str) -> str:
    """The sentence of an error; where the key is refused, with the place where the host keeps it."""
    return f"{error}; here it is {place}" if isinstance(error, AuthenticationError) else str(error)


def may_repeat(adapter: Adapter, action: str, input: Mapping[str, Any], error: ConnectorError) -> bool:
    """Whether the host may run the action again by itself: it may help, and cannot do anything twice."""
    if not isinstance(error, ActionError) or not error.transient:
        return False
    return error.processed == "no" or is_repeatable(adapter, action, input)


def is_repeatable(adapter: Adapter, action: str, input: Mapping[str, Any]) -> bool:
    """Whether doing the action twice does no more than doing it once. Raises ConnectorError."""
    return adapter.effect(action, input) in ("read", "idempotent")
