import os
import re
import socket
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from connector import settings
from connector.errors import SettingsError

CANARY = "canary_0123456789"


def load(folder: Path, **environ: str) -> settings.Settings:
    return settings.load(folder, environ=environ)


def key_of(loaded: settings.Settings) -> str | None:
    return loaded.api_key.get_secret_value() if loaded.api_key else None


def refused(folder: Path, **environ: str) -> str:
    """The sentence with which loading, or reading the connections, ends."""

    def read_all() -> None:
        for entry in load(folder, **environ).connections.values():
            entry.values()

    with pytest.raises(SettingsError) as caught:
        read_all()
    shown = "".join(traceback.format_exception(caught.value))
    assert "\n" not in str(caught.value)
    assert CANARY not in shown
    assert CANARY not in repr(chain(caught.value))
    return str(caught.value).replace(f"{folder}/", "")


def chain(error: BaseException | None) -> list[object]:
    """What a reporter of crashes finds in an exception: itself, its arguments, and what led to it."""
    return [error, error.args, vars(error), *chain(error.__cause__ or error.__context__)] if error else []


def test_without_settings_there_is_no_key_and_the_vendors_address(tmp_path):
    loaded = load(tmp_path)
    assert loaded == settings.Settings(
        api_key=None,
        base_url="https://chatforge.aiedge247.com/api/dashboard.js",
        webhook_secrets=(),
        database=tmp_path / "chatforge.sqlite",
        rate_limit=100,
        budget_file=tmp_path / "budget.sqlite",
        public_url=None,
        connections={},
        state_folder=tmp_path,
    )


def test_database_on_a_server_does_not_show_its_password(tmp_path):
    loaded = load(tmp_path, CHATFORGE_DATABASE_URL=f"postgresql://ann:{CANARY}@db.example:5433/flows?sslmode=require")
    assert str(loaded.database) == "postgresql://db.example:5433/flows"
    assert load(tmp_path, CHATFORGE_DATABASE_URL="postgresql://db/flows?user=ann@cloud").database
    assert CANARY not in repr(loaded)
    assert loaded.beside_database("contacts.sqlite") == tmp_path / "contacts.sqlite"


def test_process_environment_is_read_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("CHATFORGE_RATE_LIMIT", "7")
    assert settings.load(tmp_path).rate_limit == 7


def test_what_env_file_says_of_a_collector_is_handed_to_the_sdk_which_reads_the_environment_only(tmp_path, monkeypatch):
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_SERVICE_NAME")
    for name in names:
        monkeypatch.setenv(name, "before")
        monkeypatch.delenv(name)  # at its end the test leaves none of them
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nearest")
    (tmp_path / ".env").write_text("OTEL_EXPORTER_OTLP_HEADERS=key=1\nOTEL_SERVICE_NAME=file\n")
    assert settings.find_collector(tmp_path) is None
    assert "OTEL_EXPORTER_OTLP_HEADERS" not in os.environ
    with (tmp_path / ".env").open("a") as file:
        file.write("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318\n")
    assert settings.find_collector(tmp_path) == "http://127.0.0.1:4318"
    assert [os.environ[name] for name in names] == ["http://127.0.0.1:4318", "key=1", "nearest"]


def test_nearest_place_wins_and_an_empty_value_counts_as_missing(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "CHATFORGE_API_KEY").write_text("from the folder\n")
    (tmp_path / ".env").write_text("CHATFORGE_SECRETS_DIR=secrets\n")
    assert key_of(load(tmp_path)) == "from the folder"
    with (tmp_path / ".env").open("a") as env:
        env.write("CHATFORGE_API_KEY=from .env\n")
    assert key_of(load(tmp_path)) == "from .env"
    assert key_of(load(tmp_path, CHATFORGE_API_KEY="  ")) == "from .env"
    assert key_of(load(tmp_path, CHATFORGE_API_KEY=" from environ ")) == "from environ"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        pytest.param("K=plain", "plain", id="plain"),
        pytest.param("  export K = spaced out  ", "spaced out", id="export and spaces"),
        pytest.param("K=plain # a comment", "plain", id="comment"),
        pytest.param("K=a#b", "a#b", id="number sign inside"),
        pytest.param("K=#b", "#b", id="number sign first"),
        pytest.param("K= # b", None, id="only a comment"),
        pytest.param("K='a # b' # a comment", "a # b", id="single quotes"),
        pytest.param(r"K='a\"b\\'", r"a\"b\\", id="single quotes keep backslashes"),
        pytest.param(r'K="a \"b\" # \\ \n" # a "comment"', r'a "b" # \ \n', id="double quotes"),
        pytest.param("K=it's", "it's", id="quote inside"),
        pytest.param("K=a=b", "a=b", id="equals sign inside"),
        pytest.param("K=$HOME", "$HOME", id="dollar sign"),
        pytest.param("K=", None, id="empty"),
        pytest.param("K=''", None, id="empty quotes"),
        pytest.param("K=first\nK=second", "second", id="twice"),
        pytest.param("# K=no\n\n   \nK=yes", "yes", id="comments and empty lines"),
        pytest.param("A=1\r\nK=carriage\r\n", "carriage", id="CRLF"),
        pytest.param("\ufeffK=marked", "marked", id="byte order mark"),
        pytest.param("K=a\x0bb\u2028c", "a\x0bb\u2028c", id="unusual line breaks are no line breaks"),
    ],
)
def test_env_file_is_read_as_a_shell_would(tmp_path, line, value):
    (tmp_path / ".env").write_bytes(line.encode())
    assert settings.Environment.of({}, tmp_path).get("K") == value


def test_folder_called_env_is_not_a_settings_file(tmp_path):
    (tmp_path / ".env").mkdir()
    assert load(tmp_path).api_key is None


def test_webhook_secrets_are_separated_by_commas(tmp_path):
    loaded = load(tmp_path, CHATFORGE_WEBHOOK_SECRET=" one,, two ,")
    assert [secret.get_secret_value() for secret in loaded.webhook_secrets] == ["one", "two"]


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        pytest.param({"CHATFORGE_DATABASE_URL": "sqlite:///x.sqlite"}, "{folder}/x.sqlite", id="relative"),
        pytest.param({"CHATFORGE_DATABASE_URL": "sqlite:////var/x.sqlite"}, "/var/x.sqlite", id="absolute"),
        pytest.param({"HOME": "/h"}, "/h/.local/state/chatforge/chatforge.sqlite", id="home"),
        pytest.param({"HOME": "/h", "XDG_STATE_HOME": "/s"}, "/s/chatforge/chatforge.sqlite", id="XDG"),
        pytest.param(
            {"HOME": "/h", "XDG_STATE_HOME": "s"}, "/h/.local/state/chatforge/chatforge.sqlite", id="relative XDG"
        ),
    ],
)
def test_database_is_where_the_settings_say(tmp_path, environ, path):
    assert str(load(tmp_path, **environ).database) == path.format(folder=tmp_path)


def test_runs_are_kept_for_the_time_that_is_set(tmp_path):
    assert load(tmp_path).keep == settings.Keep(timedelta(days=30), timedelta(days=90), timedelta(days=90))
    keep = {"CHATFORGE_KEEP_SUCCEEDED": "12h", "CHATFORGE_KEEP_FAILED": "forever", "CHATFORGE_KEEP_CANCELLED": "90m"}
    assert load(tmp_path, **keep).keep == settings.Keep(timedelta(hours=12), None, timedelta(minutes=90))


def test_addresses_lose_the_slash_at_their_end(tmp_path):
    loaded = load(
        tmp_path, CHATFORGE_BASE_URL="http://127.0.0.1:8000/api/", CHATFORGE_PUBLIC_URL="https://example.com/"
    )
    assert (loaded.base_url, loaded.public_url) == ("http://127.0.0.1:8000/api", "https://example.com")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("CHATFORGE_RATE_LIMIT", "0", "'0': expected requests a minute"),
        ("CHATFORGE_RATE_LIMIT", "1.5", "'1.5': expected requests a minute"),
        ("CHATFORGE_RATE_LIMIT", "٣", "'٣': expected requests a minute"),
        ("CHATFORGE_RATE_LIMIT", "1000000", "'1000000': expected requests a minute"),
        ("CHATFORGE_LOG_FORMAT", "JSON", "'JSON': expected text or json"),
        ("CHATFORGE_BASE_URL", "chatforge.example", "'chatforge.example': expected http://HOST/PATH"),
        ("CHATFORGE_BASE_URL", "ftp://x", "'ftp://x': expected http://HOST/PATH"),
        ("CHATFORGE_BASE_URL", "http://", "'http://': expected http://HOST/PATH"),
        ("CHATFORGE_BASE_URL", "http://x:99999", "'http://x:99999': expected http://HOST/PATH"),
        ("CHATFORGE_BASE_URL", "http://x y", "'http://x y': expected http://HOST/PATH"),
        ("CHATFORGE_BASE_URL", "http://[::1", "'http://[::1': expected http://HOST/PATH"),
        ("CHATFORGE_BASE_URL", f"https://x/d.js?action={CANARY}", "'https://x/d.js?…': expected http://HOST/PATH"),
        ("CHATFORGE_BASE_URL", f"https://ann:{CANARY}@x/", "'https://…@x/': expected http://HOST/PATH"),
        ("CHATFORGE_PUBLIC_URL", "x", "'x': expected http://HOST/PATH"),
        ("CHATFORGE_PUBLIC_URL", f"https://x#{CANARY}", "'https://x?…': expected http://HOST/PATH"),
        ("CHATFORGE_DATABASE_URL", "chatforge.sqlite", "'chatforge.sqlite': expected sqlite:///PATH"),
        ("CHATFORGE_DATABASE_URL", "sqlite://chatforge.sqlite", "'sqlite://chatforge.sqlite': expected sqlite:///PATH"),
        ("CHATFORGE_DATABASE_URL", "sqlite:///", "'sqlite:///': expected sqlite:///PATH"),
        ("CHATFORGE_DATABASE_URL", "sqlite:///:memory:", "'sqlite:///:memory:': expected sqlite:///PATH"),
        ("CHATFORGE_DATABASE_URL", "sqlite:///folder/", "'sqlite:///folder/': expected sqlite:///PATH"),
        ("CHATFORGE_DATABASE_URL", "sqlite:///x?mode=ro", "'sqlite:///x?…': expected sqlite:///PATH"),
        (
            "CHATFORGE_DATABASE_URL",
            f"postgresql://ann:{CANARY}/@@x/d",
            "'postgresql://…@x/d': expected postgresql://USER",
        ),
        ("CHATFORGE_KEEP_SUCCEEDED", "30", "'30': expected a time such as 30d, 12h or 90m, or forever"),
        ("CHATFORGE_KEEP_FAILED", "0d", "'0d': expected a time such as 30d, 12h or 90m, or forever"),
        ("CHATFORGE_KEEP_CANCELLED", "never", "'never': expected a time such as 30d, 12h or 90m, or forever"),
        ("CHATFORGE_DATABASE_URL", f"postgresql:/ann:{CANARY}@x/d", "'…': expected sqlite:///PATH"),
        ("CHATFORGE_DATABASE_URL", f"host=x user=ann password={CANARY}", "'…': expected sqlite:///PATH"),
        (
            "CHATFORGE_DATABASE_URL",
            f"postgresql://ann:a@{CANARY}/x@y/d",
            "'postgresql://…@y/d': expected postgresql://",
        ),
        ("CHATFORGE_DATABASE_URL", f"postgresql://ann:{CANARY}@x", "'postgresql://…@x': expected postgresql://USER"),
        ("CHATFORGE_DATABASE_URL", f"postgres://ann:{CANARY}@x:y/d", "'postgres://…@x:y/d': expected postgresql://"),
        ("CHATFORGE_DATABASE_URL", f"mysql://ann:{CANARY}@x/d", "'mysql://…@x/d': expected sqlite:///PATH"),
        ("CHATFORGE_SECRETS_DIR", "nowhere", "'nowhere': expected a folder"),
    ],
)
def test_bad_value_is_named_with_what_was_expected(tmp_path, name, value, shown):
    assert refused(tmp_path, **{name: value}).startswith(f"{name} is {shown}")


def test_variable_that_is_not_utf_8_is_named(tmp_path):
    assert refused(tmp_path, CHATFORGE_API_KEY=f"{CANARY}\udcff").startswith(
        "the value of CHATFORGE_API_KEY is not UTF-8"
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(f"A=1\n{CANARY}\n".encode(), ".env:2: expected NAME=value", id="no name"),
        pytest.param(f"1A={CANARY}\n".encode(), ".env:1: expected NAME=value", id="bad name"),
        pytest.param(f"A='{CANARY}\n".encode(), ".env:1: expected NAME=value", id="open quote"),
        pytest.param(f'A="{CANARY}\\"\n'.encode(), ".env:1: expected NAME=value", id="escaped quote at the end"),
        pytest.param(f"A='{CANARY}'x\n".encode(), ".env:1: expected NAME=value", id="more after the quote"),
        pytest.param(f"A={CANARY}\xff".encode("latin-1"), "the settings file .env cannot be read", id="not UTF-8"),
    ],
)
def test_bad_env_file_is_named_without_its_content(tmp_path, content, sentence):
    (tmp_path / ".env").write_bytes(content)
    assert refused(tmp_path).startswith(sentence)


def test_unreadable_secret_file_is_named(tmp_path):
    (tmp_path / "s" / "CHATFORGE_API_KEY").mkdir(parents=True)
    sentence = refused(tmp_path, CHATFORGE_SECRETS_DIR="s")
    assert sentence.startswith("the secret file s/CHATFORGE_API_KEY cannot be read: Is a directory")


def entry(folder: Path, text: str, **environ: str) -> settings.ConnectionEntry:
    """The connection `acme` of a connections.yaml."""
    (folder / "connections.yaml").write_text(text)
    return load(folder, **environ).connections["acme"]


def test_connections_file_lies_beside_the_flows_and_secrets_beside_it(tmp_path):
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "key").write_text("  from file\n")
    (flows / "connections.yaml").write_text(
        "acme: {connector: chatforge, api_key: {file: key}, rate_limit: 50, name: 'on', tags: [1, {env: TAG}],"
        " login: {user: ann, password: {env: PASSWORD}}}"
    )
    (tmp_path / ".env").write_text("PASSWORD=from .env\nTAG=x\n")
    acme = settings.load(tmp_path, flows, environ={}).connections["acme"]
    assert acme.connector == "chatforge"
    assert acme.values() == {
        "api_key": SecretStr("from file"),
        "rate_limit": 50,
        "name": "on",
        "tags": [1, SecretStr("x")],
        "login": {"user": "ann", "password": SecretStr("from .env")},
    }


@pytest.mark.parametrize(
    ("until", "end"),
    [
        pytest.param("2026-12-31", datetime(2026, 12, 31, 23, 59, 59, 999999, UTC), id="date"),
        pytest.param("2026-12-31T18:00:00Z", datetime(2026, 12, 31, 18, tzinfo=UTC), id="time"),
        pytest.param("2026-12-31T18:00:00+02:00", datetime(2026, 12, 31, 16, tzinfo=UTC), id="offset"),
        pytest.param("2026-12-31 18:00", datetime(2026, 12, 31, 18, tzinfo=UTC), id="no offset"),
        pytest.param("'2026-12-31'", datetime(2026, 12, 31, 23, 59, 59, 999999, UTC), id="quoted"),
    ],
)
def test_secret_ends_at_its_date_or_time(tmp_path, until, end):
    acme = entry(tmp_path, f"acme: {{connector: x, secrets: [{{env: S, until: {until}}}]}}", S="s")
    assert acme.values() == {"secrets": [{"value": SecretStr("s"), "until": end}]}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("acme: {connector: x, k: {env: NO}}", "acme: k: the variable NO is not set", id="variable"),
        pytest.param("acme: {connector: x, k: [{env: NO}]}", "acme: k[0]: the variable NO", id="in a list"),
        pytest.param("acme: {connector: x, k: {a: {env: NO}}}", "acme: k.a: the variable NO", id="in a mapping"),
        pytest.param("acme: {connector: x, k: {env: ../k}}", "acme: k: env is not the name", id="a path for a name"),
        pytest.param("acme: {connector: x, k: {file: no}}", "acme: k: the secret file no cannot be read", id="file"),
        pytest.param("acme: {connector: x, k: {file: void}}", "acme: k: the secret file void is empty", id="empty"),
        pytest.param('acme: {connector: x, k: {file: "a\\0b"}}', "acme: k: the secret file a\0b cannot be", id="NUL"),
        pytest.param("acme: {connector: x, k: {env: A, file: b}}", "acme: k: a secret is {env: NAME} or", id="both"),
        pytest.param("acme: {connector: x, k: {env: A, til: 1}}", "acme: k: a secret is {env: NAME} or", id="more"),
        pytest.param(
            "acme: {connector: x, k: {env: A, until: 2026-02-30}}", "acme: k: until is '2026-02-30'", id="day"
        ),
        pytest.param("acme: {connector: x, k: {env: A, until: 20261231}}", "acme: k: until is 20261231", id="until"),
        pytest.param("acme: {api_key: {env: A}}", "acme: expected a mapping with `connector: NAME`", id="connector"),
        pytest.param("acme: {connector: [x]}", "acme: expected a mapping with `connector: NAME`", id="list"),
        pytest.param(f"acme: {CANARY}", "acme: expected a mapping with `connector: NAME`", id="no mapping"),
        pytest.param("Acme: {connector: x}", "'Acme' is not a name of a connection", id="upper case"),
        pytest.param("a/../b: {connector: x}", "'a/../b' is not a name of a connection", id="path"),
        pytest.param("7: {connector: x}", "7 is not a name of a connection", id="number"),
        pytest.param(f"- {CANARY}", "expected a mapping from connection names", id="top is a list"),
    ],
)
def test_bad_connection_is_named_with_what_was_expected(tmp_path, text, sentence):
    (tmp_path / "void").write_text(" \n")
    (tmp_path / "connections.yaml").write_text(text)
    assert re.sub(r"^connections.yaml: ", "", refused(tmp_path, A=CANARY)).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(f"acme:\n  k: '{CANARY}\n", ":3:1: this is not YAML: found unexpected end of stream", id="quote"),
        pytest.param(f"acme: {{k: {CANARY}: x}}", ":1:", id="colon"),
        pytest.param(f"acme: {{k: *{CANARY}}}", ":1:11: this is not YAML: an alias (*) is not read here", id="alias"),
        pytest.param(f"acme: {{k: !{CANARY} x}}", ":1:11: this is not YAML: could not determine", id="tag"),
        pytest.param("acme: {connector: x}\nacme: {connector: y}", ":1:1: this is not YAML: the name acme", id="twice"),
        pytest.param("acme: {k: 1, k: 2}", ":1:7: this is not YAML: the name k comes twice", id="twice inside"),
        pytest.param("acme: {k: !!int x}", ": this is not YAML: ValueError", id="not of its tag"),
        pytest.param("[" * 5000, ": this is not YAML: RecursionError", id="deep"),
        pytest.param("a: \x00", ": this is not YAML", id="NUL"),
    ],
)
def test_bad_yaml_is_one_sentence_with_its_place_and_without_its_content(tmp_path, text, sentence):
    (tmp_path / "connections.yaml").write_text(text)
    assert refused(tmp_path).startswith(f"connections.yaml{sentence}")


def test_connections_file_that_cannot_be_read_is_named(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "connections.yaml"))
        assert refused(tmp_path).startswith("the connections file connections.yaml cannot be read: No such device")


def test_secrets_are_in_no_repr(tmp_path):
    (tmp_path / ".env").write_text(f"K={CANARY}\n")
    text = f"acme: {{connector: x, literal: {CANARY}, k: {{env: K}}}}"
    acme = entry(tmp_path, text, CHATFORGE_API_KEY=CANARY, CHATFORGE_WEBHOOK_SECRET=CANARY)
    loaded = load(tmp_path, CHATFORGE_API_KEY=CANARY, CHATFORGE_WEBHOOK_SECRET=CANARY)
    for value in (loaded, acme, acme.environment, acme.values()["k"]):
        assert CANARY not in f"{value!r} {value!s}"
