import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from runs.conftest import ON_A_FILE

from connector.flows.flow import Flow
from connector.runs import revisions
from connector.runs.events import Stored

SAY = "- {id: say, uses: test.say, with: {text: hello}}"


def accept(bench, flows, *deliveries) -> list[Stored]:
    async def work() -> list[Stored]:
        async with bench.working(*flows) as (_, intake, _worker):
            return await asyncio.gather(*(intake.accept(delivery) for delivery in deliveries))

    return asyncio.run(work())


def runs_of(stored: Stored) -> list[str]:
    return [start.run_id for start in stored.starts if start.run_id]


def test_each_flow_that_wants_the_event_gets_a_run(bench):
    flows = [bench.flow(SAY, name="one"), bench.flow(SAY, name="two"), bench.flow(SAY, "enabled: false", name="off")]
    [stored] = accept(bench, flows, bench.delivery())
    assert stored.new
    assert [(start.flow, bool(start.run_id)) for start in stored.starts] == [("one", True), ("two", True)]


def test_repeated_event_starts_nothing_however_many_come_together(bench):
    flow = bench.flow(SAY)
    answers = accept(bench, [flow], *(bench.delivery("the-same") for _ in range(20)))
    assert [stored.new for stored in answers] == [True] + [False] * 19
    assert len({stored.event_id for stored in answers}) == 1
    assert {tuple(runs_of(stored)) for stored in answers} == {tuple(runs_of(answers[0]))}


def test_event_that_no_flow_wants_is_stored(bench):
    delivery = bench.delivery()
    delivery = replace(delivery, event=replace(delivery.event, name="something.new"))
    [stored] = accept(bench, [bench.flow(SAY)], delivery)
    assert (stored.new, stored.starts) == (True, [])


def test_event_of_another_connection_is_not_for_the_flow(bench):
    [stored] = accept(bench, [bench.flow(SAY)], replace(bench.delivery(), connection="acme"))
    assert stored.starts == []


def test_false_trigger_condition_is_the_reason(bench):
    flow = bench.flow(SAY, trigger="{uses: test.ping, if: trigger.name != null}")
    [stored] = accept(bench, [flow], bench.delivery())
    assert stored.starts[0].reason == "trigger.if: trigger.name != null is false: trigger.name is null"


@pytest.mark.parametrize(
    ("trigger", "rest", "payload", "reason"),
    [
        pytest.param("{uses: test.ping}", "", {"name": 42}, "name", id="a field of a wrong type"),
        pytest.param(
            "{uses: test.ping, if: 1 / trigger.anything > 1}",
            "",
            {"anything": 0},
            "trigger.if: 1 / 0 has no value",
            id="if",
        ),
        pytest.param(
            "{uses: test.ping}",
            "dedupe: {key: trigger.anything, for: 1d}",
            {"anything": None},
            "dedupe.key: trigger.anything is null",
            id="null key",
        ),
    ],
)
def test_event_that_cannot_be_decided_is_held_with_the_reason(bench, trigger, rest, payload, reason):
    async def work() -> tuple[Stored, str]:
        async with bench.working(bench.flow(SAY, rest, trigger)) as (store, intake, _worker):
            stored = await intake.accept(bench.delivery(**payload))
            return stored, store.read(lambda journal: journal.events(1, held=True))[0].id

    stored, held = asyncio.run(work())
    assert held == stored.event_id
    assert not runs_of(stored)
    assert reason in (stored.starts[0].reason or "")


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (timedelta(days=6, hours=23), "run"),
        (timedelta(days=7, seconds=1), "accepted"),
        (-timedelta(minutes=5), "run"),
        (-timedelta(minutes=5, seconds=1), "held"),
    ],
    ids=["nearly 7 days old", "older", "5 minutes early", "earlier"],
)
def test_time_of_the_event_decides_whether_it_may_start_anything(bench, age, status):
    async def work() -> tuple[Stored, str]:
        async with bench.working(bench.flow(SAY)) as (store, intake, _worker):
            stored = await intake.accept(bench.delivery(occurred_at=bench.now - age))
            return stored, store.read(lambda journal: journal.events(1))[0].status

    stored, event_status = asyncio.run(work())
    assert bool(runs_of(stored)) == (status == "run")
    assert event_status == ("held" if status == "held" else "accepted")


@pytest.mark.parametrize(
    "rest", ["dedupe: {key: trigger.name ?? '', for: 1h}", "concurrency: {key: trigger.name ?? '', mode: single}"]
)
def test_key_that_is_longer_than_an_index_takes_is_one_all_the_same(bench, rest):
    """Letters that cannot be packed into fewer bytes."""
    letters = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(3_000))
    flow = bench.flow("- {id: look, uses: test.look}", rest)

    async def accept() -> list[bool]:
        async with bench.working(flow) as (_, intake, _worker):
            names = (letters, letters, letters + "x")
            return [(await intake.accept(bench.delivery(name=name))).starts[0].run_id is not None for name in names]

    assert asyncio.run(accept()) == [True, False, True]


def test_dedupe_starts_one_run_for_a_key_within_its_window(bench):
    flow = bench.flow(SAY, "dedupe: {key: \"trigger.name ?? ''\", for: 1h}")
    first, second, other = accept(
        bench, [flow], bench.delivery(name="ann"), bench.delivery(name="ann"), bench.delivery(name="john")
    )
    assert runs_of(first)
    assert runs_of(other)
    assert second.starts[0].reason
    assert runs_of(first)[0] in second.starts[0].reason
    bench.now += timedelta(minutes=59, seconds=59)
    assert not runs_of(accept(bench, [flow], bench.delivery(name="ann"))[0])
    bench.now += timedelta(seconds=2)
    assert runs_of(accept(bench, [flow], bench.delivery(name="ann"))[0]), "counted from the last run that started"


def test_run_is_pinned_to_the_text_of_its_flow(bench):
    async def work() -> str:
        async with bench.working(bench.flow(SAY)) as (store, intake, _worker):
            stored = await intake.accept(bench.delivery())
            run = store.read(lambda journal: journal.run(runs_of(stored)[0]))
            assert run
            flow = store.query(revisions.load, run.revision, bench.adapter().catalogue)
            assert isinstance(flow, Flow)
            return flow.source

    assert asyncio.run(work()) == bench.flow(SAY).source


def test_time_before_the_year_1000_can_be_read_again(bench):
    async def work() -> datetime | None:
        async with bench.working(bench.flow(SAY)) as (store, intake, _worker):
            await intake.accept(bench.delivery(occurred_at=datetime(1, 1, 1, tzinfo=UTC)))
            return store.read(lambda journal: journal.events(1))[0].occurred_at

    assert asyncio.run(work()) == datetime(1, 1, 1, tzinfo=UTC)


@ON_A_FILE
def test_stored_texts_are_ascii(bench):
    accept(bench, [bench.flow(SAY)], bench.delivery(name="ü\ud83d\x00\u202e"))
    content = b"".join(path.read_bytes() for path in bench.folder.glob("runs.sqlite*"))
    assert json.dumps("ü\ud83d\x00\u202e").encode() in content
    assert "ü".encode() not in content
