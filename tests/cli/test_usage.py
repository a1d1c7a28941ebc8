"""Bad input, as people give it: one sentence, the right exit code, no traceback."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from connector.cli.app import app, run
from connector.cli.exits import UsageError
from connector.cli.flow_files import check_files
from connector.flows.catalogue import Catalogue
from connector.flows.document import MAX_BYTES

KEY = {"CHATFORGE_API_KEY": "cf_key_for_tests"}
SECRET = {"CHATFORGE_WEBHOOK_SECRET": "whsec_for_tests"}
BOTH = KEY | SECRET
POLLED = "flow: polled\ntrigger: {uses: chatforge.new_lead}\nsteps: [{id: agents, uses: chatforge.list_agents}]\n"


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "sentence"),
    [
        pytest.param("check", {}, 2, "Missing argument 'files'; see: chatforge check --help", id="no file"),
        pytest.param("chekc x", {}, 2, "Did you mean 'check'?; see: chatforge --help", id="no such command"),
        pytest.param("check nope.yaml", {}, 2, "there is no file 'nope.yaml'", id="no such file"),
        pytest.param(
            "run lead", BOTH, 2, "there is no file 'lead'; did you mean 'flows/lead.yaml'?", id="name of a flow"
        ),
        pytest.param("check leads", {}, 2, "no file 'leads'; did you mean 'leads.yaml'?", id="file without its ending"),
        pytest.param("check .git", {}, 2, "there is no flow file (*.yaml) in the folder '.git'", id="empty folder"),
        pytest.param("serve --flows leads.yaml", KEY, 2, "set CHATFORGE_WEBHOOK_SECRET", id="no webhook secret"),
        pytest.param("serve --flows leads.yaml", SECRET, 2, "set CHATFORGE_API_KEY", id="no API key"),
        pytest.param(
            "serve --flows leads.yaml",
            BOTH | {"CHATFORGE_RATE_LIMIT": "many"},
            2,
            "CHATFORGE_RATE_LIMIT is 'many'",
            id="limit",
        ),
        pytest.param(
            "serve --flows leads.yaml",
            BOTH | {"CHATFORGE_BASE_URL": "cf.example"},
            2,
            "CHATFORGE_BASE_URL is 'cf.example'",
            id="URL",
        ),
        pytest.param(
            "serve --flows leads.yaml --host 192.0.2.1 --no-pages",
            BOTH,
            2,
            "cannot listen on 192.0.2.1:8080",
            id="address",
        ),
        pytest.param(
            "serve --flows leads.yaml --host 192.0.2.1",
            BOTH,
            2,
            "there is no password: set CHATFORGE_PASSWORD",
            id="password",
        ),
        pytest.param("serve --flows leads.yaml --port 70000", BOTH, 2, "Invalid value for '--port'", id="port"),
        pytest.param(
            "run leads.yaml",
            BOTH | {"CHATFORGE_DATABASE_URL": "sqlite:////proc/x/y"},
            1,
            "the database /proc/x/y cannot be used",
            id="folder",
        ),
        pytest.param(
            "runs list",
            {"CHATFORGE_DATABASE_URL": "mysql://u:for_tests@h/d"},
            2,
            "CHATFORGE_DATABASE_URL is 'mysql://",
            id="database URL",
        ),
        pytest.param("runs list", {}, 1, "there is no database at", id="no database yet"),
        pytest.param(
            "run leads.yaml --input @nope.json", BOTH, 2, "the file 'nope.json' cannot be read", id="no input file"
        ),
        pytest.param(
            "run leads.yaml --input {} --set x=y", BOTH, 2, "--set changes the sample, and --input gives", id="both"
        ),
        pytest.param(
            "run leads.yaml --input {", BOTH, 2, "--input: this is not JSON, at line 1", id="input is not JSON"
        ),
        pytest.param(
            'run leads.yaml --input {"event":"x"}', BOTH, 1, "the event started nothing", id="input is not wanted"
        ),
        pytest.param("run polled.yaml --input {", BOTH, 2, "--input: this is not JSON", id="polled input is not JSON"),
        pytest.param("run polled.yaml --input [7]", BOTH, 2, "--input: expected a JSON object", id="no object"),
        pytest.param("run polled.yaml", {}, 2, "set CHATFORGE_API_KEY", id="polled without a key"),
        pytest.param("send-event x --set y", SECRET, 2, "--set 'y': expected PATH=VALUE", id="--set"),
        pytest.param("send-event x --to localhost", SECRET, 2, "--to is 'localhost'", id="--to"),
        pytest.param(
            "send-event x --to http://127.0.0.1:9/x",
            SECRET,
            4,
            "cannot reach 127.0.0.1:9: connection refused",
            id="nobody there",
        ),
        pytest.param("sandbox --webhook-url localhost", {}, 2, "--webhook-url is 'localhost'", id="--webhook-url"),
    ],
)
def test_wrong_use_gets_one_sentence(chatforge, flow, tmp_path, arguments, environment, code, sentence):
    (tmp_path / ".git").mkdir()
    (tmp_path / "polled.yaml").write_text(POLLED)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "lead.yaml").write_text(POLLED)
    result = chatforge(*arguments.split(), **environment)
    assert sentence in result.error
    assert result.code == code
    assert result.error.count("\n") == 1
    assert not result.out
    assert "for_tests" not in result.error


@pytest.mark.parametrize("command", ["serve --flows leads.yaml", "sandbox"])
def test_busy_port_is_named(chatforge, flow, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = chatforge(*command.split(), "--port", str(port), **BOTH)
    assert result.code == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.error


def ended(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as ending:
        run(arguments)
    return int(str(ending.value.code))


def test_every_command_has_help_in_the_order_of_the_overview(capsys):
    assert ended([]) == 0
    listed = re.findall(r"^  ([a-z-]+)  ", capsys.readouterr().out.partition("Commands:")[2], re.MULTILINE)
    assert listed == [
        *("demo", "init", "check", "explain", "graph", "schema", "test", "run", "serve", "listen", "backfill", "runs"),
        *("events", "polls", "drift", "forget", "db", "list", "show", "call", "agents", "manifest", "export"),
        *("mcp", "new-plugin", "doctor", "send-event", "sandbox"),
    ]
    inner = ("runs list", "runs show", "runs approve", "runs export", "events list", "events show", "events resend")
    inner += ("agents pull", "agents apply")
    for command in (*listed, *inner):
        assert ended([*command.split(), "--help"]) == 0
        assert f"Usage: chatforge {command} " in capsys.readouterr().out


def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """All commands below it, by the words that call them."""
    for word, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, f"{name} {word}")
    if not hasattr(command, "commands"):
        yield name, command


def test_help_of_every_command_has_an_example_of_it():
    commands = dict(walk(get_command(app), "chatforge"))
    assert len(commands) > 30
    assert [name for name, command in commands.items() if f"\nExample: {name}" not in command.help] == []


@pytest.mark.parametrize(
    "arguments", [["x" * 5000], ["check", "x" * 5000], ["run", "x" * 5000]], ids=["command", "flows", "flow"]
)
def test_long_argument_is_cut_where_it_is_quoted(capsys, arguments):
    assert ended(arguments) == 2
    assert len(capsys.readouterr().err) < 500


def test_flow_that_is_a_device_is_not_read():
    with pytest.raises(UsageError, match="the flow '/dev/null' cannot be read: it is neither a file nor a pipe"):
        check_files([Path("/dev/null")], lambda _: Catalogue({}, {}))


def test_flow_that_is_too_large_is_told_by_the_checker(tmp_path):
    path = tmp_path / "large.yaml"
    path.write_bytes(b" " * (MAX_BYTES + 1))
    [(_, checked)] = check_files([path], lambda _: Catalogue({}, {}))
    [problem] = checked.problems
    assert problem.message == "the file is larger than 256 KiB"


FULL = "error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["--help"]], ids=" ".join)
def test_full_output_gets_one_sentence(arguments, unbuffered):
    with open("/dev/full", "w") as full:
        result = started(arguments, full, PYTHONUNBUFFERED=unbuffered)
    assert (result.returncode, result.stderr) == (1, FULL)


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"]], ids=" ".join)
def test_reader_that_has_left_ends_a_command_quietly(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as left:
        result = started(arguments, left)
    assert (result.returncode, result.stderr) == (1, "")


def test_characters_that_the_output_lacks_are_escaped():
    result = started(["manifest"], subprocess.PIPE, PYTHONUTF8="0", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Dashboard \\u2192 Integrations" in result.stdout


def started(arguments: list[str], output: Any, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "connector", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
