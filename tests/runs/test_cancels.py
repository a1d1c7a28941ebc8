"""Runs that a person cancels: at once where nobody works on them, else before anything more of them begins."""

import asyncio
from datetime import timedelta

import pytest
from runs.deciding import cancel, decide, go_on, interventions_of, person, retry, run_on, run_until, tell, texts
from runs.driving import at_work, begin, queue, until_status

from connector import engines
from connector.errors import NetworkError, NotFoundError
from connector.runs import claims
from connector.runs.decisions import cancels
from connector.runs.decisions.interventions import RefusedError
from connector.runs.journal import Journal

CUT = NetworkError("cut", processed="unknown", transient=True)
GONE = NotFoundError("gone")
WAIT = """
- {id: say, uses: test.say}
- {id: more, wait_for: {uses: test.ping, match: 'true', timeout: 1h}}
- {id: put, uses: test.put}
"""
TELL = "on_error:\n  - {id: tell, uses: test.look}"


def test_run_that_waits_is_cancelled_at_once_and_waits_for_nothing_more(bench):
    run = run_until(bench, bench.flow(WAIT), "waiting")
    assert cancel(bench, run) == "cancelled"
    tell(bench)
    bench.now += timedelta(hours=2)
    run, steps = go_on(bench, run)
    assert (run.status, run.reason, run.finished_at is not None) == ("cancelled", "cancelled by Ann: she knows", True)
    assert "put" not in steps
    both = "SELECT run_id FROM awaited UNION SELECT run_id FROM offered"
    assert engines.read(bench.database, lambda connection: connection.execute(both).fetchall()) == []


def test_run_that_is_queued_is_cancelled_before_it_begins(bench):
    flow = bench.flow(WAIT)

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            run_id = await queue(bench, intake)
            assert await store.write(cancels.cancel, run_id, person(bench)) == "cancelled"
            await worker.finish([run_id])
            return store.read(lambda journal: journal.run(run_id))

    assert asyncio.run(work()).status == "cancelled"
    assert bench.calls == []


def test_held_run_is_cancelled_and_its_error_kept(bench):
    bench.answers["say"] = [CUT]
    run, _ = bench.run(bench.flow(WAIT))
    assert cancel(bench, run) == "cancelled"
    [kept] = interventions_of(bench, run)
    assert (kept.what, kept.undone["status"], kept.undone["error"]["message"]) == ("cancel", "held", "cut")
    _, steps = go_on(bench, run)
    assert steps["say"].status == "held", "it still is not known"


def test_run_with_the_same_key_goes_on_when_one_is_cancelled(bench):
    flow = bench.flow("- {id: pause, wait: 1h}", "concurrency: {key: trigger.name ?? '', mode: queue}")
    first = run_until(bench, flow, "waiting")
    second = run_until(bench, flow, "queued")
    cancel(bench, first)
    assert run_on(bench, second, "waiting").id == second.id


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_run_that_has_ended_is_not_cancelled(bench, status):
    run, _ = bench.run(bench.flow("- {id: look, uses: test.look}"))
    decide(bench, _set_status, run.id, status)
    with pytest.raises(RefusedError, match=f"is {status}; only a run that has not ended can be cancelled"):
        cancel(bench, run)
    assert interventions_of(bench, run) == []


def _set_status(connection, run_id, status):
    connection.execute("UPDATE runs SET status = ? WHERE id = ?", (status, run_id))


# Runs at work.


def at_work_on(bench, flow, action, *, answer=None):
    """Cancel the run while it is in its first call of the action, as another process would; how it ended."""
    begun, going_on = asyncio.Event(), asyncio.Event()

    async def hang():
        begun.set()
        await going_on.wait()
        if answer is not None:
            raise answer

    bench.answers[action] = [hang]

    async def work():
        async with bench.working(flow) as (store, intake, worker), at_work(worker):
            run_id = await queue(bench, intake)
            await begun.wait()
            assert await store.write(cancels.cancel, run_id, person(bench)) == "running"
            await asyncio.sleep(0.05)
            assert store.read(lambda journal: journal.run(run_id)).status == "running", "its call goes on"
            going_on.set()
            run = await until_status(store, run_id, "cancelled", "succeeded", "failed", "held")
            return run, store.read(lambda journal: journal.steps(run_id))

    return asyncio.run(work())


@pytest.mark.parametrize(
    "next_step",
    [
        "uses: test.put",
        "wait: 1h",
        "approve: {title: Go?}",
        "switch: {on: '1', cases: {1: [{id: inside, uses: test.put}]}}",
    ],
)
def test_call_in_flight_ends_and_nothing_begins_after_it(bench, next_step):
    flow = bench.flow(f"- {{id: say, uses: test.say}}\n- {{id: next, {next_step}}}", TELL)
    run, steps = at_work_on(bench, flow, "say")
    assert (run.status, run.reason) == ("cancelled", "cancelled by Ann: she knows")
    assert (steps["say"].status, steps["say"].output) == ("succeeded", {"text": "late"})
    assert (texts(bench, "put"), texts(bench, "look")) == ([], [])
    assert ("next" in steps) == next_step.startswith("wait"), "what does nothing by itself does not begin either"


@pytest.mark.parametrize("rest", ["", TELL], ids=["alone", "on_error"])
@pytest.mark.parametrize(("error", "status"), [(GONE, "failed"), (CUT, "held")])
def test_call_in_flight_that_fails_is_written_down_and_on_error_is_not_done(bench, error, status, rest):
    run, steps = at_work_on(bench, bench.flow("- {id: say, uses: test.say}", rest), "say", answer=error)
    assert (run.status, run.error, steps["say"].status) == ("cancelled", None, status)
    assert texts(bench, "look") == []


def test_call_in_flight_that_would_be_tried_again_is_not(bench):
    again = NetworkError("refused", processed="no", transient=True)
    run, _ = at_work_on(bench, bench.flow("- {id: put, uses: test.put}"), "put", answer=again)
    assert (run.status, texts(bench, "put")) == ("cancelled", [""])


def test_run_that_has_nothing_more_to_do_succeeds(bench):
    run, _ = at_work_on(bench, bench.flow("- {id: say, uses: test.say}"), "say")
    assert (run.status, run.cancelling) == ("succeeded", None)


def test_items_that_have_not_begun_do_not_begin(bench):
    flow = bench.flow(
        "- {id: all, for_each: \"['a', 'b']\", uses: test.say, max_parallel: 1, with: {text: '${{ item }}'}}"
    )
    run, steps = at_work_on(bench, flow, "say")
    assert (run.status, texts(bench, "say"), steps["all[0]"].status) == ("cancelled", ["a"], "succeeded")
    retry(bench, run)
    run, _ = go_on(bench, run)
    assert (run.status, texts(bench, "say")) == ("succeeded", ["a", "b"])


def test_step_that_waits_for_the_rate_limit_is_given_up_and_sends_nothing(bench):
    waiting = asyncio.Event()

    async def take(_purpose):
        waiting.set()
        await asyncio.Event().wait()

    bench.budget_wait, bench.take = timedelta(seconds=1), take

    async def work():
        async with bench.working(bench.flow("- {id: say, uses: test.say}")) as (store, intake, worker), at_work(worker):
            run_id = await queue(bench, intake)
            await waiting.wait()
            assert await store.write(cancels.cancel, run_id, person(bench)) == "running"
            async with asyncio.timeout(3):
                return await until_status(store, run_id, "cancelled"), store.read(lambda journal: journal.steps(run_id))

    run, steps = asyncio.run(work())
    assert (steps["say"].status, bench.calls) == ("started", [])
    del bench.take
    retry(bench, run)
    run, steps = go_on(bench, run)
    assert (run.status, steps["say"].attempts) == ("succeeded", 1)


def test_request_that_comes_just_before_the_bytes_go_out_keeps_them_back(bench):
    async def take(_purpose):
        await bench.store.write(cancels.cancel, bench.run_id, person(bench))
        return bench

    bench.budget_wait, bench.take = timedelta(seconds=1), take

    async def work():
        async with bench.working(bench.flow("- {id: say, uses: test.say}")) as (store, intake, worker):
            bench.store, bench.run_id = store, await queue(bench, intake)
            await worker.finish([bench.run_id])
            return store.read(lambda journal: journal.run(bench.run_id))

    assert asyncio.run(work()).status == "cancelled"
    assert bench.calls == []


def test_run_whose_process_died_is_cancelled_by_the_next_one_which_first_writes_down_what_is_not_known(bench):
    flow = bench.flow("- {id: say, uses: test.say}\n- {id: put, uses: test.put}", TELL)

    async def die() -> str:
        async with bench.working(flow) as (store, intake, _):
            run_id = await queue(bench, intake)
            [run] = await store.write(claims.claim, bench.now, 10)
            await begin(bench, store, run, "say", "test.say", {"text": ""}, sending=True)
            return run_id

    run_id = asyncio.run(die())
    run = engines.read(bench.database, lambda connection: Journal(connection).run(run_id))
    assert cancel(bench, run) == "running"
    assert cancel(bench, run) == "running", "it is said once"
    assert len(interventions_of(bench, run)) == 1
    run_on(bench, run, "cancelled")
    run, steps = go_on(bench, run)
    assert (run.status, steps["say"].status, bench.calls) == ("cancelled", "held", [])
