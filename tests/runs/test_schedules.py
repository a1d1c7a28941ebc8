"""What the clock starts: each call of `live` is a process that looks at some moments and then is gone."""

import asyncio
import logging
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from runs.conftest import ON_A_FILE

from connector.flows.flow import Flow
from connector.runs.journal import Journal
from connector.runs.schedules import LOOK_EVERY, Scheduler

START = datetime.fromisoformat("2026-03-25T10:30:00Z")
SAY = "- {id: say, uses: test.say}"


def at(text: str) -> datetime:
    """`10:40`, `10:40:03` or `04-25 10:40`, of the year in which the tests are."""
    day, time = (text if " " in text else f"03-25 {text}").split()
    return datetime.fromisoformat(f"2026-{day}T{time}Z")


def scheduled(bench, schedule: str = "{every: 10m}", name: str = "report", rest: str = "") -> Flow:
    return bench.flow(SAY, rest, f"{{uses: schedule, with: {schedule}}}", name)


def live(bench, flows: list[Flow], *moments: str) -> None:
    async def work() -> None:
        async with bench.working(*flows) as (_, intake, _worker):
            scheduler = Scheduler(intake, bench.clock)
            for moment in moments:
                bench.now = at(moment)
                await scheduler.tick(bench.now)

    asyncio.run(work())


def starts(bench, flow: str | None = None) -> list[str]:
    """The times for which runs were started."""
    runs = bench.look(lambda connection: Journal(connection).runs(5_000, flow=flow))
    times = sorted(datetime.fromisoformat(run.trigger["scheduled_at"]) for run in runs)
    return [f"{time:%H:%M:%S}".removesuffix(":00") for time in times]


def test_flow_starts_at_multiples_from_when_it_was_first_seen_however_late_they_are_noticed(bench):
    live(bench, [scheduled(bench)], "10:30", "10:39:59", "10:40:50", "10:50:59", "11:00", "11:00:01")
    assert starts(bench) == ["10:40", "10:50", "11:00"]


def test_flow_starts_at_the_times_of_its_cron_line_in_its_zone(bench):
    flow = scheduled(bench, '{cron: "0 12 25,29 * *", timezone: Europe/Berlin}')
    live(bench, [flow], "10:30", "11:00:02", "12:00:01", "03-29 09:59:00", "03-29 10:00:03")
    events = bench.look(lambda connection: Journal(connection).events(9))
    assert [event.occurred_at for event in events] == [at("03-29 10:00"), at("11:00")]


def test_tick_at_the_very_start_is_not_made_up_for(bench):
    live(bench, [scheduled(bench, '{cron: "30 10 * * *"}')], "10:30", "10:31")
    assert starts(bench) == []


def test_tick_concerns_its_own_flow_and_not_others_of_the_same_time(bench):
    flows = [scheduled(bench, name="one"), scheduled(bench, name="two"), scheduled(bench, "{every: 1h}", name="three")]
    live(bench, flows, "10:30", "10:40")
    assert (starts(bench, "one"), starts(bench, "two"), starts(bench, "three")) == (["10:40"], ["10:40"], [])
    events = bench.look(lambda connection: Journal(connection).events(9))
    assert len(events) == 2


def test_flow_that_a_tick_does_not_fit_starts_nothing_with_the_reason(bench):
    flow = bench.flow(SAY, "", "{uses: schedule, with: {every: 10m}, if: 1 > 2}")
    live(bench, [flow], "10:30", "10:40")
    [event] = bench.look(lambda connection: Journal(connection).events(9))
    [start] = bench.look(lambda connection: Journal(connection).starts(event.id))
    assert start.reason == "trigger.if: 1 > 2 is false"


@pytest.mark.parametrize(
    ("missed", "expected"),
    [("skip", []), ("one", ["11:00"]), ("all", ["10:40", "10:50", "11:00"])],
)
@pytest.mark.parametrize("gone", [True, False], ids=["no process ran", "the clock was put forward"])
def test_what_was_missed_follows_its_word(bench, missed, expected, gone):
    flows = [scheduled(bench, f"{{every: 10m, missed: {missed}}}")]
    if gone:
        live(bench, flows, "10:30", "10:35")
        live(bench, flows, "11:00:10", "11:09")
    else:
        live(bench, flows, "10:30", "10:35", "11:05")
    assert starts(bench) == expected
    live(bench, flows, "11:09:59", "11:10")
    assert starts(bench) == [*expected, "11:10"]


def test_newest_tick_is_not_missed_where_a_clock_that_was_put_forward_has_just_reached_it(bench):
    live(bench, [scheduled(bench, "{every: 10m, missed: skip}")], "10:30", "10:35", "11:00:10")
    assert starts(bench) == ["11:00"]


@pytest.mark.parametrize(("noticed", "expected"), [("10:41", ["10:40"]), ("10:41:01", [])])
def test_tick_counts_as_missed_when_it_is_noticed_a_minute_late(bench, noticed, expected):
    live(bench, [scheduled(bench, "{every: 10m, missed: skip}")], "10:30", noticed)
    assert starts(bench) == expected


def test_all_that_was_missed_is_at_most_a_thousand_and_the_newest(bench):
    flows = [scheduled(bench, "{every: 1s, missed: all}")]
    live(bench, flows, "10:30")
    live(bench, flows, "10:50")
    found = starts(bench)
    assert (len(found), found[0], found[-1]) == (1000, "10:33:21", "10:50")


def test_tick_of_long_ago_is_made_up_for(bench):
    flows = [scheduled(bench, '{cron: "0 9 1 * *"}')]
    live(bench, flows, "10:30")
    live(bench, flows, "04-25 10:30")
    assert starts(bench) == ["09:00"]


def test_tick_between_two_schedulers_of_one_process_is_not_missed(bench):
    async def work() -> None:
        async with bench.working(scheduled(bench, "{every: 10m, missed: skip}")) as (_, intake, _worker):
            first = Scheduler(intake, bench.clock)
            await first.tick(at("10:30"))
            bench.now = at("10:40:01")
            await Scheduler(intake, bench.clock, first.running_since).tick(bench.now)

    bench.now = at("10:30")
    asyncio.run(work())
    assert starts(bench) == ["10:40"]


@ON_A_FILE
@pytest.mark.parametrize("missed", ["one", "all"])
def test_crash_between_a_start_and_the_note_of_it_doubles_nothing(bench, missed):
    flows = [scheduled(bench, f"{{every: 10m, missed: {missed}}}")]
    live(bench, flows, "10:30")
    bench.change("CREATE TRIGGER crash BEFORE UPDATE ON schedules BEGIN SELECT RAISE(FAIL, 'crash'); END")
    with pytest.raises(sqlite3.IntegrityError):
        live(bench, flows, "10:39", "10:40")
    assert starts(bench) == ["10:40"]
    bench.change("DROP TRIGGER crash")
    live(bench, flows, "10:40:05", "10:50")
    assert starts(bench) == ["10:40", "10:50"]


@ON_A_FILE
def test_crash_before_a_start_loses_nothing(bench):
    flows = [scheduled(bench)]
    live(bench, flows, "10:30")
    bench.change("CREATE TRIGGER crash BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'crash'); END")
    with pytest.raises(sqlite3.IntegrityError):
        live(bench, flows, "10:39", "10:40")
    bench.change("DROP TRIGGER crash")
    live(bench, flows, "10:40:05")
    assert starts(bench) == ["10:40"]


@pytest.mark.parametrize("edited", ["{every: 15m}", '{cron: "*/15 * * * *", timezone: UTC}'])
def test_edited_schedule_begins_anew(bench, edited):
    live(bench, [scheduled(bench)], "10:30", "10:35")
    live(bench, [scheduled(bench, edited)], "11:00", "11:14", "11:15")
    assert starts(bench) == ["11:15"]


def test_another_word_for_what_is_missed_is_no_edit(bench):
    live(bench, [scheduled(bench, "{every: 10m, missed: skip}")], "10:30", "10:35")
    live(bench, [scheduled(bench, "{missed: all, every: 10m}", rest="description: new")], "11:01")
    assert starts(bench) == ["10:40", "10:50", "11:00"]


@pytest.mark.parametrize("flows", [lambda flow: [replace(flow, enabled=False)], lambda _flow: []], ids=["off", "gone"])
def test_flow_that_was_off_begins_anew(bench, flows):
    flow = scheduled(bench)
    live(bench, [flow], "10:30")
    live(bench, flows(flow), "10:35", "10:45")
    assert starts(bench) == []
    live(bench, [flow], "11:05", "11:14", "11:15")
    assert starts(bench) == ["11:15"]


def test_clock_that_is_put_back_repeats_nothing_and_goes_on_where_it_was(bench):
    flows = [scheduled(bench)]
    live(bench, flows, "10:30", "10:40", "10:50", "09:55", "10:40")
    live(bench, flows, "10:45", "10:50", "10:59")
    assert starts(bench) == ["10:40", "10:50"]
    live(bench, flows, "10:59:59", "11:00")
    assert starts(bench) == ["10:40", "10:50", "11:00"]


@pytest.mark.parametrize("restarted", [True, False])
def test_clock_that_was_a_month_ahead_does_not_keep_a_flow_waiting_for_a_month(bench, caplog, restarted):
    flows = [scheduled(bench, "{every: 10m, missed: skip}")]
    if restarted:
        live(bench, flows, "04-25 10:30", "04-25 10:40")
        live(bench, flows, "10:30", "10:40")
    else:
        live(bench, flows, "04-25 10:30", "04-25 10:40", "10:30", "10:40")
    events = bench.look(lambda connection: Journal(connection).events(9))
    assert {event.occurred_at for event in events} == {at("04-25 10:40"), at("10:40")}
    assert "report begins anew: the clock was set back" in caplog.text


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("UPDATE schedules SET last = 'x'", id="last is a word"),
        pytest.param("UPDATE schedules SET anchor = '\\x00'", id="anchor is no time"),
        pytest.param("UPDATE schedules SET last = '2026-03-25T10:30:00'", id="last without zone"),
        pytest.param("UPDATE schedules SET anchor = '2026-03-25T10:30:00'", id="anchor without zone"),
    ],
)
def test_damaged_row_begins_anew(bench, caplog, damage):
    flows = [scheduled(bench)]
    live(bench, flows, "10:30")
    bench.change(damage)
    live(bench, flows, "10:35", "10:45")
    assert starts(bench) == ["10:45"]
    assert "report begins anew: its row is damaged" in caplog.text


@ON_A_FILE
def test_store_that_fails_is_told_once_and_the_tick_comes_again(bench, caplog):
    caplog.set_level(logging.INFO)
    aside = bench.folder / "aside"

    async def work() -> list[float]:
        async with bench.working(scheduled(bench), scheduled(bench, name="two")) as (_, intake, _worker):
            scheduler, seconds = Scheduler(intake, bench.clock), [0.0]
            await scheduler.look()
            bench.database.rename(aside)
            bench.now = at("10:40")
            seconds = [await scheduler.look() for _ in range(3)]
            aside.rename(bench.database)
            bench.now = at("10:40:30")
            await scheduler.look()
            await scheduler.look()
            return seconds

    assert asyncio.run(work()) == [1.0] * 3
    assert starts(bench) == ["10:40", "10:40"]
    told = [record.message for record in caplog.records if record.name == "connector.runs.schedules"]
    assert [text[:44] for text in told] == [
        "no flow is started by the clock until this e",
        "flows are started by the clock again",
    ]


@pytest.mark.parametrize(
    ("schedules", "now", "seconds"),
    [
        (["{every: 10m}"], "10:30", LOOK_EVERY),
        (["{every: 10m}", "{every: 3s}"], "10:30", 3.0),
        (["{every: 10m}"], "10:39:58", 2.0),
        ([], "10:30", LOOK_EVERY),
    ],
    ids=["far", "the nearest of two", "near", "none"],
)
def test_next_look_is_at_the_next_tick_or_soon_enough_to_notice_a_clock_that_was_set(bench, schedules, now, seconds):
    async def work() -> float:
        flows = [scheduled(bench, schedule, name=f"flow-{number}") for number, schedule in enumerate(schedules)]
        async with bench.working(*flows) as (_, intake, _worker):
            scheduler = Scheduler(intake, bench.clock)
            await scheduler.look()
            bench.now = at(now)
            return await scheduler.look()

    assert asyncio.run(work()) == seconds


def test_stop_leaves_what_is_due_to_the_next_process(bench):
    flows = [scheduled(bench, "{every: 10m, missed: all}")]
    live(bench, flows, "10:30")

    async def stop_at_the_first_start() -> None:
        async with bench.working(*flows) as (_, intake, _worker):
            bench.now = at("11:00")
            scheduler = Scheduler(replace(intake, wake=lambda: scheduler.stop()), bench.clock)
            async with asyncio.timeout(20):
                await scheduler.work()

    asyncio.run(stop_at_the_first_start())
    assert starts(bench) == ["10:40"]
    live(bench, flows, "11:00:01")
    assert starts(bench) == ["10:40", "10:50", "11:00"]


def test_stop_ends_the_wait(bench):
    async def work() -> None:
        async with bench.working(scheduled(bench)) as (_, intake, _worker):
            scheduler = Scheduler(intake, bench.clock)
            working = asyncio.create_task(scheduler.work())
            await scheduler.look()
            scheduler.stop()
            async with asyncio.timeout(1):
                await working

    asyncio.run(work())


def test_next_starts_are_told_in_the_zone_of_the_schedule(bench):
    async def work() -> None:
        on = scheduled(bench, '{cron: "0 9 * * *", timezone: Europe/Berlin}')
        off = scheduled(bench, name="off", rest="enabled: false")
        async with bench.working(on, off, bench.flow(SAY, name="other")) as (_, intake, _worker):
            scheduler = Scheduler(intake, bench.clock)
            assert scheduler.upcoming is None
            await scheduler.look()
            told = {name: moment.isoformat() for name, moment in (scheduler.upcoming or {}).items()}
            assert told == {"report": "2026-03-26T09:00:00+01:00"}

    asyncio.run(work())


def test_ticks_do_not_move_away_from_the_first_one_over_restarts(bench):
    flows = [scheduled(bench, "{every: 10m}")]
    bench.now = START + timedelta(milliseconds=900)
    for moment in ("10:30:00.900", "10:43:07", "10:59:59.999", "11:00:00"):
        live(bench, flows, moment)
    assert starts(bench) == ["10:40", "10:50", "11:00"]


def test_fault_while_the_clock_is_read_ends_no_server(bench):
    async def work() -> float:
        async with bench.working(scheduled(bench)) as (_, intake, _worker):
            scheduler = Scheduler(intake, lambda: START.replace(tzinfo=None))
            await scheduler.tick(START)
            return await scheduler.look()

    assert asyncio.run(work()) == LOOK_EVERY
