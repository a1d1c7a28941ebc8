"""The settings that can be changed while a sandbox runs, and how the settings are shown."""

from collections.abc import Callable
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any, get_args

from connector.sandbox.fields import Fields
from connector.sandbox.refusals import bad_request
from connector.sandbox.settings import (
    ErrorStyle,
    InvalidSettingError,
    ListOrder,
    RateWindow,
    RetryAfter,
    SandboxSettings,
)

READERS: dict[str, Callable[[Fields, str], Any]] = {
    "list_order": lambda fields, name: fields.choice(name, get_args(ListOrder)),
    "list_lag": Fields.seconds,
    "max_limit": Fields.whole,
    "redelivery_delays": lambda fields, name: tuple(fields.numbers(name) or ()),
    "webhook_copies": Fields.whole,
    "webhook_agent_id": lambda fields, name: _read_optional(fields, name, fields.required_text),
    "error_style": lambda fields, name: fields.choice(name, get_args(ErrorStyle)),
    "retry_after": lambda fields, name: _read_optional(
        fields, name, lambda name: fields.choice(name, get_args(RetryAfter))
    ),
    "rate_limit": Fields.whole,
    "rate_window": lambda fields, name: fields.choice(name, get_args(RateWindow)),
}
"""setting → how it is read from JSON."""


def change_settings(settings: SandboxSettings, fields: Fields) -> SandboxSettings:
    """The settings with those of `fields` changed. Raises RefusedError (400) when one is wrong or cannot change."""
    fields.only(*READERS)
    try:
        return replace(settings, **{name: READERS[name](fields, name) for name in fields.values})
    except InvalidSettingError as error:
        raise bad_request(str(error)) from error


def show_settings(settings: SandboxSettings) -> dict[str, Any]:
    """All settings as JSON, without the keys and the webhook secret."""
    shown = {field.name: getattr(settings, field.name) for field in fields_of(settings) if field.repr}
    return shown | {
        "redelivery_delays": list(settings.redelivery_delays),
        "db": None if settings.db is None else str(settings.db),
    }


def _read_optional(fields: Fields, name: str, read: Callable[[str], str | None]) -> str | None:
    return None if fields.values[name] is None else read(name)
