"""Accounts whose key a Python host keeps."""

import subprocess
import sys

import pytest

from connector import settings
from connector.errors import AuthenticationError, NetworkError, RateLimitError, ServerError, SettingsError
from connector.hosts.accounts import make_adapter as make_adapter_of_host
from connector.hosts.accounts import may_repeat, told

KEPT = "default: {connector: chatforge, api_key: {env: OTHER}}\nmore: {connector: chatforge, api_key: {env: OTHER}}\n"


def test_account_of_a_host_stands_in_for_the_default_one(tmp_path):
    (tmp_path / "connections.yaml").write_text(KEPT)
    found = settings.load(tmp_path, environ={"CHATFORGE_API_KEY": "cf_environment", "CHATFORGE_BASE_URL": "http://a/b"})
    account = settings.with_account(found, "cf_host", "", "the host")
    assert account.api_key
    assert (account.api_key.get_secret_value(), account.base_url) == ("cf_host", "http://a/b")
    assert [*account.connections] == ["more"]


def test_address_that_is_none_is_refused_with_its_place(tmp_path):
    found = settings.load(tmp_path, environ={})
    with pytest.raises(SettingsError, match=r"the host of 'main' is 'a b': expected http"):
        settings.with_account(found, "cf_host", "a b", "the host of 'main'")


def test_missing_key_is_missed_where_the_host_keeps_it():
    with pytest.raises(SettingsError, match="the ChatForge API key is missing: it belongs into the password"):
        make_adapter_of_host("", "", key_place="the password", url_place="the host")


@pytest.mark.parametrize(
    ("action", "error", "again"),
    [
        ("inject_message", RateLimitError("", transient=True), True),
        ("inject_message", ServerError("", transient=True, processed="unknown"), False),
        ("update_agent", ServerError("", transient=True, processed="unknown"), True),
        ("list_agents", NetworkError("", transient=True, processed="unknown"), True),
        ("list_agents", AuthenticationError(""), False),
        ("list_agents", SettingsError(""), False),
    ],
)
def test_host_tries_again_what_may_help_and_can_do_nothing_twice(make_adapter, action, error, again):
    assert may_repeat(make_adapter(), f"chatforge.{action}", {}, error) is again


def test_refused_key_says_where_the_host_keeps_it():
    assert told(AuthenticationError("no"), "the password") == "no; here it is the password"
    assert told(RateLimitError("no"), "the password") == "no"


@pytest.mark.parametrize("package", ["airflow", "prefect"])
def test_package_is_imported_without_its_host(package):
    program = f"import sys, connector.hosts.{package}; sys.exit({package!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
