"""`list`, `show`, `call` and `manifest`, with the built-in plugins and with a stranger's."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from connector.cli.exits import UsageError
from connector.cli.input_files import MAX_BYTES
from connector.cli.manifest import manifest
from connector.cli.operations import show, summaries
from connector.declare import ActionContext, action
from connector.registry import Registry
from connector.sandbox import Sandbox
from connector.sandbox.server import running

STRANGER = '''
from typing import Any
from pydantic import BaseModel, ConfigDict
from connector.declare import ActionContext, ConnectionType, Event, Secret, Trigger, action
from connector.hookspecs import hookimpl

class Address(BaseModel):
    city: str
    floor: int | None = None

class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str | None = None
    number: int | None = None
    sure: bool = False

class Told(BaseModel):
    given: dict[str, Any]

class Account(BaseModel):
    token: Secret

@action(effect="read", title="Echo")
async def echo(input: Given, context: ActionContext[None]) -> Told:
    return Told(given=input.model_dump(exclude_unset=True))

@action(effect="destructive", title="Wipe", example={"text": "a"})
async def wipe(input: Given, context: ActionContext[None]) -> Told:
    """Forget all.\n\n    Really."""
    return Told(given={"wiped": True})

PING = Event("ping", "1", None, {}, "manual")
MOVED = Trigger("moved", "Moved", "", Address, Told, lambda event, input, at: None, PING, ("manual",))

@hookimpl
def register_connections(register):
    register(ConnectionType(model=Account, title="Ann\\x1b[2J", help="", default=lambda settings: {"token": None}))

@hookimpl
def register_actions(register):
    register(echo)
    register(wipe)

@hookimpl
def register_triggers(register):
    register(MOVED)
'''
NO_ACCOUNT = STRANGER.replace("    register(ConnectionType", "    (ConnectionType")


@pytest.fixture
def install(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """install(source) → the environment in which the distribution `greetings` 1.2.3 is installed."""

    def write(source: str) -> dict[str, str]:
        folder = tmp_path / "site"
        info = folder / "greetings-1.2.3.dist-info"
        info.mkdir(parents=True)
        (folder / "greetings_plugin.py").write_text(source)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greetings\nVersion: 1.2.3\n")
        (info / "entry_points.txt").write_text("[connector.plugins]\ngreetings = greetings_plugin\n")
        return {"PYTHONPATH": str(folder)}

    return write


@pytest.fixture
def stranger(install: Callable[[str], dict[str, str]]) -> dict[str, str]:
    return install(NO_ACCOUNT)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def account(sandbox: Sandbox) -> dict[str, str]:
    return {"CHATFORGE_BASE_URL": sandbox.url, "CHATFORGE_API_KEY": sandbox.api_key}


def test_list_groups_all_and_fits_a_terminal(chatforge):
    printed = chatforge("list").out
    triggers, actions, connections, _ = printed.split("\n\n")
    assert "chatforge.lead_captured         webhook, polling  Lead captured\n" in triggers
    assert "chatforge.inject_message        once              Inject message\n" in actions
    assert connections.startswith("connection")
    assert max(map(len, printed.splitlines())) <= 80
    listed = json.loads(chatforge("list", "--json").out)
    assert {"name": "chatforge.list_agents", "kind": "action", "effect": "read", "title": "List agents"} in listed
    assert {entry["name"] for entry in listed} == {
        line.split()[0] for part in (triggers, actions, connections) for line in part.splitlines()[1:]
    }


def test_show_tells_of_an_action(chatforge):
    lines = chatforge("show", "chatforge.list_conversations").out.splitlines()
    assert lines[0] == "chatforge.list_conversations  action: List conversations"
    assert "effect read: changes nothing" in lines
    assert "  agent_id  str, required" in lines
    assert "  limit     int, default 50" in lines
    assert "            How many to ask for; ChatForge may send fewer." in lines
    assert "  conversations    list[Conversation]" in lines
    assert "    visitor_email  str | null" in lines
    assert lines[-6] == "  - id: list_conversations"


def test_shown_examples_can_be_pasted_into_a_flow(chatforge, tmp_path):
    def example(name: str) -> str:
        return chatforge("show", name).out.rpartition("a flow\n")[2]

    flow = f"flow: x\n{example('chatforge.event')}  steps:\n{example('chatforge.list_conversations')}"
    # All is indented by two columns, but for the first line.
    (tmp_path / "x.yaml").write_text(flow.replace("\n  ", "\n"))
    assert chatforge("check", "x.yaml").out == "1 flow checked, no problems\n"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        pytest.param(
            "chatforge.event",
            ["starts by a webhook to /webhooks/chatforge, or to /webhooks/chatforge/CONNECTION for a named connection"],
            id="webhook",
        ),
        pytest.param("chatforge.new_lead", ["starts by polling; it needs no webhook"], id="polled"),
        pytest.param("schedule", ["starts by the clock", "    # with: expected either every or cron"], id="schedule"),
        pytest.param("manual", ["starts by hand, with: chatforge run", "  nothing"], id="manual"),
        pytest.param("chatforge.lead_captured", ["  captured_at: '2026-03-25T10:30:00Z'"], id="joined"),
    ],
)
def test_show_tells_how_a_trigger_starts(chatforge, name, lines):
    printed = chatforge("show", name).out.splitlines()
    assert [line for line in lines if line not in printed] == []
    entry = json.loads(chatforge("show", name, "--json").out)
    assert (entry["name"], entry["kind"]) == (name, "trigger")
    assert entry["sample"]["output"].keys() == entry["output"]["properties"].keys()


def test_show_tells_of_a_connector(chatforge):
    printed = chatforge("show", "chatforge").out
    for words in (
        "the API key and the webhook secret are in the ChatForge Dashboard → Integrations",
        "(https://chatforge.aiedge247.com)",
        "webhooks: /webhooks/chatforge, or /webhooks/chatforge/{connection} for a named connection",
        "rate limit: 100 requests in 60 s for each API key",
        "to see that it works: chatforge call chatforge.list_agents",
        "  api_key          secret | null",
        "    value          secret, required",
        "a secret is written as {env: NAME} or {file: PATH}",
    ):
        assert words in printed


def test_what_a_plugin_writes_cannot_steer_the_terminal(chatforge, install):
    environment = install(STRANGER)
    for command in (["list"], ["show", "greetings"]):
        printed = chatforge(*command, **environment).out
        assert "Ann\\x1b[2J" in printed
        assert "\x1b" not in printed


def test_call_prints_the_output_alone(chatforge, sandbox, account):
    result = chatforge("call", "chatforge.list_agents", **account)
    assert (result.code, result.error) == (0, "")
    assert [agent["id"] for agent in json.loads(result.out)["agents"]] == [sandbox.agent_id]


def test_call_takes_the_connection_that_is_named(chatforge, sandbox, account, tmp_path):
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge, api_key: {env: ACME_KEY}}\n")
    arguments = ("call", "chatforge.list_agents", "--connection", "acme")
    named = {"CHATFORGE_BASE_URL": sandbox.url, "ACME_KEY": sandbox.api_key}
    assert chatforge(*arguments, **named).code == 0
    assert "there is no chatforge connection 'acmee'" in chatforge(*arguments[:-1], "acmee", **account).error


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        pytest.param({"CHATFORGE_API_KEY": "wrong"}, 3, "the API key is not accepted", id="wrong key"),
        pytest.param({"CHATFORGE_API_KEY": ""}, 2, "the ChatForge API key is missing", id="no key"),
        pytest.param({"CHATFORGE_BASE_URL": "http://127.0.0.1:9/api"}, 4, "connection refused", id="nobody there"),
        pytest.param({}, 1, "agent 'nobody' not found", id="unknown agent"),
    ],
)
def test_call_that_fails_says_why_and_ends_with_its_code(chatforge, account, change, code, sentence):
    arguments = ("call", "chatforge.list_conversations", "--arg", "agent_id=nobody")
    result = chatforge(*arguments, **account | change)
    assert result.code == code
    assert sentence in result.error
    assert (result.out, result.error.count("\n")) == ("", 1)


def test_call_takes_its_arguments_by_the_type_of_the_input(chatforge, stranger):
    result = chatforge("call", "greetings.echo", "--arg", "text=5", "--arg", "number=5", **stranger)
    assert result.error == ""
    assert json.loads(result.out) == {"given": {"text": "5", "number": 5}}


def test_input_is_read_from_the_argument_or_from_a_file(chatforge, stranger, tmp_path):
    (tmp_path / "in.json").write_text('{"number": 7}')
    for argument in ('{"number": 7}', "@in.json"):
        assert json.loads(chatforge("call", "greetings.echo", "--input", argument, **stranger).out) == {
            "given": {"number": 7}
        }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--input", "@nope"], "--input: the file 'nope' cannot be read: No such file", id="no file"),
        pytest.param(
            ["--input", '{"sure": 1}'],
            "the input of greetings.echo does not fit: sure: input should be a valid boolean, not 1; see: chatforge",
            id="wrong type in JSON",
        ),
        pytest.param(["--arg", "tekst=a"], "--arg tekst: there is no such field; did you mean 'text'?", id="field"),
        pytest.param(["--input", "{}", "--arg", "text=a"], "--input and --arg exclude each other", id="both"),
        pytest.param(["--connection", "x"], "there is no greetings connection 'x'", id="connection"),
    ],
)
def test_wrong_input_of_a_call_gets_one_sentence(chatforge, install, arguments, sentence):
    result = chatforge("call", "greetings.echo", *arguments, **install(STRANGER))
    assert sentence in result.error
    assert (result.code, result.out, result.error.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param("call chatforge.event", "chatforge.event is a trigger; a flow that it starts runs", id="trigger"),
        pytest.param("call chatforge.inject_mesage", "did you mean 'chatforge.inject_message'?", id="call"),
        pytest.param("show inject_message", "did you mean 'chatforge.inject_message'?", id="show"),
        pytest.param("show xyz", "there is no trigger, action or connector 'xyz'; see: chatforge list", id="show, far"),
        pytest.param(
            "manifest --plugin chatfrge", "--plugin 'chatfrge': there is no such plugin; did you", id="plugin"
        ),
        pytest.param(
            "manifest x.yaml", "only written with --write: chatforge manifest --write x.yaml", id="no --write"
        ),
        pytest.param("manifest --write --compare x", "--write and --compare exclude each other", id="both"),
        pytest.param("manifest --write no/x.yaml", "'no/x.yaml' cannot be written: No such file", id="no folder"),
        pytest.param("manifest --compare no.yaml", "'no.yaml' cannot be read: No such file", id="no manifest"),
        pytest.param("manifest --compare leads.yaml", "'leads.yaml': it is no manifest: expected", id="a flow"),
    ],
)
def test_wrong_use_gets_one_sentence(chatforge, flow, arguments, sentence):
    result = chatforge(*arguments.split())
    assert sentence in result.error
    assert (result.code, result.out, result.error.count("\n")) == (2, "", 1)


def answer(text: str, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Call the destructive action at a terminal on which `text` is typed; without one where it is empty."""
    main, terminal = pty.openpty()
    os.write(main, text.encode())
    try:
        return subprocess.run(
            [sys.executable, "-m", "connector", "call", "greetings.wipe", "--arg", "text=all\x1b[2J"],
            env={"PATH": os.environ["PATH"], **environment},
            stdin=terminal if text else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
    finally:
        os.close(main)
        os.close(terminal)


def test_destructive_action_is_done_when_somebody_agrees(stranger, tmp_path):
    result = answer("y\n", tmp_path, stranger)
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"given": {"wiped": True}}
    assert "greetings.wipe (Wipe) is destructive" in result.stderr
    assert r'{"text": "all\u001b[2J"}' in result.stderr


@pytest.mark.parametrize(
    ("typed", "code", "sentence"),
    [
        pytest.param("\n", 1, "nothing was done", id="no"),
        pytest.param(
            "", 2, "greetings.wipe is destructive, and nobody can be asked here; give --yes", id="no terminal"
        ),
    ],
)
def test_destructive_action_is_not_done_otherwise(stranger, tmp_path, typed, code, sentence):
    result = answer(typed, tmp_path, stranger)
    assert result.returncode == code
    assert "wiped" not in result.stdout
    assert sentence in result.stderr


def test_yes_takes_the_place_of_the_question(chatforge, sandbox, account):
    arguments = ("call", "chatforge.delete_agent", "--arg", f"agent_id={sandbox.agent_id}")
    assert chatforge(*arguments, "--yes", **account).code == 0
    assert json.loads(chatforge("call", "chatforge.list_agents", **account).out) == {"agents": []}


def test_manifest_is_printed_or_written(chatforge, tmp_path):
    printed = chatforge("manifest").out
    assert chatforge("manifest", "--write").out == "wrote manifest.yaml\n"
    (tmp_path / "link.yaml").symlink_to("other.yaml")
    chatforge("manifest", "--write", "link.yaml")
    assert (tmp_path / "manifest.yaml").read_text() == (tmp_path / "other.yaml").read_text() == printed
    assert (tmp_path / "link.yaml").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.yaml", "link.yaml", "other.yaml"}


def test_manifest_of_a_strangers_plugin_has_its_name_and_version(chatforge, stranger):
    printed = chatforge("manifest", "--plugin", "greetings", **stranger).out
    assert "\nname: greetings\nversion: 1.2.3\n" in printed
    assert "  greetings.moved:\n" in printed
    assert "schedule:" not in printed
    assert "greetings" not in chatforge("manifest", **stranger).out


def write_manifest(path: Path) -> None:
    manifest(path, write=True, plugins=None, old=None)


@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_written_manifest_keeps_the_mode_of_the_file(tmp_path, mode):
    path = tmp_path / "manifest.yaml"
    path.touch()
    path.chmod(mode)
    write_manifest(path)
    assert path.read_text().startswith("#")
    assert oct(path.stat().st_mode & 0o777) == oct(mode)


def test_manifest_with_the_longest_name_of_a_file_is_written(tmp_path):
    write_manifest(tmp_path / ("x" * 255))
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("pipe", "it is no regular file; give another path", id="pipe"),
        pytest.param("to-pipe", "it is no regular file; give another path", id="link to a pipe"),
        pytest.param("loop", "Too many levels of symbolic links", id="loop"),
        pytest.param("x" * 5000, "File name too long", id="long name"),
    ],
)
def test_manifest_replaces_nothing_but_files(tmp_path, name, reason):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-pipe").symlink_to("pipe")
    (tmp_path / "loop").symlink_to("loop")
    before = {path: path.lstat().st_mode for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match=f"^the file '.{{1,250}} cannot be written: {reason}$"):
        write_manifest(tmp_path / name)
    assert {path: path.lstat().st_mode for path in tmp_path.iterdir()} == before


def test_manifest_is_not_written_over_a_folder():
    with pytest.raises(UsageError, match=r"^'/' is a folder; write --write /manifest\.yaml$"):
        write_manifest(Path("/"))


def test_manifest_to_compare_with_is_read_up_to_a_limit(tmp_path):
    path = tmp_path / "old.yaml"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(UsageError, match="it has more than 10,000,000 bytes"):
        manifest(None, write=False, plugins=None, old=path)


def test_narrow_terminal_is_written_to(chatforge):
    terminal = {"FORCE_COLOR": "1", "COLUMNS": "1"}
    result = chatforge("show", "chatforge.list_conversations", **terminal)
    assert (result.code, result.error) == (0, "")
    assert "How many to ask for;" in result.out


def test_long_name_is_cut_where_it_is_quoted():
    with pytest.raises(UsageError, match=r"^there is no trigger, action or connector 'x{59}…; see: chatforge list$"):
        show("x" * 5000)


def test_list_makes_no_schema():
    """A plugin may have thousands of actions; the registry itself makes the schema of each."""

    class Unread(BaseModel):
        @classmethod
        def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> Any:
            raise AssertionError

    @action(effect="read", title="Act")
    async def act(input: Unread, context: ActionContext[None]) -> Unread:
        raise NotImplementedError

    registry = Registry({"far.act": act}, {}, {})
    assert summaries(registry) == [{"name": "far.act", "kind": "action", "effect": "read", "title": "Act"}]


def compared(chatforge: Any, tmp_path: Path, old: str, new: str) -> Any:
    text = chatforge("manifest").out
    assert old in text
    (tmp_path / "old.yaml").write_text(text.replace(old, new, 1))
    return chatforge("manifest", "--compare", "old.yaml")


def test_compare_says_what_changed_and_whether_the_version_suffices(chatforge, tmp_path):
    result = compared(chatforge, tmp_path, "effect: once", "effect: read")
    [change, verdict] = result.out.splitlines()
    assert change.startswith("breaking  chatforge.")
    assert change.endswith(" effect: is now once, was read")
    assert verdict.startswith("breaking changes need 0.2.0 or higher after 0.1.0; this is 0.1.0, which is too low")
    assert result.code == 1


def test_compare_with_a_version_that_suffices_ends_with_0(chatforge, tmp_path):
    result = compared(chatforge, tmp_path, "version: 0.1.0", "version: 0.0.9")
    assert (result.out, result.code) == ("no changes since 0.0.9\n", 0)


def test_compare_with_a_later_version_ends_with_1(chatforge, tmp_path):
    result = compared(chatforge, tmp_path, "version: 0.1.0", "version: 0.1.1")
    assert result.out == "even without changes it needs 0.1.1 or higher after 0.1.1; this is 0.1.0, which is too low\n"
    assert result.code == 1


def test_compare_with_the_manifest_of_another_distribution_is_refused(chatforge, tmp_path):
    result = compared(chatforge, tmp_path, "name: chatforge-connector", "name: other")
    assert result.error.endswith("'old.yaml' is the manifest of 'other', not of 'chatforge-connector'\n")
    assert result.code == 2
