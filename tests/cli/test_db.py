"""`chatforge db`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import postgres
import pytest
from runs.test_migrations import script

from connector import engines
from connector.database import PostgresUrl
from connector.runs.upkeep.migrations import VERSION

FLOW = """
trigger: {uses: chatforge.lead_captured, with: {agent_id: AGENT, every: 1s}}
steps:
  - {id: contact, uses: contacts.upsert, with: {email: "${{ trigger.visitor_email ?? 'nobody' }}"}}
"""
ASK = """
inputs: {email: {type: str}}
steps:
  - {id: ask, approve: {title: Greet?, timeout: 1d}}
"""


@pytest.fixture
def url(postgres_server):
    with postgres.schema(postgres_server) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
def address(request, tmp_path) -> tuple[str, engines.Address]:
    """Of a database that holds what an earlier version has left."""
    if request.param == "sqlite":
        with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as connection:
            connection.executescript(script("bench-2"))
        return "sqlite:///runs.sqlite", tmp_path / "runs.sqlite"
    url = request.getfixturevalue("url")
    for statement in script("bench-2").split(";\n"):
        lines = [line for line in statement.splitlines() if not line.startswith("--")]
        if lines:
            postgres.change(url, "\n".join(lines))
    return url.url, url


def change(address: engines.Address, statement: str) -> None:
    if isinstance(address, PostgresUrl):
        return postgres.change(address, statement)
    with closing(sqlite3.connect(address)) as connection, connection:
        connection.execute(statement)
    return None


def words(text: str) -> str:
    return " ".join(text.split())


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir() if path.is_file()}


def test_upgrade_says_from_which_version_to_which(chatforge, address):
    url, where = address
    first, second = (chatforge("db", "upgrade", CHATFORGE_DATABASE_URL=url) for _ in range(2))
    anew = "it was written anew, so that it shrinks when old runs are removed\n" if isinstance(where, Path) else ""
    assert (first.code, first.out) == (0, f"{where} had version 2, and has version {VERSION} now\n{anew}")
    assert (second.code, second.out) == (0, f"{where} has version {VERSION}, and needs no upgrade\n")


def test_upgrade_of_a_database_in_use_or_of_a_later_version_is_refused(chatforge, address):
    url, where = address
    with engines.exclusive(where):
        result = chatforge("db", "upgrade", CHATFORGE_DATABASE_URL=url)
    assert result.code == 1
    assert "is in use by another chatforge process" in result.error
    change(where, "UPDATE schema_version SET version = 99")
    result = chatforge("db", "upgrade", CHATFORGE_DATABASE_URL=url)
    assert (result.code, result.out) == (1, "")
    assert "install the later one again" in result.error


@pytest.mark.parametrize(
    "command", [["upgrade"], ["check"], ["copy", "URL", "sqlite:///new.sqlite"]], ids=lambda c: c[0]
)
def test_database_that_is_not_there_is_not_made(chatforge, url, tmp_path, command):
    for one in (url.url, "sqlite:///nothing.sqlite"):
        arguments = [argument.replace("URL", one) for argument in command]
        result = chatforge("db", *arguments, CHATFORGE_DATABASE_URL=one)
        assert result.code == 1
        assert result.error.startswith("error: there is no ")
        assert list(tmp_path.iterdir()) == []


def test_check_of_a_sound_database_changes_nothing(chatforge, address, tmp_path):
    url, where = address
    chatforge("db", "upgrade", CHATFORGE_DATABASE_URL=url)
    before = state(tmp_path)
    result = chatforge("db", "check", CHATFORGE_DATABASE_URL=url)
    assert (result.code, result.error) == (0, "")
    shown = words(result.out)
    assert shown.startswith(f"database {where}, ")
    for line in (
        f"version {VERSION}, that of this program",
        "runs 8 rows can be read",
        "steps 5 rows",
        "events 8 rows",
    ):
        assert line in shown
    assert state(tmp_path) == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE runs SET trigger = '{' WHERE flow = 'ask'", "runs the row with id 'run_"),
        ("UPDATE steps SET output = '{' WHERE step = 'after'", "step 'after' is damaged; restore the database from"),
        ("UPDATE events SET received_at = 'soon'", "events the row with id 'evt_"),
        ("UPDATE attempts SET error = 'oops'", "attempts the row with run_id 'run_"),
        ("DROP TABLE schedules", "tables schedules is missing; restore the database from a backup"),
        ("ALTER TABLE polls DROP COLUMN due_at", "tables polls.due_at is missing"),
        (
            "UPDATE schema_version SET version = 2",
            f"version 2, while this program has {VERSION}: an earlier chatforge made it",
        ),
        (
            "UPDATE schema_version SET version = 99",
            f"version 99, while this program has {VERSION}: a later chatforge made it",
        ),
    ],
    ids=["a run", "a step", "events", "attempts", "a table", "a column", "an earlier version", "a later version"],
)
def test_check_names_what_is_wrong(chatforge, address, statement, said):
    url, where = address
    chatforge("db", "upgrade", CHATFORGE_DATABASE_URL=url)
    change(where, statement)
    result = chatforge("db", "check", CHATFORGE_DATABASE_URL=url)
    assert result.code == 1
    assert said in words(result.out)


def test_check_finds_a_damaged_page_and_rows_that_refer_to_nothing(chatforge, address, tmp_path):
    _, where = address
    if isinstance(where, PostgresUrl):
        pytest.skip("its server looks after that")
    chatforge("db", "upgrade")
    change(where, "DELETE FROM events WHERE id IN (SELECT event_id FROM runs WHERE flow = 'try')")
    assert "1 rows of runs refer to rows of events that are missing" in words(chatforge("db", "check").out)
    with where.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)
    result = chatforge("db", "check")
    assert result.code == 1
    assert "restore" in result.out + result.error


def test_check_beside_a_server_reads_what_it_writes(scene):
    scene.write_flow(FLOW.replace("AGENT", scene.sandbox.agent_id))
    with scene.serving():
        scene.visit()
        scene.wait_for(lambda: [run.status for run in scene.runs()] == ["succeeded"])
        assert "runs 1 rows can be read" in words(scene("db", "check").out)


def test_copied_database_is_served_and_its_polls_go_on(scene, url, tmp_path):
    """There and back."""
    scene.write_flow(FLOW.replace("AGENT", scene.sandbox.agent_id))
    ask = scene.write_flow(ASK, "ask")
    scene.fill(3)
    with scene.serving():
        scene.wait_for(scene.is_swept)
        scene.visit("first@example.com")
        scene.wait_for(lambda: [run.status for run in scene.runs()] == ["succeeded"])
        run = scene.start("run", str(ask), "--set", "email=ann@example.com")
        [asked] = scene.wait_for(lambda: [run.id for run in scene.runs() if run.status == "waiting"])
        run.kill()
        run.communicate(timeout=20)
        refused = scene("db", "copy", "sqlite:///runs.sqlite", url.url)
    assert (refused.code, "is in use by another chatforge process" in refused.error) == (1, True)

    copied = scene("db", "copy", "sqlite:///runs.sqlite", url.url)
    assert copied.code == 0, copied.error
    assert f"rows copied to {url}\n" in copied.out
    assert "runs 2 " in words(copied.out)
    scene.sandbox.webhook_url = None
    there = {"CHATFORGE_DATABASE_URL": url.url}
    with scene.serving(**there):
        assert scene("runs", "approve", asked, **there).code == 0
        scene.visit("second@example.com", webhook=False)
        scene.wait_for(lambda: scene("runs", "list", **there).out.count("succeeded") == 3)

    back = scene("db", "copy", url.url, "sqlite:///back.sqlite")
    assert back.code == 0, back.error
    again = {"CHATFORGE_DATABASE_URL": "sqlite:///back.sqlite"}
    with scene.serving(**again):
        scene.visit("third@example.com", webhook=False)
        scene.wait_for(lambda: scene("runs", "list", **again).out.count("succeeded") == 4)
    assert scene("runs", "list", **again).out.count("run_") == 4


def test_copy_to_the_same_place_or_to_no_database_is_refused(chatforge):
    for source, target, said in (
        ("sqlite:///x.sqlite", "runs.sqlite", "TO is 'runs.sqlite': expected sqlite:///PATH"),
        ("mysql://u:canary@h/d", "sqlite:///x.sqlite", "FROM is 'mysql://…@h/d': expected sqlite:///PATH"),
    ):
        result = chatforge("db", "copy", source, target)
        assert result.code == 2
        assert said in result.error
        assert "canary" not in result.error


def test_copy_to_the_same_database_is_refused(chatforge, address):
    url, where = address
    chatforge("db", "upgrade", CHATFORGE_DATABASE_URL=url)
    other = f"sqlite:///{where}" if isinstance(where, Path) else f"{url}&application_name=x"
    result = chatforge("db", "copy", url, other)
    assert result.code == 2
    assert f"FROM and TO are the same database, {where}; name another one to copy to" in result.error


@pytest.mark.parametrize("place", ["FROM", "TO"])
def test_password_of_a_database_is_never_shown(chatforge, address, place):
    url, _ = address
    chatforge("db", "upgrade", CHATFORGE_DATABASE_URL=url)
    secret = "postgresql://ann:canary@127.0.0.1:1/db"
    pair = (secret, url) if place == "FROM" else (url, secret)
    result = chatforge("--debug", "db", "copy", *pair)
    assert result.code == 1
    assert "postgresql://127.0.0.1:1/db cannot be used" in words(result.error)
    assert "canary" not in result.out + result.error


def test_what_was_removed_is_said_of_its_run_and_its_event(chatforge, address):
    url, where = address
    chatforge("db", "upgrade", CHATFORGE_DATABASE_URL=url)
    change(where, "UPDATE events SET text = 'null'")
    [event, *_] = engines.read(where, lambda opened: [row["id"] for row in opened.execute("SELECT id FROM events")])
    shown = chatforge("events", "show", event, CHATFORGE_DATABASE_URL=url)
    assert "its content was removed, as it was kept long enough" in shown.out
    assert '"body": null' in chatforge("events", "show", event, "--json", CHATFORGE_DATABASE_URL=url).out
    gone = chatforge("runs", "show", "run_gone", CHATFORGE_DATABASE_URL=url)
    assert gone.code == 2
    assert "there is no run 'run_gone': it was removed, or never was there; see: chatforge runs list" in gone.error
