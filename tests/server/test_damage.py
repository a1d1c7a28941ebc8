"""One column of one row is damaged at a time: lists go on with the other rows, and what cannot be shown says which."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from runs.test_migrations import script
from starlette.routing import Router

from connector.adapter import Adapter
from connector.registry import Registry
from connector.runs.alerts import Alerts
from connector.runs.sampling import Sampler
from connector.runs.store import Store
from connector.runs.upkeep.tables import all_tables
from connector.server.access import Access
from connector.server.live import Live
from connector.server.meter import Meter
from connector.server.refusals import Refusals
from connector.server.serving import Maker, Serving
from connector.server.site import Site
from connector.server.web import Web
from connector.settings import load

Ask = Callable[[str], httpx.Response]
NOW = datetime(2026, 3, 25, 10, 40, tzinfo=UTC)
DEEP = "[" * 100_000
VALUES = ["oops", "[]", None, b"\xff\xfe"]
RARE = [
    ("runs", "trigger", DEEP),
    ("runs", "error", '{"step": 1, "action": "", "message": "", "kind": "", "attempts": 1}'),
    ("runs", "created_at", "2026-01-01T00:00:00"),
    ("events", "text", json.dumps(DEEP)),
    ("starts", "reason", DEEP),
    ("steps", "requests", '[{"method": 1}]'),
    ("attempts", "requests", '[{"method": 1}]'),
    ("events", "headers", '{"a": 1}'),
    ("steps", "output", json.dumps("x" * 5_000_000)),
]
MORE = """
INSERT INTO interventions VALUES ('run_19d248b4440bf8022a198', 1, 'retry', NULL, '"Ann"', '2026-03-25T10:32:00.000000Z',
    NULL, '{}', '[]');
INSERT INTO answers VALUES ('run_19d248c2ea0eef0acf075', 'ask', 1, 'Ann', '2026-03-25T10:32:00.000000Z', '{}');
INSERT INTO awaited VALUES ('run_19d248c2ea02481708daf', 'first', 'chatforge', 'default');
INSERT INTO polls (connector, connection, list, partition) VALUES ('chatforge', 'default', 'leads', '"abc123"');
INSERT INTO partition_failures VALUES ('chatforge', 'default', 'leads', '2026-03-25T10:32:00.000000Z', '"no key"');
INSERT INTO arrivals (event_id, connector, connection, list, at, facts)
    VALUES ('evt_19d248c2ea026d5e152cc', 'chatforge', 'default', 'leads', '2026-03-25T10:32:00.000000Z', '{}');
INSERT INTO waiting_starts VALUES ('evt_19d248c2ea026d5e152cc', 'other', '2026-03-25T10:42:00.000000Z');
INSERT INTO starts VALUES ('evt_19d248c2ea026d5e152cc', 'none', NULL, '"it is off"', 0);
"""
LISTS = ["/", "/connections", "/metrics", "/runs", "/events"]
SAYS_WHICH = re.compile(r"the row with (\w+ \S+, )*\w+ \S+ is damaged; restore the database from a backup")
OF_ONE = ["runs", "events", "starts", "steps", "attempts", "answers", "interventions"]
SHOWN = [*OF_ONE, "awaited", "waiting_starts", "polls", "partition_failures"]


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("damage") / "runs.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script("bench-2"))
    Store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(MORE)
    return path


@pytest.fixture(scope="module")
def ask(database: Path, built_in: Registry) -> Iterator[Ask]:
    """Somebody at this machine who asks the pages; what they raise is raised here."""
    settings = load(database.parent, environ={"CHATFORGE_DATABASE_URL": f"sqlite:///{database}"})
    adapter, store = Adapter(built_in, settings), Store(database)
    serving = Serving(Maker(adapter, store, settings, lambda: None, lambda: NOW), [], None)
    site = Site(
        adapter=adapter,
        store=store,
        settings=settings,
        serving=serving,
        folder=database.parent,
        refusals=Refusals(),
        wake=lambda: None,
        clock=lambda: NOW,
        alerts=Alerts(adapter, store, list, lambda: None, lambda: NOW),
        sampler=Sampler(adapter, [], lambda: NOW),
        meter=Meter(),
    )
    routes = Web(site, Access(None), Live(site, lambda: False)).routes()
    client = httpx.AsyncClient(transport=httpx.ASGITransport(Router(routes=routes)), base_url="http://localhost")
    with asyncio.Runner() as runner:
        yield lambda path: runner.run(client.get(path))
        runner.run(client.aclose())
    store.close()


@contextmanager
def damaged(database: Path, table: str, column: str, value: Any) -> Iterator[str]:
    """The last row of the table has the value there meanwhile, whatever the table allows; gives its run or event."""
    key = ", ".join(next(one.key for one in all_tables() if one.name == table))
    last = key.replace(",", " DESC,") + " DESC"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        kept, *place = connection.execute(f"SELECT {column}, {key} FROM {table} ORDER BY {last}").fetchone()  # noqa: S608 - names of ours
        change = f"UPDATE {table} SET {column} = ? WHERE ({key}) = ({', '.join('?' * len(place))})"  # noqa: S608 - as above
        connection.execute(change, (value, *place))
        try:
            yield str(place[0])
        finally:
            connection.execute(change, (kept, *place))


def damages(table: str) -> Iterator[tuple[str, Any]]:
    """Each column, but for those that say which row it is, with each value that it can have."""
    found = next(one for one in all_tables() if one.name == table)
    for column in found.columns:
        if column not in found.key:
            yield from ((column, value) for value in VALUES)
    yield from ((column, value) for name, column, value in RARE if name == table)


def read_ids(ask: Ask) -> list[list[str]]:
    """Those of the lists of runs and events."""
    return [[row["id"] for row in ask(f"/api/{kind}").json()[kind]] for kind in ("runs", "events")]


@pytest.mark.parametrize("table", SHOWN)
def test_damaged_row_keeps_no_list_from_being_shown(database, ask, table):
    before = read_ids(ask)
    for column, value in damages(table):
        try:
            with damaged(database, table, column, value):
                found, ids = [(path, ask(path)) for path in LISTS], read_ids(ask)
        except sqlite3.IntegrityError:  # NULL is not allowed there, and a key cannot be had twice
            continue
        place = f"{table}.{column} = {str(value)[:20]!r}"
        for path, answer in found:
            assert answer.status_code == 200, (place, path, answer.text[:300])
        assert ids == before, place


@pytest.mark.parametrize("table", OF_ONE)
def test_run_or_event_with_a_damaged_row_says_which_it_is(database, ask, table):
    refused = 0
    for column, value in damages(table):
        try:
            with damaged(database, table, column, value) as one:
                answer = ask(f"/api/{'runs' if one.startswith('run_') else 'events'}/{one}")
        except sqlite3.IntegrityError:
            continue
        assert answer.status_code in (200, 503), (column, str(value)[:20], answer.text[:300])
        if answer.status_code == 503:
            refused += 1
            assert SAYS_WHICH.fullmatch(answer.json()["error"]), answer.text
    assert refused > 0


def test_damaged_run_and_event_are_a_line_with_their_ids(database, ask):
    [run, *_], [event, *_] = read_ids(ask)
    with damaged(database, "runs", "trigger", "oops"), damaged(database, "events", "name", "oops"):
        rows = {kind: ask(f"/api/{kind}").json()[kind] for kind in ("runs", "events")}
        pages = {kind: ask(f"/{kind}").text for kind in ("runs", "events")}
    [broken] = [row for row in rows["runs"] if row["status"] == "damaged"]
    assert broken["why"] == f"damaged: the row with id {run!r} is damaged; restore the database from a backup"
    [broken] = [row for row in rows["events"] if row["status"] == "damaged"]
    assert broken["damaged"] == f"damaged: the row with id {event!r} is damaged; restore the database from a backup"
    for kind, one in (("runs", run), ("events", event)):
        assert f'<a href="/{kind}/{one}">{one}</a>' in pages[kind]
        assert "damaged: the row with id" in pages[kind]
