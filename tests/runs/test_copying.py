"""A journal that goes on in another database."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import hostile
import postgres
import pytest
from runs.conftest import ON_A_FILE, Bench, later
from runs.driving import until_status
from runs.test_migrations import load

from connector import engines
from connector.database import PostgresUrl
from connector.errors import ServerError, StoreError
from connector.runs.polling import lists
from connector.runs.polling.watches import Poll
from connector.runs.upkeep.copying import Copying
from connector.runs.upkeep.tables import all_tables, is_empty, read_parts

SAY = """
- {id: say, uses: test.say, with: {text: "${{ trigger.name ?? 'x' }}"}}
"""
WAIT = """
- {id: pause, wait: 10m}
- {id: say, uses: test.say, with: {text: "${{ trigger.name ?? 'x' }}"}}
"""
LOST = ServerError("500", processed="unknown", transient=True)


@pytest.fixture(params=["sqlite", "postgres"])
def target(request, tmp_path) -> Iterator[engines.Address]:
    if request.param == "sqlite":
        yield tmp_path / "target" / "runs.sqlite"
        return
    with postgres.schema(request.getfixturevalue("postgres_server")) as url:
        yield url


def copy(bench: Bench, target: engines.Address) -> dict[str, int]:
    with engines.exclusive(bench.database), engines.exclusive(target) as hold:
        return dict(Copying(bench.database, target).copy(hold))


def content(address: engines.Address) -> dict[str, list[dict[str, object]]]:
    def read(connection):
        return {
            table.name: [
                {key: row[key] for key in table.columns} for part in read_parts(connection, table) for row in part
            ]
            for table in all_tables()
        }

    return engines.read(address, read)


def is_untouched(address: engines.Address) -> bool:
    """Whether there is nothing in it: no table, or none with a row."""
    return not engines.exists(address) or engines.read(
        address,
        lambda opened: all(
            is_empty(opened, table) for table in all_tables() if engines.columns_of(address, opened)(table.name)
        ),
    )


async def work(bench: Bench) -> None:
    """A run that is held, hostile ones that have succeeded, one that waits, and one that is queued."""
    say, wait = bench.flow(SAY, name="say"), bench.flow(WAIT, name="wait")
    bench.answers["say"] = [LOST]
    async with bench.working(say) as (store, intake, worker):
        for name in ("held", *hostile.TEXTS):
            [start] = (await intake.accept(bench.delivery(name=name))).starts
            await worker.finish([start.run_id])
    async with bench.working(wait) as (store, intake, worker):
        working = asyncio.create_task(worker.work())
        [start] = (await intake.accept(bench.delivery(name="waited"))).starts
        await until_status(store, start.run_id, "waiting")
        worker.stop()
        await working
    async with bench.working(say) as (store, intake, worker):
        await intake.accept(bench.delivery("again", name="queued"))
    for number in (1, 5):
        bench.change(
            "INSERT INTO polls (id, connector, connection, list, partition) VALUES (?, 'a', 'b', 'c', ?)",
            (number, f'"{number}"'),
        )


async def go_on(bench: Bench) -> list[str]:
    """How the runs end; the queued one's event comes again before."""
    async with bench.working(bench.flow(SAY, name="say")) as (store, intake, worker):
        assert not (await intake.accept(bench.delivery("again", name="queued"))).new
        for run in store.read(lambda journal: journal.runs(100)):
            if run.status in ("queued", "waiting"):
                await asyncio.wait_for(bench.finish(store, worker, run.id), 20)
        return [run.status for run in store.read(lambda journal: journal.runs(100))]


def test_copied_database_has_the_same_rows_and_its_runs_go_on(bench, target):
    asyncio.run(work(bench))
    before = content(bench.database)
    copied = copy(bench, target)
    assert content(target) == content(bench.database) == before
    assert copied == {table: len(rows) for table, rows in before.items()}
    assert copied["runs"] == len(hostile.TEXTS) + 3

    there = replace(bench, database=target, calls=[], now=later(hours=1))
    assert sorted(asyncio.run(go_on(there))) == ["held", *["succeeded"] * (len(hostile.TEXTS) + 2)]
    assert sorted(text for _, text, _ in there.calls) == ["queued", "waited"]


def test_next_number_of_a_copied_table_is_behind_the_last_one(bench, target):
    asyncio.run(work(bench))
    copy(bench, target)

    class Watch:
        key = ("a", "b", "leads")

    assert engines.write(target, lambda opened: lists.open_poll(opened, Watch, "new")) == Poll(6, "new")


def test_tables_without_rows_are_copied_too(bench, target):
    async def make() -> None:
        async with bench.working():
            pass

    asyncio.run(make())
    assert set(copy(bench, target).values()) == {0}
    engines.write(target, lambda opened: lists.open_poll(opened, type("Watch", (), {"key": ("a", "b", "c")}), "new"))


def test_copy_into_a_database_that_holds_something_is_refused(bench, target):
    asyncio.run(work(bench))
    copy(bench, target)
    before = content(target)
    with pytest.raises(StoreError, match="is not empty, its table events has rows; name another one to copy to"):
        copy(bench, target)
    assert content(target) == before


_DIE = """
import os, signal, sys
from pathlib import Path
from connector import engines
from connector.database import PostgresUrl
from connector.runs.upkeep.copying import Copying

class Dying(Copying):
    def _copy_table(self, reading, writing, table):
        if table.name == "attempts":
            os.kill(os.getpid(), signal.SIGKILL)
        return Copying._copy_table(self, reading, writing, table)

source, target = (PostgresUrl(one) if one.startswith("postgres") else Path(one) for one in sys.argv[1:])
with engines.exclusive(source), engines.exclusive(target) as hold:
    Dying(source, target).copy(hold)
"""


def test_copy_that_is_killed_leaves_the_new_database_empty_and_can_be_done_again(bench, target):
    asyncio.run(work(bench))
    before = content(bench.database)
    names = [one.url if isinstance(one, PostgresUrl) else str(one) for one in (bench.database, target)]
    assert subprocess.run([sys.executable, "-c", _DIE, *names]).returncode == -9
    assert is_untouched(target)
    assert content(bench.database) == before
    copy(bench, target)
    assert content(target) == before


def test_row_that_the_new_database_refuses_is_named_by_its_table(bench, target):
    asyncio.run(work(bench))
    bench.change("ALTER TABLE steps RENAME TO old")  # a table without the conditions of the other
    bench.change("CREATE TABLE steps AS SELECT * FROM old")
    bench.change("UPDATE steps SET status = 'odd', input = '\"canary\"'")
    with pytest.raises(StoreError, match=r"a row of steps in .* cannot be kept in .*chatforge db check") as caught:
        copy(bench, target)
    assert "canary" not in str(caught.value)
    assert is_untouched(target)


def test_database_of_an_earlier_version_has_to_be_upgraded_before(bench, target):
    load(bench, "bench-2")
    with pytest.raises(StoreError, match=r"has version 2 and not \d+, as an earlier chatforge made it; .* db upgrade"):
        copy(bench, target)
    assert is_untouched(target)


def test_addresses_of_one_database_are_known_as_such(bench, target):
    asyncio.run(work(bench))
    copy(bench, target)
    assert engines.is_same(bench.database, bench.database)
    assert not engines.is_same(bench.database, target)
    if isinstance(bench.database, PostgresUrl):
        assert engines.is_same(bench.database, PostgresUrl(f"{bench.database.url}&application_name=other"))


@ON_A_FILE
def test_names_of_one_file_are_known_as_such(bench, tmp_path):
    asyncio.run(work(bench))
    (tmp_path / "hard.sqlite").hardlink_to(bench.database)
    (tmp_path / "soft.sqlite").symlink_to(bench.database)
    for name in ("hard.sqlite", "soft.sqlite", f"../{tmp_path.name}/runs.sqlite"):
        assert engines.is_same(bench.database, tmp_path / name)
    assert engines.is_same(tmp_path / "a" / ".." / "new.sqlite", tmp_path / "new.sqlite")
    assert not engines.is_same(tmp_path / "new.sqlite", tmp_path / "other.sqlite")
