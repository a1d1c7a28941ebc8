"""A file that is damaged while nobody looks."""

import asyncio
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from runs.test_migrations import load

from connector.errors import StoreError
from connector.runs.store import Store
from connector.runs.upkeep.integrity import Integrity
from connector.server.readiness import Readiness
from connector.upkeep import Look


def fill(path: Path, rows: int = 2_000) -> None:
    """Some megabytes, all in the tables of the journal."""
    Store(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "INSERT INTO events (id, connector, connection, identity, name, received_at, status, text) "
            "VALUES (?, 'a', 'b', ?, '\"n\"', '2026-03-25T10:00:00Z', 'accepted', ?)",
            ((f"evt_{number:08}", f"{number}", f'"{"x" * 2_000}"') for number in range(rows)),
        )


def damage(path: Path) -> None:
    """Overwrite a page in the middle."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)


def test_sound_database_is_looked_at_once(bench):
    load(bench, "bench-2")

    async def work() -> None:
        integrity = Integrity(bench.database)
        working = asyncio.create_task(integrity.work())
        done, _ = await asyncio.wait([working], timeout=0.5)
        assert not done
        integrity.stop()
        await asyncio.wait_for(working, 5)
        assert integrity.damage is None

    asyncio.run(work())


def test_damage_ends_the_work_and_is_what_probes_are_told(tmp_path, caplog):
    path = tmp_path / "runs.sqlite"
    fill(path)
    damage(path)

    async def work() -> None:
        store, integrity = Store(path), Integrity(path)  # it opens all the same
        resting = asyncio.create_task(asyncio.sleep(60))
        readiness = Readiness(resting, store, integrity)
        assert await readiness.fault() is None
        with pytest.raises(StoreError, match=r"runs\.sqlite is damaged: .+; restore it from a backup") as caught:
            await asyncio.wait_for(integrity.work(), 20)
        assert await readiness.fault() == str(caught.value)
        assert caplog.text.count("is damaged: ") == 1
        resting.cancel()
        store.close()

    asyncio.run(work())


def test_look_is_ended_in_the_middle(tmp_path):
    path = tmp_path / "runs.sqlite"
    fill(path, 50_000)
    started = time.monotonic()
    assert Look(path).run() is None
    whole = time.monotonic() - started
    one = Look(path)
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(one.run()))
    started = time.monotonic()
    thread.start()
    time.sleep(whole / 10)
    one.stop()
    thread.join()
    assert found == [None]
    assert time.monotonic() - started < whole
    one.stop()


def test_file_that_cannot_be_read_now_is_no_damage(tmp_path, caplog):
    async def work() -> None:
        integrity = Integrity(tmp_path / "nothing.sqlite")
        working = asyncio.create_task(integrity.work())
        await asyncio.sleep(0.2)
        integrity.stop()
        await asyncio.wait_for(working, 5)
        assert integrity.damage is None

    asyncio.run(work())
    assert "it could not be seen whether the database is sound" in caplog.text
