"""What is removed in the course of time, and what is known of it for good."""

import asyncio
import json
from datetime import timedelta

import pytest
from runs.conftest import ON_A_FILE, START, later
from runs.driving import until_status
from runs.leads import Leads, flow, lead
from runs.test_migrations import load

from connector import engines
from connector.adapter import Delivery
from connector.declare import Event
from connector.errors import EventError, NotFoundError, ServerError, StoreError
from connector.runs import resends
from connector.runs.upkeep import removal
from connector.runs.upkeep.removal import EVENT_AGE
from connector.runs.upkeep.retention import Removed, Retention
from connector.runs.upkeep.tables import all_tables
from connector.settings import Keep
from connector.sqlite import transaction

SAY = """
- {id: say, uses: test.say, with: {text: "${{ trigger.name ?? 'x' }}"}}
"""
HEAR = "- {id: hear, wait_for: {uses: test.ping, match: event.name == 'x', timeout: 3000d}}"
KEEP = Keep(timedelta(days=30), timedelta(days=90), None)


async def run_all(bench, flow, *names: str, **payload) -> list[str]:
    """The ids of runs that have ended."""
    made = []
    async with bench.working(flow) as (_, intake, worker):
        for name in names:
            [start] = (await intake.accept(bench.delivery(f"ping-{name}", name=name, **payload))).starts
            await worker.finish([start.run_id])
            made.append(start.run_id)
    return made


async def look(bench, keep: Keep = KEEP, *flows) -> Removed:
    async with bench.working(*flows) as (store, _, _):
        return await Retention(store, keep, flows, bench.clock, pause=0).look()


def count(bench, table: str) -> int:
    return bench.look(lambda opened: opened.execute(f"SELECT count(*) AS number FROM {table}").fetchone()["number"])  # noqa: S608 - names of ours


def texts(bench) -> list[object]:
    rows = bench.look(lambda opened: opened.execute("SELECT text FROM events ORDER BY id").fetchall())
    return [json.loads(row["text"]) for row in rows]


def test_runs_are_kept_as_long_as_is_set_for_how_they_ended(bench):
    flow = bench.flow(SAY)
    bench.answers["say"] = ["done", NotFoundError("gone"), ServerError("500", processed="unknown", transient=True)]
    succeeded, failed, held = asyncio.run(run_all(bench, flow, "succeeded", "failed", "held"))

    def left() -> list[str]:
        return bench.look(lambda opened: [row["id"] for row in opened.execute("SELECT id FROM runs").fetchall()])

    for days, gone, stay in (
        (29, 0, {succeeded, failed, held}),
        (31, 1, {failed, held}),
        (89, 0, {failed, held}),
        (91, 1, {held}),
        (4_000, 0, {held}),
    ):
        bench.now = later(days=days)
        assert asyncio.run(look(bench)).runs == gone
        assert set(left()) == stay
    assert count(bench, "steps") == 1


def test_run_that_goes_on_is_not_removed_however_old_it_is(bench):
    async def work() -> None:
        waiting = bench.flow("- {id: ask, approve: {title: Greet?, timeout: 3000d}}")
        async with bench.working(waiting) as (store, intake, worker):
            working = asyncio.create_task(worker.work())
            [start] = (await intake.accept(bench.delivery())).starts
            await until_status(store, start.run_id, "waiting")
            worker.stop()
            await working
        async with bench.working(bench.flow(SAY)) as (_, intake, _):
            await intake.accept(bench.delivery())

    asyncio.run(work())
    bench.now = later(days=2_000)
    assert asyncio.run(look(bench)) == Removed()
    assert (count(bench, "runs"), count(bench, "steps"), None in texts(bench)) == (2, 1, False)


def test_everything_that_has_the_id_of_a_run_goes_with_it(bench):
    [run] = asyncio.run(run_all(bench, bench.flow(SAY, "dedupe: {key: \"trigger.name ?? 'x'\", for: 1d}"), "ann"))
    bench.change("INSERT INTO pins VALUES (?, 's', '{}')", (run,))
    bench.change("INSERT INTO answers VALUES (?, 's', 1, 'ann', ?, '{}')", (run, "2026-03-25T10:00:00Z"))
    bench.change("INSERT INTO attempts (run_id, step, number, started_at) VALUES (?, 'say', 0, 'x')", (run,))
    bench.change("INSERT INTO interventions VALUES (?, 1, 'retry', NULL, 'ann', 'x', NULL, '{}', '[]')", (run,))
    bench.now = later(days=31)
    asyncio.run(look(bench))
    left = {
        table.name: count(bench, f"{table.name} WHERE run_id IS NOT NULL")
        for table in all_tables()
        if "run_id" in table.columns
    }
    assert {table for table, number in left.items() if number} == {"starts", "dedupe"}


def test_many_runs_go_in_parts_and_a_stop_ends_that(bench):
    asyncio.run(run_all(bench, bench.flow(SAY), "one"))
    for number in range(450):
        bench.change(
            "INSERT INTO events (id, connector, connection, identity, name, received_at, status, text) "
            "SELECT ?, connector, connection, ?, name, received_at, status, text FROM events "
            "WHERE identity = 'ping-one'",
            (f"evt_0{number}", f"made-{number}"),
        )
        bench.change(
            "INSERT INTO runs (id, flow, revision, event_id, trigger, status, created_at, finished_at) "
            "SELECT ?, flow, revision, ?, trigger, status, created_at, finished_at FROM runs LIMIT 1",
            (f"run_0{number}", f"evt_0{number}"),
        )
    bench.now = later(days=31)

    async def work() -> tuple[Removed, Removed]:
        async with bench.working() as (store, _, _):
            stopped = Retention(store, KEEP, (), bench.clock, pause=0)
            stopped.stop()
            return await stopped.look(), await Retention(store, KEEP, (), bench.clock, pause=0).look()

    nothing, all_of_them = asyncio.run(work())
    assert nothing == Removed()
    assert (all_of_them.runs, all_of_them.events) == (451, 451)


def test_event_without_a_time_is_known_for_good_and_starts_nothing_again(bench):
    flow = bench.flow(SAY)
    [run] = asyncio.run(run_all(bench, flow, "ann"))
    bench.now = later(days=31)
    assert asyncio.run(look(bench)).events == 1
    assert texts(bench) == [None]
    bench.now = later(days=500)
    asyncio.run(look(bench))

    async def deliver() -> None:
        async with bench.working(flow) as (store, intake, _):
            stored = await intake.accept(bench.delivery("ping-ann", name="ann"))
            assert (stored.new, [start.run_id for start in stored.starts]) == (False, [run])
            event = store.read(lambda journal: journal.event(stored.event_id))
            with pytest.raises(EventError, match=r"the content of .* was removed, as it was kept long enough"):
                resends.read_delivery(intake.adapter, event)

    asyncio.run(deliver())
    assert count(bench, "runs") == 0


def test_text_of_an_event_stays_while_one_of_its_runs_does_and_for_a_while(bench):
    flows = [bench.flow(SAY, name="short"), bench.flow(SAY, name="long")]
    bench.answers["say"] = ["done", NotFoundError("gone")]

    async def work() -> None:
        async with bench.working(*flows) as (_, intake, worker):
            starts = (await intake.accept(bench.delivery(name="ann"))).starts
            for start in starts:
                await worker.finish([start.run_id])

    asyncio.run(work())
    quick = Keep(timedelta(hours=1), timedelta(days=20), None)
    bench.now = START + timedelta(days=19)
    assert asyncio.run(look(bench, quick)) == Removed(runs=1, revisions=1)
    bench.now = START + timedelta(days=21)
    assert asyncio.run(look(bench, quick)).events == 1

    asyncio.run(run_all(bench, flows[0], "ben"))
    bench.now += EVENT_AGE - timedelta(minutes=1)
    assert asyncio.run(look(bench, quick)) == Removed(runs=1, revisions=1)
    bench.now += timedelta(minutes=2)
    assert asyncio.run(look(bench, quick)) == Removed(events=1)


PAST, TO_COME = "2026-03-25T10:00:00.000000Z", "2126-03-25T10:00:00.000000Z"


@pytest.mark.parametrize(
    ("source", "identity", "at", "whole"),
    [
        pytest.param("webhook", "a", PAST, True, id="webhook with a time: too old to start anything"),
        pytest.param("webhook", "a", None, False, id="webhook without one"),
        pytest.param("webhook", "a", TO_COME, False, id="webhook with a time that is to come"),
        pytest.param("poll", "a", PAST, False, id="poll: a list tells of it again"),
        pytest.param("schedule", "a", PAST, True, id="the clock"),
        pytest.param("manual", "a", None, True, id="by hand"),
        pytest.param("poll", "manual-1", PAST, True, id="a sample, by hand"),
    ],
)
def test_event_goes_whole_where_it_cannot_start_anything_again(bench, source, identity, at, whole):
    async def work() -> None:
        event = Event("ping", identity, None, {}, source)
        async with bench.working(bench.flow(SAY)) as (_, intake, worker):
            [start] = (await intake.accept(Delivery("test", "default", event, "{}", bench.now))).starts
            await worker.finish([start.run_id])

    asyncio.run(work())
    bench.change("UPDATE events SET occurred_at = ?", (at,))
    bench.now = later(days=31)
    assert asyncio.run(look(bench)).events == 1
    assert texts(bench) == ([] if whole else [None])
    assert count(bench, "starts") == (0 if whole else 1)


def test_event_that_is_held_or_offered_keeps_its_text(bench):
    async def work() -> None:
        waiting = bench.flow(HEAR, name="waits")
        async with bench.working(waiting) as (store, intake, worker):
            working = asyncio.create_task(worker.work())
            [start] = (await intake.accept(bench.delivery("first"))).starts
            await until_status(store, start.run_id, "waiting")
            worker.stop()
            await working
        async with bench.working() as (_, intake, _):
            await intake.accept(bench.delivery("offered"))
            await intake.accept(bench.delivery("held"))
        bench.change(
            "INSERT INTO starts (event_id, flow, reason, held) SELECT id, 'f', '\"x\"', 1 FROM events "
            "WHERE identity = 'held'"
        )
        bench.change("DELETE FROM offered WHERE event_id = (SELECT id FROM events WHERE identity = 'held')")

    asyncio.run(work())
    bench.now = later(days=400)
    assert asyncio.run(look(bench)) == Removed()
    assert None not in texts(bench)


def test_step_that_begins_to_wait_is_not_offered_what_was_removed(bench):
    asyncio.run(run_all(bench, bench.flow(SAY), "ann"))
    bench.now = later(days=31)
    asyncio.run(look(bench))

    async def work() -> None:
        waiting = bench.flow(HEAR, name="waits")
        async with bench.working(waiting) as (store, intake, worker):
            [start] = (await intake.accept(bench.delivery("later"))).starts
            bench.change(
                "UPDATE runs SET created_at = '2026-03-25T10:00:00.000000Z', started_at = '2026-03-25T10:00:00Z'"
            )
            working = asyncio.create_task(worker.work())
            await until_status(store, start.run_id, "waiting")
            worker.stop()
            await working

    asyncio.run(work())
    assert count(bench, "offered") == 0


def test_keys_of_dedupe_go_when_their_time_is_over(bench):
    short = bench.flow(SAY, "dedupe: {key: \"trigger.name ?? 'x'\", for: 1d}", name="short")
    long = bench.flow(SAY, "dedupe: {key: \"trigger.name ?? 'x'\", for: 300d}", name="long")
    for one in (short, long):
        bench.received = 0
        asyncio.run(run_all(bench, one, f"{one.name}-ann"))
    bench.now = later(hours=23)
    assert asyncio.run(look(bench, KEEP, short, long)).keys == 0
    bench.now = later(days=31)
    assert asyncio.run(look(bench, KEEP, long)).keys == 0
    assert asyncio.run(look(bench, KEEP, short, long)).keys == 1
    bench.now = later(days=299)
    assert asyncio.run(look(bench, KEEP, short, long)).keys == 0

    async def again() -> str | None:
        async with bench.working(long) as (_, intake, _):
            return (await intake.accept(bench.delivery("another", name="long-ann"))).starts[0].reason

    assert "with the same dedupe key" in asyncio.run(again())


def test_revisions_go_unless_a_run_or_a_flow_that_calls_them_has_them(bench):
    callee = "flow: inner\ninputs: {}\nsteps:\n- {id: say, uses: test.say, with: {text: in}}\n"
    calls = bench.flow("- {id: inner, uses: flow.inner}", name="outer", beside=[callee])
    asyncio.run(run_all(bench, bench.flow(SAY, name="old"), "ann"))
    bench.answers["say"] = [ServerError("500", processed="unknown", transient=True)]
    asyncio.run(run_all(bench, calls, "ben"))
    assert count(bench, "revisions") == 3
    bench.now = later(days=31)
    assert asyncio.run(look(bench)).revisions == 1
    rows = bench.look(lambda opened: opened.execute("SELECT flow FROM revisions ORDER BY flow").fetchall())
    assert [row["flow"] for row in rows] == ["inner", "outer"]


def test_nothing_is_removed_where_all_is_kept_for_good(bench):
    asyncio.run(run_all(bench, bench.flow(SAY), "ann"))
    bench.now = later(days=30_000)
    assert asyncio.run(look(bench, Keep(None, None, None))) == Removed()
    assert (count(bench, "runs"), None in texts(bench)) == (1, False)


@pytest.fixture
def leads() -> Leads:
    """One flow that has seen the empty list of agent `a`."""
    leads = Leads()
    leads.serve(flow())
    leads.look()
    leads.pass_time(minutes=15)
    return leads


def end_and_remove(leads: Leads) -> None:
    """All runs end, and are removed with what only they needed."""
    leads.connection.execute("UPDATE runs SET status = 'succeeded', wake_at = NULL, finished_at = created_at")
    leads.pass_time(days=40)
    with transaction(leads.connection):
        assert removal.remove_runs(leads.connection, "succeeded", leads.now - timedelta(days=30), 200)
        assert removal.pass_events(leads.connection, "", leads.now, timedelta(days=30), 200).removed
    assert leads.runs() == []


def bring_again(leads: Leads, number: int = 1, minutes: float = 15.0) -> None:
    """The lead is told of in all ways, and nothing comes of it."""
    assert not leads.backfill(lead(number, minutes)).new
    leads.arrive(number, minutes)
    leads.fall_back()
    leads.lists["a"] = [lead(number, minutes)]
    leads.look()
    leads.serve(flow(start="all"))  # another history: the whole list is told anew
    leads.look()
    leads.pass_time(days=1)
    leads.fall_back()
    assert leads.runs() == []


def test_lead_of_a_removed_run_starts_nothing_when_it_is_told_of_again(leads):
    leads.arrive(1, 15)
    leads.lists["a"] = [lead(1, 15)]
    assert leads.look() == ["main 1"]
    end_and_remove(leads)
    bring_again(leads)


def test_lead_that_only_a_poll_has_told_of_starts_nothing_again(leads):
    leads.lists["a"] = [lead(1, 15)]
    assert leads.look() == ["main 1"]
    end_and_remove(leads)
    bring_again(leads)


def test_lead_that_a_backfill_has_run_starts_nothing_again(leads):
    assert leads.backfill(lead(1, -60)).new
    end_and_remove(leads)
    bring_again(leads, minutes=-60)


def test_lead_that_is_listed_long_after_its_webhook_has_started_the_flow_starts_nothing(leads):
    leads.arrive(1, 15)
    leads.pass_time(minutes=5)
    assert leads.fall_back() == ["main webhook of 1"]
    end_and_remove(leads)
    bring_again(leads)


def test_webhook_that_started_nothing_goes_with_all_that_is_known_of_it(leads):
    leads.arrive(1, 15)
    leads.lists["a"] = [lead(1, 15)]
    leads.look()
    end_and_remove(leads)
    assert leads.connection.execute("SELECT count(*) FROM arrivals").fetchone()[0] == 0
    rows = leads.connection.execute("SELECT source, text FROM events").fetchall()
    assert [tuple(row) for row in rows] == [("poll", "null")]


def test_resent_webhook_of_a_time_whose_leads_were_removed_starts_nothing(leads):
    """Nobody can say any more whether it is the lead that the backfill ran."""
    assert leads.backfill(lead(1, 15)).new
    leads.arrive(2, 15)
    held = leads.connection.execute("SELECT event_id FROM waiting_starts").fetchone()[0]
    leads.connection.execute("DELETE FROM waiting_starts")
    leads.connection.execute("INSERT INTO starts VALUES (?, 'main', NULL, '\"x\"', 1)", (held,))
    leads.connection.execute("UPDATE arrivals SET item = NULL, bound_at = NULL")
    end_and_remove(leads)
    assert "may tell of the same; it has started run_" in (leads.resend(held).reason or "")
    assert leads.runs() == []


@ON_A_FILE
def test_file_becomes_smaller_as_its_runs_are_removed(bench):
    async def work() -> tuple[int, int, int]:
        flow = bench.flow(SAY)
        async with bench.working(flow) as (store, _, _):
            for number in range(3_000):
                await store.write(_fill, number, bench.now)
        full = bench.database.stat().st_size
        bench.now = later(days=31)
        async with bench.working() as (store, _, _):
            removed = await Retention(store, KEEP, (), bench.clock, pause=0).look()
            assert (removed.runs, removed.events) == (3_000, 3_000)
            log = bench.database.with_name("runs.sqlite-wal").stat().st_size
        return full, bench.database.stat().st_size, log

    full, small, log = asyncio.run(work())
    assert full > 15_000_000
    assert small < full / 10
    assert log < 20_000_000
    assert count(bench, "events") == 3_000


def _fill(connection, number: int, now) -> None:
    """A run with 5 kB, and its event."""
    moment = now.isoformat().replace("+00:00", ".000000Z")
    event, run, long = f"evt_0{number}", f"run_0{number}", json.dumps("x" * 2_000)
    connection.execute("INSERT INTO revisions VALUES ('r', 'f', '\"\"', '{}') ON CONFLICT DO NOTHING")
    connection.execute(
        "INSERT INTO events (id, connector, connection, identity, name, received_at, status, text) "
        "VALUES (?, 'a', 'b', ?, '\"n\"', ?, 'accepted', ?)",
        (event, event, moment, json.dumps(long)),
    )
    connection.execute(
        "INSERT INTO runs (id, flow, revision, event_id, trigger, status, created_at, finished_at) "
        "VALUES (?, 'f', 'r', ?, ?, 'succeeded', ?, ?)",
        (run, event, long, moment, moment),
    )
    connection.execute("INSERT INTO starts VALUES (?, 'f', ?, NULL, 0)", (event, run))
    connection.execute(
        "INSERT INTO steps (run_id, step, action, status, output, attempts, started_at) "
        "VALUES (?, 's', 'a', 'succeeded', ?, 1, ?)",
        (run, long, moment),
    )


@ON_A_FILE
def test_file_of_an_earlier_version_keeps_its_size_and_the_log_says_so_once(bench, caplog):
    load(bench, "bench-2")
    bench.now = later(days=31)

    async def work() -> None:
        async with bench.working() as (store, _, _):
            retention = Retention(store, Keep(timedelta(days=30), timedelta(days=30), None), (), bench.clock, pause=0)
            assert (await retention.look()).runs == 1
            bench.change("UPDATE runs SET status = 'failed', wake_at = NULL, finished_at = created_at")
            assert (await retention.look()).runs == 7

    with caplog.at_level("INFO"):
        asyncio.run(work())
    assert caplog.text.count("keeps its size, as an earlier version made it; chatforge db upgrade changes that") == 1
    assert engines.rewrite(bench.database)
    assert not engines.rewrite(bench.database)


def test_looks_go_on_after_a_failure_that_the_log_names_once(bench, caplog):
    asyncio.run(run_all(bench, bench.flow(SAY), "ann"))
    bench.now = later(days=31)

    class Failing:
        looks = 0

        async def write(self, *_: object) -> int:
            self.looks += 1
            raise StoreError("the disk is full") if self.looks < 3 else KeyError("a fault")

    async def work() -> int:
        store = Failing()
        retention = Retention(store, KEEP, (), bench.clock, first_after=0, every=0)
        working = asyncio.create_task(retention.work())
        while store.looks < 5:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
        retention.stop()
        await working
        return store.looks

    assert asyncio.run(work()) >= 5
    assert caplog.text.count("no old runs are removed until this ends: the disk is full") == 1
    assert "failed after a fault of this program" in caplog.text
