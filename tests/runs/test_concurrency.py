"""Runs with one key of `concurrency`: how many go on, in which order, and which are dropped."""

import asyncio
from datetime import timedelta

import pytest
from runs.driving import CountedStore, at_work, until_status

from connector.errors import NetworkError
from connector.runs import claims
from connector.runs.worker import Worker

STEPS = """
- {id: first, uses: test.say, with: {text: "${{ trigger.name ?? '' }} first"}}
- {id: pause, wait: 10m}
- {id: second, uses: test.say, with: {text: "${{ trigger.name ?? '' }} second"}}
"""


def lanes(mode: str, key: str = "trigger.anything") -> str:
    return f"concurrency: {{key: {key}, mode: {mode}}}"


def start(bench, flow, names, keys=None):
    """Start a run for each name, let them begin, and then end; what was said until then, and at the end."""

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            starts = []
            for number, name in enumerate(names):
                stored = await intake.accept(bench.delivery(name=name, anything=(keys or names)[number]))
                starts.append(stored.starts[0])
                bench.now += timedelta(seconds=1)
            runs = [one.run_id for one in starts if one.run_id]
            async with at_work(worker):
                await until_status(store, runs[0], "waiting", "held")
                await asyncio.sleep(0.1)
                early = [text for _, text, _ in bench.calls]
                for _ in runs:
                    bench.now += timedelta(minutes=10)
                    worker.wake()
                    await asyncio.sleep(0.1)
                ended = [store.read(lambda journal, one=one: journal.run(one)).status for one in runs]
            return starts, early, ended

    return asyncio.run(work())


def test_queued_runs_of_one_key_go_on_one_after_the_other(bench):
    _, early, ended = start(bench, bench.flow(STEPS, lanes("queue")), ["a", "b", "c"], keys=[1, 1, 2])
    assert sorted(early) == ["a first", "c first"]
    said = [text for _, text, _ in bench.calls]
    assert said.index("a second") < said.index("b first")
    assert ended == ["succeeded"] * 3


def test_so_many_runs_of_one_key_go_on_at_a_time(bench):
    flow = bench.flow(STEPS, "concurrency: {key: trigger.anything, limit: 2}")
    _, early, _ = start(bench, flow, ["a", "b", "c"], keys=["x"] * 3)
    assert sorted(early) == ["a first", "b first"]


def test_run_is_dropped_while_another_of_its_key_is_there_and_says_which(bench):
    starts, _, _ = start(bench, bench.flow(STEPS, lanes("single")), ["a", "b"], keys=["x", "x"])
    assert starts[1].run_id is None
    assert starts[1].reason == f'the run {starts[0].run_id} with the same concurrency key "x" is queued'


def test_held_run_keeps_its_key(bench):
    bench.answers["say"] = [NetworkError("cut", processed="unknown", transient=True)]
    _, _, ended = start(bench, bench.flow(STEPS, lanes("queue")), ["a", "b"], keys=["x", "x"])
    assert ended == ["held", "queued"]


@pytest.mark.parametrize("mode", ["queue", "single"])
def test_other_flow_with_the_same_key_has_its_own_runs(bench, mode):
    flows = [bench.flow(STEPS, lanes(mode), name=name) for name in ("one", "other")]

    async def work():
        async with bench.working(*flows) as (store, intake, worker):
            stored = await intake.accept(bench.delivery(name="a", anything="x"))
            async with at_work(worker):
                for one in stored.starts:
                    await until_status(store, one.run_id, "waiting")

    asyncio.run(work())
    assert [text for _, text, _ in bench.calls] == ["a first", "a first"]


def test_run_that_is_stored_later_goes_on_later_whatever_its_id(bench):
    """Ids order by the time when an event came in, and events are not stored in that order."""
    flow = bench.flow(STEPS, lanes("queue"))

    async def work():
        async with bench.working(flow) as (store, intake, _):
            first = (await intake.accept(bench.delivery(name="a", anything="x"))).starts[0].run_id
            bench.now -= timedelta(seconds=1)
            second = (await intake.accept(bench.delivery(name="b", anything="x"))).starts[0].run_id
            assert second < first
            return first, [run.id for run in await store.write(claims.claim, bench.now, 10)]

    first, claimed = asyncio.run(work())
    assert claimed == [first]


def test_worker_rests_while_a_run_that_is_due_has_to_wait_for_another_one(bench):
    bench.answers["say"] = ["fine", NetworkError("cut", processed="unknown", transient=True)]
    flow = bench.flow(STEPS, "concurrency: {key: trigger.anything, limit: 2}")

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            runs = [(await intake.accept(bench.delivery(name=name, anything="x"))).starts[0].run_id for name in "ab"]
            async with at_work(worker):
                await until_status(store, runs[1], "held", "waiting")
                await until_status(store, runs[0], "held", "waiting")
            await store.write(lambda connection: connection.execute("UPDATE runs SET lane_limit = 1"))
            bench.now += timedelta(minutes=10)
            counting = CountedStore(bench.database)
            async with at_work(Worker(bench.adapter(), counting, bench.clock)):
                await asyncio.sleep(0.5)
            counting.close()
            return counting.counted.writes

    assert asyncio.run(work()) < 10
