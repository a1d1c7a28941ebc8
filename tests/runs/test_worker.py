import asyncio
import contextlib
from datetime import timedelta

import pytest
from runs.driving import at_work, begin, queue, until_status

import connector.settings
from connector.adapter import Adapter
from connector.errors import NetworkError, StoreError
from connector.registry import Registry
from connector.runs import claims, transitions
from connector.runs.pins import Pin
from connector.runs.records import Run, Step, write_time
from connector.runs.transitions import StaleRunError
from connector.runs.worker import Worker

LOOK = "- {id: look, uses: test.look}"
SAY = "- {id: say, uses: test.say, with: {text: hello}}"


@pytest.mark.parametrize(
    ("action", "left_in", "status", "calls"),
    [
        ("look", "started", "succeeded", 1),
        ("say", "started", "succeeded", 1),
        ("look", "sending", "succeeded", 1),
        ("put", "sending", "succeeded", 1),
        ("say", "sending", "held", 0),
        ("delete", "sending", "held", 0),
    ],
)
def test_step_that_a_crash_interrupted_follows_its_effect(bench, action, left_in, status, calls):
    """The first process is the store alone: it writes what a process that is killed there leaves behind."""
    flow = bench.flow(f"- {{id: step, uses: test.{action}, with: {{text: a}}}}")

    async def crash() -> str:
        async with bench.working(flow) as (store, intake, _):
            run_id = await queue(bench, intake)
            [run] = await store.write(claims.claim, bench.now, 10)
            await begin(bench, store, run, "step", f"test.{action}", {"text": "a"})
            if left_in == "sending":
                await begin(bench, store, run, "step", f"test.{action}", {"text": "a"}, sending=True)
            return run_id

    async def recover(run_id: str) -> tuple[Run, Step]:
        async with bench.working(flow) as (store, _, worker), at_work(worker):
            run = await until_status(store, run_id, "succeeded", "held", "failed")
            return run, store.read(lambda journal: journal.steps(run_id))["step"]

    run, step = asyncio.run(recover(asyncio.run(crash())))
    assert (run.status, step.status, len(bench.calls)) == (status, status, calls)
    if status == "held":
        assert "nobody knows whether it took effect" in (step.error.message if step.error else "")


def test_message_that_may_have_been_sent_is_held_even_when_its_time_is_over(bench):
    flow = bench.flow("- {id: say, not_after: \"add_duration(trigger.at, '15m')\", uses: test.say}")

    async def work() -> Run:
        async with bench.working(flow) as (store, intake, worker):
            run_id = await queue(bench, intake)
            [run] = await store.write(claims.claim, bench.now, 10)
            await begin(bench, store, run, "say", "test.say", {"text": ""})
            await begin(bench, store, run, "say", "test.say", {"text": ""}, sending=True)
            bench.now += timedelta(minutes=16)
            async with at_work(worker):
                return await until_status(store, run_id, "held", "succeeded")

    assert asyncio.run(work()).status == "held"


def test_attempt_that_a_crash_cut_off_is_told_from_the_next_one(bench):
    flow = bench.flow(LOOK)

    async def work() -> list[tuple[int, str | None]]:
        async with bench.working(flow) as (store, intake, worker):
            run_id = await queue(bench, intake)
            [run] = await store.write(claims.claim, bench.now, 10)
            await begin(bench, store, run, "look", "test.look", {"text": ""})
            await begin(bench, store, run, "look", "test.look", {"text": ""}, sending=True)
            async with at_work(worker):
                await until_status(store, run_id, "succeeded")
            attempts = store.read(lambda journal: journal.attempts(run_id))
            return [(attempt.number, attempt.error) for attempt in attempts]

    assert asyncio.run(work()) == [(1, "there is no record of how it ended"), (2, None)]


def test_stop_does_not_wait_for_what_can_be_repeated(bench):
    async def work() -> None:
        sending = asyncio.Event()

        async def endless() -> None:
            sending.set()
            await asyncio.Event().wait()

        bench.answers["look"] = [endless]
        async with bench.working(bench.flow(LOOK)) as (store, intake, worker):
            async with asyncio.timeout(20), at_work(worker):
                run_id = await queue(bench, intake)
                await sending.wait()
            assert (await until_status(store, run_id, "queued")).status == "queued"

    asyncio.run(work())


def test_finished_step_is_not_done_again_after_a_crash(bench):
    flow = bench.flow(SAY + "\n- {id: look, uses: test.look, with: {text: '${{ steps.say.text }}'}}")

    async def crash() -> str:
        async with bench.working(flow) as (store, intake, _):
            run_id = await queue(bench, intake)
            [run] = await store.write(claims.claim, bench.now, 10)
            await begin(bench, store, run, "say", "test.say", {"text": "hello"})
            await store.write(
                transitions.finish_step, run, "say", "test.say", "succeeded", bench.now, output={"text": "said"}
            )
            return run_id

    async def recover(run_id: str) -> None:
        async with bench.working(flow) as (store, _, worker), at_work(worker):
            await until_status(store, run_id, "succeeded")

    asyncio.run(recover(asyncio.run(crash())))
    assert [(name, text) for name, text, _ in bench.calls] == [("look", "said")]


def test_run_that_was_taken_over_is_written_by_its_new_owner_only(bench):
    async def work() -> None:
        async with bench.working(bench.flow(SAY)) as (store, intake, _):
            await queue(bench, intake)
            [frozen] = await store.write(claims.claim, bench.now, 10)
            await store.write(claims.requeue)
            [taken] = await store.write(claims.claim, bench.now, 10)
            with pytest.raises(StaleRunError):
                await begin(bench, store, frozen, "say", "test.say", {})
            await begin(bench, store, taken, "say", "test.say", {})
            with pytest.raises(StaleRunError):
                await begin(bench, store, frozen, "say", "test.say", {}, sending=True)
            with pytest.raises(StaleRunError):
                await store.write(transitions.finish_run, frozen, "failed", bench.now)

    asyncio.run(work())


def test_waiting_run_goes_on_when_its_time_has_come_and_not_before(bench):
    bench.answers["look"] = [NetworkError("no", transient=True)]
    flow = bench.flow("- {id: look, uses: test.look, retry: {delay: 1h, max_delay: 1h}}")

    async def work() -> None:
        async with bench.working(flow) as (store, intake, worker), at_work(worker):
            run_id = await queue(bench, intake)
            waiting = await until_status(store, run_id, "waiting")
            assert waiting.wake_at
            bench.now = waiting.wake_at - timedelta(seconds=1)
            worker.wake()
            await asyncio.sleep(0.05)
            assert len(bench.calls) == 1
            bench.now = waiting.wake_at
            worker.wake()
            await until_status(store, run_id, "succeeded")

    asyncio.run(work())


def test_run_that_another_process_left_is_found_without_a_word(bench):
    async def work() -> None:
        flow = bench.flow(LOOK)
        async with bench.working(flow) as (store, _, worker), at_work(worker):
            async with bench.working(flow) as (_, other_intake, _):
                run_id = await queue(bench, other_intake)
            await until_status(store, run_id, "succeeded")

    asyncio.run(work())


def test_claim_that_was_kept_though_it_failed_is_given_back(bench):
    failing = iter([False, True])  # giving back what an earlier process left, the claim

    def fail(moment: str) -> None:
        if armed and moment == "after commit" and next(failing, False):
            raise StoreError("the answer is lost")

    armed: list[bool] = []

    async def work() -> None:
        async with bench.working(bench.flow(LOOK), failpoint=fail) as (store, intake, worker):
            run_id = await queue(bench, intake)
            armed.append(True)
            async with at_work(worker):
                await until_status(store, run_id, "succeeded")

    asyncio.run(work())
    assert next(failing, None) is None


def hold_call(bench) -> tuple[asyncio.Event, asyncio.Event]:
    """The next message is sent, and answered when a test says so: what tells the one, and what is to be told."""
    sending, answer = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        sending.set()
        await answer.wait()

    bench.answers["say"] = [slow]
    return sending, answer


def test_worker_that_is_cancelled_lets_a_call_end_that_must_not_be_cut_off(bench):
    flow = bench.flow(SAY)

    async def work() -> tuple[str, Step]:
        sending, answer = hold_call(bench)
        async with bench.working(flow) as (store, intake, worker):
            run_id = await queue(bench, intake)
            finishing = asyncio.create_task(worker.finish([run_id]))
            await sending.wait()
            finishing.cancel()
            asyncio.get_running_loop().call_later(0.05, answer.set)
            with contextlib.suppress(asyncio.CancelledError):
                await finishing
            run = store.read(lambda journal: journal.run(run_id))
            assert run
            return run.status, store.read(lambda journal: journal.steps(run_id))["say"]

    status, step = asyncio.run(work())
    assert (status, step.status) in [("queued", "succeeded"), ("succeeded", "succeeded")]


def test_stop_lets_the_step_in_flight_finish_and_leaves_the_rest(bench):
    flow = bench.flow(SAY + "\n" + LOOK)

    async def work() -> tuple[str, Run, dict[str, Step]]:
        sending, answer = hold_call(bench)
        async with bench.working(flow) as (store, intake, worker):
            async with at_work(worker):
                run_id = await queue(bench, intake)
                await sending.wait()
                worker.stop()
                asyncio.get_running_loop().call_later(0.05, answer.set)
            run = store.read(lambda journal: journal.run(run_id))
            assert run
            return run_id, run, store.read(lambda journal: journal.steps(run_id))

    async def go_on(run_id: str) -> None:
        async with bench.working(flow) as (store, _, worker), at_work(worker):
            await until_status(store, run_id, "succeeded")

    run_id, run, steps = asyncio.run(work())
    assert (run.status, steps["say"].status, list(steps)) == ("queued", "succeeded", ["say"])
    asyncio.run(go_on(run_id))
    assert [name for name, _, _ in bench.calls] == ["say", "look"]


def test_flow_that_no_longer_checks_holds_its_runs(bench, caplog):
    """The action was there when the event came, and its plugin is gone now."""

    async def work() -> Run:
        async with bench.working(bench.flow(SAY)) as (store, intake, _):
            run_id = await queue(bench, intake)
            settings = connector.settings.load(bench.folder, environ={})
            worker = Worker(Adapter(Registry({}, bench.adapter().registry.triggers, {}), settings), store, bench.clock)
            async with at_work(worker):
                return await until_status(store, run_id, "held")

    run = asyncio.run(work())
    assert run.error
    assert run.error.message == "the flow no longer checks: there is no action 'test.say'"
    assert f"the run {run.id} of {run.flow} is held" in caplog.text


def test_damaged_run_is_held_and_keeps_no_other_waiting(bench):
    async def work() -> Run:
        async with bench.working(bench.flow(SAY)) as (store, intake, worker):
            damaged, good = [await queue(bench, intake) for _ in range(2)]
            bench.change("UPDATE runs SET trigger = '{' WHERE id = ?", (damaged,))
            async with at_work(worker):
                await until_status(store, good, "succeeded")
                return await until_status(store, damaged, "held")

    held = asyncio.run(work())
    assert held.error
    assert f"the row with id '{held.id}' is damaged" in held.error.message


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE steps SET input = 'no JSON'",
        "UPDATE pins SET pin = '{'",
        "UPDATE interventions SET repeats = '['",
    ],
)
def test_run_whose_rows_are_damaged_is_held_and_keeps_no_other_waiting(bench, damage):
    async def work() -> tuple[Run, Run]:
        async with bench.working(bench.flow(LOOK)) as (store, intake, worker):
            stored = await intake.accept(bench.delivery(), {"other": Pin()})
            [run] = await store.write(claims.claim, bench.now, 1)
            await begin(bench, store, run, "look", "test.look", {"text": "a"})
            bench.change(
                "INSERT INTO interventions (run_id, number, what, by, at, undone, repeats) "
                "VALUES (?, 1, 'retry', '\"ann\"', ?, '{}', '[]')",
                (run.id, write_time(bench.now)),
            )
            bench.change(damage)
            async with at_work(worker):
                good = await queue(bench, intake)
                return (
                    await until_status(store, stored.starts[0].run_id, "held"),
                    await until_status(store, good, "succeeded"),
                )

    held, _ = asyncio.run(work())
    assert held.error
    assert "is damaged" in held.error.message
    assert held.error.kind == "damaged"


def test_run_that_waits_until_a_damaged_time_keeps_no_other_waiting(bench):
    async def work() -> None:
        async with bench.working(bench.flow(LOOK)) as (store, intake, worker):
            damaged = await queue(bench, intake)
            bench.change("UPDATE runs SET status = 'waiting', wake_at = 'never' WHERE id = ?", (damaged,))
            async with at_work(worker):
                await until_status(store, await queue(bench, intake), "succeeded")

    asyncio.run(work())


def test_run_is_finished_after_those_before_it_in_its_lane(bench):
    """A server that was killed has left the one before it."""
    flow = bench.flow(SAY, "concurrency: {key: \"'one'\", mode: queue}")

    async def work() -> tuple[str, str]:
        async with bench.working(flow) as (store, intake, worker):
            first, second = [await queue(bench, intake) for _ in range(2)]
            await store.write(claims.claim, bench.now, 10)
            async with asyncio.timeout(20):
                await worker.finish([second])
            return tuple(store.read(lambda journal: [journal.run(one).status for one in (first, second)]))

    assert asyncio.run(work()) == ("succeeded", "succeeded")


def test_fault_of_the_program_holds_the_run_and_is_not_repeated(bench):
    """A wait beyond the calendar's end stands for any fault that is not the database's."""
    bench.answers["look"] = [NetworkError("no", transient=True, retry_after=1e15)]

    async def work() -> Run:
        async with bench.working(bench.flow(LOOK)) as (store, intake, worker), at_work(worker):
            return await until_status(store, await queue(bench, intake), "held", "failed")

    run = asyncio.run(work())
    assert (run.status, len(bench.calls)) == ("held", 1)
    assert "a fault of this program, OverflowError" in str(run.error)


def test_attempts_that_leave_no_result_end_too(bench):
    async def work() -> Run:
        async with bench.working(bench.flow("- {id: look, uses: test.look, retry: {max_attempts: 2}}")) as parts:
            store, intake, worker = parts
            run_id = await queue(bench, intake)
            [run] = await store.write(claims.claim, bench.now, 1)
            await begin(bench, store, run, "look", "test.look", {"text": ""}, number=2)
            await begin(bench, store, run, "look", "test.look", {"text": ""}, number=2, sending=True)
            async with at_work(worker):
                return await until_status(store, run_id, "failed", "succeeded")

    assert asyncio.run(work()).status == "failed"
    assert not bench.calls


def test_nothing_is_claimed_where_nothing_is_asked_for(bench):
    async def work() -> None:
        async with bench.working(bench.flow(SAY)) as (store, intake, _):
            await queue(bench, intake)
            assert not await store.write(claims.claim, bench.now, 10, only=[])

    asyncio.run(work())


def make_backfill(bench, *run_ids: str) -> None:
    for run_id in run_ids:
        bench.change("UPDATE runs SET backfill = 1 WHERE id = ?", (run_id,))


def test_runs_of_a_backfill_come_after_the_others_and_are_few_at_once(bench):
    async def work() -> None:
        async with bench.working(bench.flow(LOOK)) as (store, intake, _):
            *old, new = [await queue(bench, intake) for _ in range(3)]
            make_backfill(bench, *old)
            first, second = [run.id for run in await store.write(claims.claim, bench.now, 9, backfills=1)]
            assert (first, [second]) == (new, sorted(old)[:1])
            assert [run.id for run in await store.write(claims.claim, bench.now, 9)] == sorted(old)[1:]

    asyncio.run(work())


def test_run_of_a_backfill_leaves_the_budget_to_others(bench):
    async def work() -> None:
        bench.budget_wait = timedelta(microseconds=1)
        async with bench.working(bench.flow(LOOK)) as (_, intake, worker):
            run_id = await queue(bench, intake)
            make_backfill(bench, run_id)
            await worker.finish([run_id])

    asyncio.run(work())
    assert bench.purposes == ["background"]


def test_rest_ends_for_the_runs_that_are_worked_on_only(bench):
    bench.answers["look"] = [NetworkError("no", transient=True)]

    async def work() -> None:
        async with bench.working(bench.flow(LOOK)) as (store, intake, worker):
            waiting = await queue(bench, intake)
            async with at_work(worker):
                await until_status(store, waiting, "waiting")
            assert store.read(lambda journal: journal.next_wake([waiting]))
            assert store.read(lambda journal: journal.next_wake(["another"])) is None

    asyncio.run(work())


def test_many_runs_at_once_all_end(bench):
    async def work() -> list[Run]:
        async with bench.working(bench.flow(SAY)) as (store, intake, worker), at_work(worker):
            ids = await asyncio.gather(*(queue(bench, intake) for _ in range(250)))
            return [await until_status(store, run_id, "succeeded") for run_id in ids]

    assert len(asyncio.run(work())) == 250
    assert len(bench.calls) == 250
