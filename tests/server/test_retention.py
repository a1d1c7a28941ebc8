"""`chatforge serve` removes what was kept long enough."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from server.test_process import messages, only_run, visit

from connector.runs.records import first_id, write_time


def grow_old(server, days: int) -> None:
    """As if all had happened so long ago; ids begin with a time too."""
    then = datetime.now(UTC) - timedelta(days=days)
    with closing(sqlite3.connect(server.database)) as database, database:
        database.execute("UPDATE runs SET finished_at = ? WHERE finished_at IS NOT NULL", (write_time(then),))
        for table, column in (
            ("events", "id"),
            ("runs", "event_id"),
            ("starts", "event_id"),
            ("observed", "event_id"),
            ("arrivals", "event_id"),
        ):
            database.execute(f"UPDATE {table} SET {column} = ? || {column}", (first_id("evt", then),))  # noqa: S608
        database.execute("UPDATE events SET occurred_at = ?", (write_time(then),))


def test_server_removes_old_runs_and_greets_nobody_again(make_server, sandbox):
    server = make_server().start("--port", "0")
    sandbox.webhook_url = f"{server.address}/webhooks/chatforge"
    story = visit(sandbox)
    run = server.ended(only_run(server).id)
    server.wait_for(lambda: server.query("SELECT 1 FROM arrivals WHERE item IS NOT NULL"))
    sandbox.webhook_url = None
    assert server.stop() == 0
    grow_old(server, 31)

    kept = make_server(environment={"CHATFORGE_KEEP_SUCCEEDED": "32d"}).start("--port", "0")
    swept = kept.query("SELECT max(polled_at) FROM polls")
    kept.wait_for(lambda: kept.query("SELECT max(polled_at) FROM polls") != swept)
    assert kept.stop() == 0
    assert [one.id for one in kept.runs()] == [run.id]

    again = make_server().start("--port", "0")
    again.wait_for(lambda: not again.runs() and again.query("SELECT 1 FROM events WHERE text = 'null'"))
    sandbox.webhook_url = f"{again.address}/webhooks/chatforge"
    visit(sandbox, visitor_email="ann@example.com")
    again.wait_for(lambda: [one.status for one in again.runs()] == ["succeeded"])
    assert again.stop() == 0
    assert [row["source"] for row in again.query("SELECT source FROM events WHERE text = 'null'")] == ["poll"]
    assert run.id in {row["run_id"] for row in again.query("SELECT run_id FROM starts")}
    assert len(messages(sandbox, story["conversation_id"])) == 1
