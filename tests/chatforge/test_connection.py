from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from connector.chatforge.connection import CONNECTION, ChatForgeConnection
from connector.errors import SettingsError
from connector.settings import load

NOW = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
KEY = SecretStr("cf_canary")


def connection(**values: Any) -> ChatForgeConnection:
    return ChatForgeConnection.model_validate(values)


def test_default_connection_has_the_settings_of_the_environment(tmp_path):
    environ = {
        "CHATFORGE_API_KEY": "cf_canary",
        "CHATFORGE_BASE_URL": "http://127.0.0.1:8000/api",
        "CHATFORGE_WEBHOOK_SECRET": "one,two",
        "CHATFORGE_RATE_LIMIT": "7",
    }
    settings = load(tmp_path, environ=environ)
    values = connection(**CONNECTION.common(settings), **CONNECTION.default(settings))
    CONNECTION.require(values)
    options = CONNECTION.http(values)
    assert (options.base_url, options.headers) == ("http://127.0.0.1:8000/api", {"Authorization": "Bearer cf_canary"})
    assert CONNECTION.webhook.secrets(values, NOW) == ["one", "two"]
    assert values.rate_limit == 7


def test_key_alone_is_enough():
    options = CONNECTION.http(connection(api_key=KEY))
    assert options.base_url == "https://chatforge.aiedge247.com/api/dashboard.js"


@pytest.mark.parametrize("values", [{}, {"api_key": None}], ids=["none", "null"])
def test_missing_key_is_named_with_where_to_make_one(values):
    with pytest.raises(
        SettingsError, match=r"the ChatForge API key is missing: set CHATFORGE_API_KEY .* make a key in"
    ):
        CONNECTION.require(connection(**values))


@pytest.mark.parametrize("key", ["cf_live_x", "sk-~!{}", "0"])
def test_form_of_the_key_is_not_examined(key):
    CONNECTION.require(connection(api_key=SecretStr(key)))


def test_secret_is_live_until_its_end():
    end = NOW + timedelta(minutes=1)
    values = connection(webhook_secrets=[{"value": SecretStr("old"), "until": end}, SecretStr("new")])
    assert CONNECTION.webhook.secrets(values, end) == ["old", "new"]
    assert CONNECTION.webhook.secrets(values, end + timedelta(microseconds=1)) == ["new"]


@pytest.mark.parametrize(
    ("secrets", "what"),
    [
        pytest.param([], "is missing", id="none"),
        pytest.param([{"value": SecretStr("old"), "until": NOW - timedelta(seconds=1)}], "has ended", id="ended"),
    ],
)
def test_without_a_live_secret_no_webhook_is_taken(secrets, what):
    with pytest.raises(SettingsError, match=f"the ChatForge webhook secret {what}: set CHATFORGE_WEBHOOK_SECRET"):
        CONNECTION.webhook.secrets(connection(webhook_secrets=secrets), NOW)
