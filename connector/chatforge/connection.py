"""The ChatForge account: its address, its key, its webhook secrets, its request budget."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from connector.chatforge.budget import RateBudget, SharedFile
from connector.chatforge.index import Index
from connector.chatforge.webhooks import parse, verify
from connector.declare import ConnectionType, RateLimit, Secret, Webhook
from connector.errors import SettingsError
from connector.settings import DEFAULT_BASE_URL, DEFAULT_RATE_LIMIT, WHERE, Settings
from connector.transport import HttpOptions


class WebhookSecret(BaseModel):
    """A secret of the vendor's dashboard; several may be live while one replaces another."""

    value: Secret
    until: AwareDatetime | None = None


class ChatForgeConnection(BaseModel):
    """A ChatForge account. The key's form is not examined: newer keys look different."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = Field(DEFAULT_BASE_URL, description="CHATFORGE_BASE_URL")
    api_key: Secret | None = Field(None, description=f"CHATFORGE_API_KEY; made in the vendor's {WHERE}")
    webhook_secrets: list[WebhookSecret] = Field(
        default_factory=list, description=f"CHATFORGE_WEBHOOK_SECRET; shown in the vendor's {WHERE}"
    )
    rate_limit: int = Field(DEFAULT_RATE_LIMIT, ge=1, description="CHATFORGE_RATE_LIMIT, requests a minute")
    budget_file: Path | None = Field(
        None, description="CHATFORGE_BUDGET_FILE; without it, requests of other processes are not counted"
    )
    analytics_file: Path | None = Field(
        None, description="where samples of analytics are kept; analytics.sqlite beside the database of the runs"
    )

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, text: str) -> str:
        """An account's own one; that of the environment was looked at when it was read."""
        try:
            return HttpOptions(text, base_url_setting="it").base_url
        except SettingsError as error:
            raise ValueError(str(error)) from None

    @field_validator("webhook_secrets", mode="before")
    @classmethod
    def _with_or_without_end(cls, values: Any) -> Any:
        given = values if isinstance(values, list) else [values]
        return [value if _has_value(value) else {"value": value} for value in given]


def _has_value(secret: object) -> bool:
    return isinstance(secret, WebhookSecret) or (isinstance(secret, dict) and "value" in secret)


def _common(settings: Settings) -> Mapping[str, Any]:
    return {
        "base_url": settings.base_url,
        "rate_limit": settings.rate_limit,
        "budget_file": settings.budget_file,
        "analytics_file": settings.beside_database("analytics.sqlite"),
    }


def _from_settings(settings: Settings) -> Mapping[str, Any]:
    return {
        "api_key": settings.api_key,
        "webhook_secrets": list(settings.webhook_secrets),
    }


def _require_key(connection: ChatForgeConnection) -> None:
    if connection.api_key is not None and not re.fullmatch("[!-~]+", connection.api_key.get_secret_value()):
        raise SettingsError(
            "the ChatForge API key (CHATFORGE_API_KEY, or api_key in connections.yaml) has a space or another "
            f"character that no key has; copy it again from the ChatForge dashboard ({WHERE})"
        )
    if connection.api_key is None:
        raise SettingsError(
            "the ChatForge API key is missing: set CHATFORGE_API_KEY in the environment or in .env, or api_key in "
            f"connections.yaml; make a key in the ChatForge dashboard ({WHERE})"
        )


def _http(connection: ChatForgeConnection) -> HttpOptions:
    key = connection.api_key.get_secret_value() if connection.api_key else ""
    return HttpOptions(connection.base_url, {"Authorization": f"Bearer {key}"}, base_url_setting="CHATFORGE_BASE_URL")


def account_of(connection: ChatForgeConnection) -> str:
    """What the account is called in the budget file: a digest, from which nobody can read the key."""
    key = connection.api_key.get_secret_value() if connection.api_key else ""
    return hashlib.sha256(f"{connection.base_url}\0{key}".encode()).hexdigest()


def _open_budget(connection: ChatForgeConnection) -> RateBudget:
    storage = SharedFile(connection.budget_file) if connection.budget_file else None
    return RateBudget(connection.rate_limit, storage, account_of(connection))


def _live_secrets(connection: ChatForgeConnection, now: datetime) -> Sequence[str]:
    live = [secret for secret in connection.webhook_secrets if secret.until is None or now <= secret.until]
    if not live:
        ended = "has ended" if connection.webhook_secrets else "is missing"
        raise SettingsError(
            f"the ChatForge webhook secret {ended}: set CHATFORGE_WEBHOOK_SECRET in the environment or in .env, or "
            f"webhook_secrets in connections.yaml; the ChatForge dashboard shows it ({WHERE})"
        )
    return [secret.value.get_secret_value() for secret in live]


WEBHOOK = Webhook(verify, parse, _live_secrets)
CONNECTION = ConnectionType(
    model=ChatForgeConnection,
    title="ChatForge account",
    help=f"the API key and the webhook secret are in the ChatForge {WHERE}",
    default=_from_settings,
    common=_common,
    require=_require_key,
    http=_http,
    budget=_open_budget,
    memory=lambda _connection: Index(),
    webhook=WEBHOOK,
    help_url="https://chatforge.aiedge247.com",
    rate_limit=RateLimit(DEFAULT_RATE_LIMIT, 60, "API key"),
    test="list_agents",
)
