"""A shell is offered what an argument may be, and nothing where that cannot be known."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from runs.test_migrations import script
from typer.main import get_command

from connector.cli import completion
from connector.cli.app import app


@pytest.fixture
def offered(chatforge, tmp_path):
    """offered("runs", "show", "") → what the last word may become; the folder has a database and flows."""
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
        connection.executescript(script("bench-2"))
    (tmp_path / "flows").mkdir()
    for name in ("leads.yaml", "leads.test.yaml", "connections.yaml", "l;touch x;#.yaml", "l\\$(id).yaml"):
        (tmp_path / "flows" / name).touch()

    def complete(*words: str, **environment: str) -> list[str]:
        told = {"COMP_WORDS": " ".join(["chatforge", *words]), "COMP_CWORD": str(len(words))}
        result = chatforge(_CHATFORGE_COMPLETE="complete_bash", **told, **environment)
        assert (result.code, result.error) == (0, "")
        return result.out.split()

    return complete


def test_runs_are_offered_newest_first_and_only_those_that_fit(offered, chatforge):
    every = offered("runs", "show", "")
    assert len(every) > 2
    assert every == sorted(every, reverse=True)
    held = offered("runs", "resolve", "")
    assert held
    assert set(held) < set(every)
    assert offered("runs", "show", held[0][:-1]) == held[:1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ru"], ["run", "runs"]),
        (["runs", "canc"], ["cancel"]),
        (["runs", "show", "--j"], ["--json"]),
        (["run", "fl"], ["flows/leads.yaml"]),
        (["test", "flows/"], ["flows/leads.test.yaml"]),
        (["call", "chatforge.in"], ["chatforge.inject_message"]),
        (["show", "chatforge.lead_"], ["chatforge.lead_captured"]),
        (["runs", "list", "--flow", "tr"], ["try"]),
    ],
    ids=" ".join,
)
def test_word_is_completed(offered, words, expected):
    assert offered(*words) == expected


def test_events_are_offered(offered):
    assert all(event.startswith("evt_") for event in offered("events", "resend", "evt_"))
    assert offered("events", "show", "evt_")


@pytest.mark.parametrize("url", ["sqlite:///nothing.sqlite", "sqlite:///flows/leads.yaml", "nonsense"])
def test_nothing_is_offered_without_a_database(offered, url):
    assert offered("runs", "show", "", CHATFORGE_DATABASE_URL=url) == []
    assert offered("runs", "list", "--flow", "", CHATFORGE_DATABASE_URL=url) == []


@pytest.mark.parametrize("words", [*completion.ARGUMENTS], ids=" ".join)
def test_completed_argument_is_the_first_of_a_command(words):
    command = get_command(app)
    for word in words:
        command = command.commands[word]
    assert [param for param in command.params if param.param_type_name == "argument"]


def test_bash_asks_the_command(offered, tmp_path):
    shown = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 chatforge --show-completion bash"
    ask = 'COMP_WORDS=(chatforge runs canc); COMP_CWORD=2; _chatforge_completion chatforge; echo "${COMPREPLY[@]}"'
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    result = subprocess.run(
        [str(shutil.which("bash")), "--norc", "-c", f'eval "$({shown})"; {ask}'],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.stdout, result.stderr) == ("cancel\n", "")
