"""Databases that earlier versions made, by running; `data` holds what was in them."""

import asyncio
import re
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import postgres
import pytest
from runs.conftest import ON_A_FILE, later

from connector import engines
from connector.database import PostgresUrl
from connector.errors import StoreError
from connector.runs.decisions import answers
from connector.runs.decisions.answers import Answer
from connector.runs.store import Store
from connector.runs.upkeep.migrations import SCHEMA, VERSION, find_version, upgrade
from connector.sqlite import open_memory

DATA = Path(__file__).parent / "data"
EARLIER = sorted(path.stem for path in DATA.glob("*.sql"))


def script(name: str) -> str:
    return (DATA / f"{name}.sql").read_text()


def load(bench, name: str) -> None:
    if isinstance(bench.database, PostgresUrl):
        for statement in re.split(r";\n", script(name)):
            lines = [line for line in statement.splitlines() if not line.startswith("--")]
            if "".join(lines).strip():
                postgres.change(bench.database, "\n".join(lines).strip())
        return
    with closing(sqlite3.connect(bench.database)) as connection:
        connection.executescript(script(name))


def shape(connection: sqlite3.Connection) -> dict[str, object]:
    """Columns, what they refer to, conditions and indexes; columns that were added stand in another order."""
    tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    found: dict[str, object] = {}
    for name, sql in tables:
        columns = {tuple(row)[1:] for row in connection.execute(f"PRAGMA table_info({name})")}
        references = {tuple(row)[2:] for row in connection.execute(f"PRAGMA foreign_key_list({name})")}
        conditions = Counter(re.findall(r"CHECK \((.*)\)", " ".join(sql.split()).replace(", CHECK", "\nCHECK")))
        found[name] = columns, references, conditions, "WITHOUT ROWID" in sql
    indexes = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
    return found | {"indexes": {(row["name"], row["sql"]) for row in indexes}}


@pytest.mark.parametrize("name", EARLIER)
def test_database_of_an_earlier_version_becomes_like_a_new_one(name):
    fresh, earlier = open_memory(SCHEMA), open_memory(script(name))
    assert upgrade(Path(), earlier) == int(name[-1])
    assert shape(earlier) == shape(fresh)
    assert earlier.execute("PRAGMA foreign_key_check").fetchall() == []
    assert upgrade(Path(), earlier) == VERSION


def test_database_of_a_later_version_is_left_alone(bench):
    engines.write(bench.database, lambda opened: upgrade(bench.database, opened))
    bench.change("UPDATE schema_version SET version = 99")
    with pytest.raises(StoreError, match="version 99, made by a later chatforge; this one knows versions up to"):
        engines.write(bench.database, lambda opened: upgrade(bench.database, opened))


def test_database_of_an_earlier_version_is_left_to_the_process_that_executes_it(bench):
    load(bench, "bench-2")
    with pytest.raises(
        StoreError, match=rf"has version 2 and not {VERSION}, .*; bring it up to this one: chatforge db"
    ):
        Store(bench.database, executes=False)
    Store(bench.database).close()
    Store(bench.database, executes=False).close()


@pytest.mark.parametrize("table", ["events", "customers"])
def test_database_of_another_program_is_left_alone(bench, table):
    bench.change(f"CREATE TABLE {table} (name TEXT)")
    if table == "customers" and isinstance(bench.database, PostgresUrl):
        Store(bench.database).close()  # a schema may be shared
        return
    with pytest.raises(StoreError, match=f"is another program's: it has the table {table}; name another database"):
        Store(bench.database)
    assert bench.look(lambda opened: engines.table_names(bench.database, opened)) == {table}


async def go_on(bench) -> dict[str, list[str]]:
    """Let the runs go on to their end, and answer what they ask."""
    async with bench.working() as (store, _, worker):
        runs = store.read(lambda journal: journal.runs(100))
        asked = [run for run in reversed(runs) if run.flow in ("ask", "lane") and not run.finished_at]
        for run in asked:
            await store.write(answers.give, run.id, "ask", Answer(True, "ann", bench.now, {}))
        for run in reversed(runs):
            if run.status != "held":
                await asyncio.wait_for(bench.finish(store, worker, run.id), 20)
        ended: dict[str, list[str]] = {}
        for run in store.read(lambda journal: journal.runs(100)):
            ended.setdefault(run.flow, []).append(run.status)
        return ended


def check_runs_go_on(bench, name: str) -> None:
    load(bench, name)
    bench.now = later(hours=1)
    ended = asyncio.run(go_on(bench))
    assert ended == {
        "ask": ["succeeded"] * 2,
        "say": ["succeeded", "held"],
        "try": ["succeeded"],
        "lane": ["succeeded"] * 3,
    }
    said = [text for action, text, _ in bench.calls if action == "say" and text.startswith("to lane")]
    assert said == ["to lane 1", "to lane 2", "to lane 3"]
    assert Counter(bench.calls).most_common(1)[0][1] == 1
    texts = [text for _, text, _ in bench.calls]
    assert "to done" not in texts
    assert bench.look(lambda opened: find_version(opened, engines.columns_of(bench.database, opened))) == VERSION


@ON_A_FILE
def test_runs_of_a_database_without_a_version_go_on(bench):
    check_runs_go_on(bench, "bench-1")


def test_runs_of_an_earlier_database_go_on(bench):
    check_runs_go_on(bench, "bench-2")


def test_database_without_its_version_is_refused_in_one_sentence(bench):
    bench.run(bench.flow("- {id: look, uses: test.look}"))
    bench.change("DELETE FROM schema_version")
    with pytest.raises(StoreError, match="does not say which version it has; restore it from a backup"):
        Store(bench.database)
