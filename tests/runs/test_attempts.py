"""What counts as an attempt, how long the next one is waited for, and that nothing is kept at work meanwhile."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from runs.deciding import go_on, retry
from runs.driving import at_work, begin, queue, until_status

from connector.adapter import Delivery
from connector.declare import Event, Keeping
from connector.errors import NetworkError, RejectedError, ServerError
from connector.runs import claims
from connector.runs.intake import Intake
from connector.runs.run_writer import RunWriter
from connector.runs.transitions import StaleRunError
from connector.runs.worker import Worker

NOT_SENT = NetworkError("cannot reach it", processed="no", transient=True)


def test_what_an_attempt_found_before_it_changed_anything_holds_for_later_ones(bench):
    bench.answers["create"] = [ServerError("500", processed="unknown", transient=True)]
    flow = bench.flow(
        """
        - {id: one, uses: test.create, with: {text: a}}
        - {id: two, uses: test.create, with: {text: a}}
        """
    )
    _, steps = bench.run(flow)
    assert (len(bench.calls), steps["one"].output, steps["two"].output) == (3, {"text": "new"}, {"text": "known"})


def test_what_a_failed_step_had_found_holds_when_a_person_retries_it(bench):
    bench.answers["create"] = [RejectedError("no")] * 2
    run, _ = bench.run(bench.flow("- {id: one, uses: test.create, with: {text: a}}"))
    outcomes = []
    for repeats in ((), (), ("one",)):
        retry(bench, run, *repeats)
        run, steps = go_on(bench, run)
        outcomes.append((run.status, steps["one"].output))
        if run.status == "succeeded":
            bench.change("UPDATE runs SET status = 'failed'")
    assert outcomes == [("failed", None), ("succeeded", {"text": "new"}), ("succeeded", {"text": "known"})]


def test_what_cannot_be_kept_is_not_acted_on(bench):
    async def work() -> None:
        flow = bench.flow("- {id: one, uses: test.create, with: {text: a}}")
        async with bench.working(flow) as (store, intake, _):
            await queue(bench, intake)
            taken = (await store.write(claims.take, bench.now, 1)).claims[0]
            await store.write(claims.requeue)
            await store.write(claims.take, bench.now, 1)  # another process has the run now
            writer = RunWriter(store, taken.run, bench.clock)
            keeping = Keeping({}, partial(writer.keep, "one"))
            async with (
                bench.adapter() as adapter,
                adapter.open_call("test.create", {"text": "a"}, keeping=keeping) as call,
            ):
                with pytest.raises(StaleRunError):
                    await call.send()

    asyncio.run(work())
    assert not bench.created


def waits(bench, step: str, share: float) -> tuple[list[float], str, int]:
    """The seconds before each further attempt where chance draws this share, how the run ended, and its attempts."""

    async def work() -> tuple[list[float], str, int]:
        flow, found = bench.flow(step), []
        async with bench.working(flow) as (store, intake, _):
            worker = Worker(bench.adapter(), store, bench.clock, jitter=lambda: share)
            run_id = await queue(bench, intake)
            finishing = asyncio.create_task(worker.finish([run_id]))
            while not finishing.done():
                if (wake_at := store.read(lambda journal: journal.next_wake())) and wake_at > bench.now:
                    found.append((wake_at - bench.now).total_seconds())
                    bench.now = wake_at
                    worker.wake()
                await asyncio.sleep(0.001)
            await finishing
            run = store.read(lambda journal: journal.run(run_id))
            return found, run.status, len(store.read(lambda journal: journal.attempts(run_id)))

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("retry", "share", "seconds"),
    [
        pytest.param("", 1.0, [1, 2, 4, 8, 16], id="six attempts, a second doubled"),
        pytest.param("", 0.25, [0.25, 0.5, 1, 2, 4], id="full jitter"),
        pytest.param("", 0.0, [], id="at once"),
        pytest.param("retry: {max_attempts: 9}", 1.0, [1, 2, 4, 8, 16, 32, 60, 60], id="a minute at most"),
        pytest.param("retry: {max_attempts: 4, delay: 2m}", 1.0, [120, 120, 120], id="own delay"),
        pytest.param("retry: {max_attempts: 4, delay: 2m, max_delay: 5m}", 1.0, [120, 240, 300], id="own longest"),
    ],
)
def test_attempts_are_apart_by_a_share_of_a_growing_delay(bench, retry, share, seconds):
    bench.answers["look"] = [NOT_SENT] * 20
    found, status, attempts = waits(bench, f"- {{id: look, uses: test.look{', ' * bool(retry)}{retry}}}", share)
    assert (found, status) == (seconds, "failed")
    assert attempts == (len(seconds) + 1 if share else 6)


@pytest.mark.parametrize(
    ("asked", "seconds"), [(None, 1.0), (0.0, 1.0), (0.5, 1.0), (1.5, 1.5), (90.0, 90.0), (86_400.0, 86_400.0)]
)
def test_what_the_other_side_asks_for_is_the_least(bench, asked, seconds):
    bench.answers["put"] = [ServerError("busy", processed="unknown", transient=True, retry_after=asked)]
    assert waits(bench, "- {id: put, uses: test.put}", 1.0) == ([seconds], "succeeded", 2)


def test_timeout_of_a_step_begins_after_the_wait_for_the_budget(bench):
    bench.budget_wait, bench.budget_pause = timedelta(minutes=1), 0.3
    run, steps = bench.run(bench.flow("- {id: say, uses: test.say, timeout: 100ms}"))
    assert (run.status, steps["say"].attempts, len(bench.calls)) == ("succeeded", 1, 1)


def test_wait_for_the_budget_that_a_crash_ended_was_no_attempt(bench):
    bench.answers["look"] = [NOT_SENT]
    flow = bench.flow("- {id: look, uses: test.look, retry: {max_attempts: 2, delay: 1ms}}")

    async def work() -> list[int]:
        async with bench.working(flow) as (store, intake, worker):
            run_id = await queue(bench, intake)
            for _ in range(3):  # processes that die while they wait
                [run] = await store.write(claims.claim, bench.now, 1)
                await begin(bench, store, run, "look", "test.look", {"text": ""})
                await store.write(claims.requeue)
            assert (await bench.finish(store, worker, run_id))[0].status == "succeeded"
            return [attempt.number for attempt in store.read(lambda journal: journal.attempts(run_id))]

    assert asyncio.run(work()) == [1, 2]


async def start(bench, intake: Intake, number: int) -> str:
    """A run of an event that was polled, as those that a step waits for are read again."""
    event = Event("ping", f"polled-{number}", None, {"at": bench.now.isoformat()}, "poll")
    stored = await intake.accept(Delivery("test", "default", event, json.dumps(event.payload), bench.now))
    return stored.starts[0].run_id


WAITS = {
    "for another attempt": "- {id: look, uses: test.look, retry: {delay: 1d, max_delay: 1d}}",
    "for a time": "- {id: rest, wait: 1d}",
    "for an event": "- {id: reply, wait_for: {uses: test.ping, match: event.name == 'Bob', timeout: 1d}}",
    "for a person": "- {id: ask, approve: {title: Go on?}}",
}


@pytest.mark.parametrize("step", WAITS.values(), ids=WAITS)
def test_run_that_waits_keeps_neither_a_task_nor_a_place(bench, step):
    bench.answers["look"] = [NetworkError("no", transient=True, retry_after=60.0)] * 30
    waiting, other = bench.flow(step), bench.flow("- {id: put, uses: test.put}", name="other")

    async def work() -> None:
        async with bench.working(waiting) as (store, intake, _):
            worker = Worker(intake.adapter, store, bench.clock, parallel=2)
            intake = replace(intake, wake=worker.wake)
            async with at_work(worker):
                tasks = asyncio.all_tasks()
                for number in range(10):
                    await until_status(store, await start(bench, intake, number), "waiting")
                async with asyncio.timeout(20):
                    await asyncio.gather(*(asyncio.all_tasks() - tasks))
                await until_status(store, await start(bench, replace(intake, flows=[other]), 10), "succeeded")

    asyncio.run(work())
