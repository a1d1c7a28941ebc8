"""A sandbox with a database, started again; and files that are none."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest

from connector.sandbox import API_KEY, OTHER_AGENT_ID, OTHER_API_KEY, SandboxSettings, StorageError
from connector.sandbox.server import running
from connector.sandbox.storage import SqliteStorage

START = datetime(2026, 3, 25, 10, 0, tzinfo=UTC)
FOREGROUND = """
import sys
from pathlib import Path
from connector.sandbox import SandboxSettings
from connector.sandbox.server import serve
serve(SandboxSettings(db=Path(sys.argv[1])), started=lambda sandbox: print(sandbox.url, flush=True))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sandbox.db"


@pytest.fixture
def http():
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture
def ask(http):
    """ask(sandbox, method, action, …) → the JSON of the answer, which is 2xx."""

    def ask_api(sandbox, method, action, body=None, key=API_KEY, **query):
        params = {"action": action, "agent_id": sandbox.agent_id, **query}
        response = http.request(
            method, sandbox.url, params=params, json=body, headers={"Authorization": f"Bearer {key}"}
        )
        assert response.is_success, response.text
        return response.json()

    return ask_api


@pytest.fixture
def control(http):
    """control(sandbox, method, path, body) → the JSON of a control endpoint's answer, which is 2xx."""

    def ask_control(sandbox, method, path, body=None):
        content = None if body is None else json.dumps(body)
        response = http.request(method, f"{sandbox.control_url}{path}", content=content)
        assert response.is_success, response.text
        return response.json()

    return ask_control


def test_agents_chats_leads_and_effects_survive_a_restart(path, ask, control):
    def look(sandbox):
        lists = [ask(sandbox, "GET", f"v1-{name}") for name in ("agents", "agent", "conversations", "leads")]
        chats = [control(sandbox, "GET", f"/conversations/{story['conversation_id']}") for story in stories]
        return lists, chats, control(sandbox, "GET", "/effects"), ask(sandbox, "GET", "v1-analytics")

    settings = SandboxSettings(db=path)
    with running(settings) as sandbox:
        visitor = {"visitor_name": "Ann \ud83d \u0000", "messages": ["Hello"], "created_at": "2026-03-25T10:00:00.5Z"}
        stories = [control(sandbox, "POST", "/visitors", visitor) for _ in range(3)]
        message = {"conversation_id": stories[0]["conversation_id"], "content": "Hi"}
        ask(sandbox, "POST", "v1-message", message)
        ask(sandbox, "POST", "v1-agents", {"name": "Ann"})
        ask(sandbox, "PUT", "v1-agent", {"system_prompt": "Be kind."})
        control(sandbox, "POST", f"/conversations/{stories[1]['conversation_id']}/close")
        before = look(sandbox)
    with running(settings) as sandbox:
        assert look(sandbox) == before
        ask(sandbox, "POST", "v1-message", message)
        assert [effect["sequence"] for effect in control(sandbox, "GET", "/effects")["effects"]] == [1, 2, 3, 4]


def test_what_was_deleted_stays_away(path, ask, control):
    settings = SandboxSettings(db=path)
    with running(settings) as sandbox:
        control(sandbox, "POST", "/visitors", {})
        kept = ask(sandbox, "POST", "v1-agents", {"name": "Ann"})["agent"]["id"]
        ask(sandbox, "DELETE", "v1-agent")
    with running(settings) as sandbox:
        assert [agent["id"] for agent in ask(sandbox, "GET", "v1-agents")["agents"]] == [kept]
        assert (sandbox.account.conversations, sandbox.account.leads) == ({}, {})


def test_the_other_account_survives_on_its_own(path, ask, control):
    settings = SandboxSettings(db=path)
    with running(settings) as sandbox:
        story = control(sandbox, "POST", "/visitors", {"agent_id": OTHER_AGENT_ID})
    with running(settings) as sandbox:
        leads = ask(sandbox, "GET", "v1-leads", key=OTHER_API_KEY, agent_id=OTHER_AGENT_ID)["leads"]
        assert [lead["id"] for lead in leads] == [story["lead_id"]]
        assert ask(sandbox, "GET", "v1-leads")["leads"] == []


def test_what_was_answered_survives_a_kill(path, http, ask):
    command = [sys.executable, "-c", FOREGROUND, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = httpx.URL(process.stdout.readline().strip())
        headers = {"Authorization": f"Bearer {API_KEY}"}
        query = {"action": "v1-agents"}
        created = http.post(url, params=query, json={"name": "Ann"}, headers=headers).json()
        process.send_signal(signal.SIGKILL)
    with running(SandboxSettings(db=path)) as sandbox:
        assert created["agent"]["id"] in [agent["id"] for agent in ask(sandbox, "GET", "v1-agents")["agents"]]
        assert len(sandbox.effects.entries) == 1


def test_a_change_of_an_agent_does_not_move_it_in_the_list(path, ask):
    settings = SandboxSettings(db=path, list_order="oldest_first")
    with running(settings, clock=lambda: START) as sandbox:
        for name in ("Ann", "Cal"):
            ask(sandbox, "POST", "v1-agents", {"name": name})
        ask(sandbox, "PUT", "v1-agent", {"name": "First"})
    with running(settings, clock=lambda: START) as sandbox:
        assert [agent["name"] for agent in ask(sandbox, "GET", "v1-agents")["agents"]] == ["First", "Ann", "Cal"]


def test_changes_of_a_commit_that_failed_last_with_the_next(path):
    with closing(SqliteStorage(path)) as storage:
        storage.put("first", "agents", "0", "old")
        storage.commit()
        storage.put("first", "agents", "1", "new")
        storage.remove("first", "agents", "0")
        storage.put("first", "agents", "2", object())
        with pytest.raises(TypeError, match="object cannot be kept"):
            storage.commit()
        assert storage.load("first", "agents") == ["old"]
        storage.put("first", "agents", "2", "repaired")
        storage.commit()
        assert storage.load("first", "agents") == ["new", "repaired"]


def test_what_was_committed_is_not_written_again(path):
    with closing(SqliteStorage(path)) as storage:
        item = ["old"]
        storage.put("first", "agents", "0", item)
        storage.commit()
        item.append("new")
        storage.put("first", "agents", "1", [])
        storage.commit()
        assert storage.load("first", "agents") == [["old"], []]


def make_foreign(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()


def make_unreadable(path):
    with running(SandboxSettings(db=path)):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("""UPDATE documents SET body = '{"id": 1}' WHERE kind = 'agents'""")
    connection.close()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_text("a letter to Ann, who keeps no databases"), "it is no database"),
        (make_foreign, "it is a database of another program"),
        (make_unreadable, "holds what this version cannot read"),
        (os.mkdir, "unable to open database file"),
    ],
    ids=["text", "foreign", "unreadable", "folder"],
)
def test_a_file_that_is_no_such_database_is_named_and_left_alone(path, make, reason):
    make(path)
    before = path.read_bytes() if path.is_file() else None
    errors = []
    for _ in range(2):  # the first one leaves it unlocked
        with pytest.raises(StorageError, match=reason) as caught:
            running(SandboxSettings(db=path)).__enter__()
        errors.append(caught.value)
    assert all(repr(str(path)) in str(error) for error in errors)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_an_empty_file_becomes_a_database(path, ask):
    path.touch()
    with running(SandboxSettings(db=path)) as sandbox:
        assert len(ask(sandbox, "GET", "v1-agents")["agents"]) == 1


def test_a_database_serves_one_sandbox_at_a_time(path):
    settings = SandboxSettings(db=path)
    with running(settings), pytest.raises(StorageError, match="another sandbox uses it"):
        running(settings).__enter__()
