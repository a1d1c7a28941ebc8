"""The database cannot be used for a while, with runs under way and deliveries coming: nothing acknowledged is lost."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import postgres
import psycopg
import pytest
from crash.flows import CASES
from crash.load import Load
from crash.world import World

from connector.database import PostgresUrl

Trouble = Callable[[World, Any], AbstractContextManager[None]]
_DISTURBED = 6
_OTHERS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)


@contextmanager
def full_disk(world: World, _server: object) -> Iterator[None]:
    """No file of the server may grow beyond a few pages."""
    assert world.child
    with limited([world.child.pid], "32768"):
        yield


@contextmanager
def limited(pids: Sequence[int], size: str) -> Iterator[None]:
    for pid in pids:
        postgres.limit_files(pid, size)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(FileNotFoundError):  # the session has ended
                postgres.limit_files(pid, "unlimited")


@contextmanager
def other_writer(world: World, _server: object) -> Iterator[None]:
    assert isinstance(world.database, Path)
    with closing(sqlite3.connect(world.database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield  # what was begun ends with the connection


@contextmanager
def full_table(world: World, _server: object) -> Iterator[None]:
    """The events fill what the sessions of the server may write of a file."""
    fill = (
        "INSERT INTO events (id, connector, connection, identity, name, received_at, status, text) "
        "SELECT 'evt_0' || n, 'test', 'fill', 'fill ' || n, '\"fill\"', '', 'accepted', repeat('x', 1900) "
        "FROM generate_series(1, 14000) AS n ON CONFLICT DO NOTHING"
    )
    postgres.change(url_of(world), fill)
    with limited(sessions(world), "20000000"):
        yield


@contextmanager
def stopped(world: World, server: postgres.Server) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def crashed(world: World, server: postgres.Server) -> Iterator[None]:
    server.crash()
    try:
        yield
    finally:
        server.start()


@contextmanager
def read_only(world: World, _server: object) -> Iterator[None]:
    """As a server that became a standby."""
    order(world, "ALTER DATABASE postgres SET default_transaction_read_only = on")
    cut(world)
    try:
        yield
    finally:
        order(world, "ALTER DATABASE postgres RESET default_transaction_read_only")
        cut(world)


@contextmanager
def locked(world: World, _server: object) -> Iterator[None]:
    with psycopg.connect(url_of(world).url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('chatforge ' || current_schema()))")
        yield


@contextmanager
def cut_again_and_again(world: World, _server: object) -> Iterator[None]:
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(0.05):
            cut(world)

    with ThreadPoolExecutor(1) as cutters:
        cutting = cutters.submit(work)
        try:
            yield
        finally:
            stopping.set()
    cutting.result()


def cut(world: World) -> None:
    """End the sessions of all others."""
    for pid in sessions(world):
        order(world, f"SELECT pg_terminate_backend({pid})")


def sessions(world: World) -> list[int]:
    return [pid for (pid,) in postgres.ask(url_of(world), _OTHERS)]


def order(world: World, statement: str) -> None:
    url = postgres.with_parameters(url_of(world), options="-cdefault_transaction_read_only=off")
    with psycopg.connect(url.url, autocommit=True) as connection:
        connection.execute(statement)


def url_of(world: World) -> PostgresUrl:
    assert isinstance(world.database, PostgresUrl)
    return world.database


def go_through(world: World, server: Any, trouble: Trouble, seconds: float, *, refuses: bool | None) -> None:
    """Let the trouble last so long while deliveries come. Afterwards all that was acknowledged is done, once."""
    child = world.serve(*CASES)
    world.begin()
    with Load(world, CASES, trouble.__name__, per_second=20) as load:
        time.sleep(0.6)
        with trouble(world, server):
            time.sleep(seconds)
        time.sleep(0.4)
    load.finish()
    assert world.child is child
    assert not child.is_dead
    assert httpx.get(f"{child.address}/readyz").status_code == 200
    assert refuses in (None, load.answers[503] > 0)
    runs = load.require(_DISTURBED, knows_doubts=False).runs
    held = sum(row["status"] == "held" for row in runs.values())
    print(f"{trouble.__name__}: {len(load.told)} deliveries, {load.answers}, {len(runs)} runs, {held} held")


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("trouble", "seconds", "refuses"),
    [
        pytest.param(full_disk, 1, True, id="full"),
        pytest.param(other_writer, 2, False, id="busy"),
        pytest.param(other_writer, 25, True, id="busy for long", marks=pytest.mark.torture),
    ],
)
def test_runs_go_on_when_the_file_can_be_written_again(world, trouble, seconds, refuses):
    go_through(world, None, trouble, seconds, refuses=refuses)


@pytest.mark.parametrize(
    ("trouble", "seconds", "refuses"),
    [
        pytest.param(full_table, 1, True, id="full"),
        pytest.param(locked, 25, True, id="busy for long", marks=pytest.mark.torture),
        pytest.param(read_only, 1, True, id="read-only"),
        pytest.param(stopped, 1, True, id="stopped"),
        pytest.param(crashed, 1, True, id="crashed"),
        pytest.param(cut_again_and_again, 1, None, id="cut"),
    ],
)
def test_runs_go_on_when_postgres_can_be_used_again(own_world, own_postgres, trouble, seconds, refuses):
    go_through(own_world, own_postgres, trouble, seconds, refuses=refuses)
