"""Calls for each item of a list: what is journalled, repeated, and how it ends."""

import asyncio

import pytest
from runs.driving import at_work, queue, until_status

from connector.errors import NetworkError, NotFoundError, ServerError
from connector.runs import claims, transitions
from connector.runs.worker import Worker

CUT = NetworkError("the connection was cut", processed="unknown", transient=True)
GONE = NotFoundError("there is no such thing")
BUSY = ServerError("busy", processed="no", transient=True)


def each(bench, action="put", more="", names="['a', 'b', 'c']", rest=""):
    return bench.flow(
        f"""
        - id: lines
          for_each: "{names}"
          uses: test.{action}
          with: {{text: "${{{{ index }}}} ${{{{ item }}}}"}}
          {more}
        """,
        rest or "outputs: {lines: '${{ steps.lines }}'}",
    )


def texts(bench) -> list[str]:
    return [text for _, text, _ in bench.calls]


def test_call_is_made_for_each_item_in_order_and_outputs_are_a_list(bench):
    run, steps = bench.run(each(bench))
    assert texts(bench) == ["0 a", "1 b", "2 c"]
    assert run.outputs == {"lines": [{"text": f"put {number} {item}"} for number, item in enumerate("abc")]}
    assert steps["lines"].input == {"items": ["a", "b", "c"]}
    assert [key for _, _, key in bench.calls] == [f"{run.id}:lines[{number}]" for number in range(3)]


def test_item_under_a_false_condition_is_skipped_and_null(bench):
    run, steps = bench.run(each(bench, more="if: item != 'b' && index < 9"))
    assert texts(bench) == ["0 a", "2 c"]
    assert run.outputs["lines"][1] is None
    assert steps["lines[1]"].reason == "if: item != 'b' is false: item is \"b\""


def test_empty_list_makes_no_call(bench):
    run, _ = bench.run(each(bench, names="[]"))
    assert (run.status, run.outputs, bench.calls) == ("succeeded", {"lines": []}, [])


def test_failed_item_is_tried_again_alone(bench):
    bench.answers["put"] = ["first", BUSY, "third", "second"]
    run, steps = bench.run(each(bench))
    assert texts(bench) == ["0 a", "1 b", "2 c", "1 b"]
    assert [item["text"] for item in run.outputs["lines"]] == ["first", "second", "third"]
    assert steps["lines[1]"].attempts == 2


def test_item_that_fails_for_good_lets_the_others_finish_and_fails_the_step(bench):
    bench.answers["put"] = ["first", GONE]
    run, steps = bench.run(each(bench))
    assert texts(bench) == ["0 a", "1 b", "2 c"]
    assert (run.status, steps["lines"].status) == ("failed", "failed")
    assert run.error.step == "lines[1]"


def test_item_may_fail_where_the_flow_goes_on(bench):
    bench.answers["put"] = ["first", GONE]
    run, steps = bench.run(each(bench, more="continue_on_error: true"))
    assert (run.status, steps["lines"].status, steps["lines[1]"].status) == ("succeeded", "succeeded", "failed")
    assert [item and item["text"] for item in run.outputs["lines"]] == ["first", None, "put 2 c"]


def test_item_that_is_held_lets_the_others_finish_and_holds_the_run(bench):
    bench.answers["say"] = ["first", CUT]
    run, steps = bench.run(each(bench, "say", more="continue_on_error: true"))
    assert texts(bench) == ["0 a", "1 b", "2 c"]
    assert (run.status, steps["lines"].status, steps["lines[1]"].status) == ("held", "held", "held")
    assert steps["lines[2]"].status == "succeeded"


@pytest.mark.parametrize(("most", "expected"), [("", 1), ("max_parallel: 2", 2)])
def test_at_most_so_many_calls_are_made_at_a_time(bench, most, expected):
    at_once = []

    async def count() -> None:
        at_once.append(1)
        counts.append(len(at_once))
        await asyncio.sleep(0.02)
        at_once.pop()

    counts: list[int] = []
    bench.answers["put"] = [count] * 5
    bench.run(each(bench, names="[1, 2, 3, 4, 5]", more=most))
    assert max(counts) == expected


def test_list_that_is_too_long_fails_the_step(bench):
    flow = each(bench, names="trigger.anything")
    run, steps = bench.run(flow, anything=list(range(1_001)))
    assert (run.status, bench.calls) == ("failed", [])
    assert steps["lines"].error.message == "for_each: the list has 1001 items; at most 1000 are allowed"


def test_list_is_the_one_that_was_written_down_also_after_a_crash(bench):
    """The second process finds the list that the first one wrote, and does only what was not finished."""
    flow = bench.flow(
        """
        - id: lines
          for_each: "[trigger.at, run.started_at]"
          uses: test.put
          with: {text: "number ${{ index }}"}
        """
    )

    async def begin() -> str:
        async with bench.working(flow) as (store, intake, _):
            run_id = await queue(bench, intake)
            [run] = await store.write(claims.claim, bench.now, 1)
            await store.write(transitions.begin_step, run, "lines", "test.put", {"items": ["x", "y", "z"]}, bench.now)
            await store.write(
                transitions.begin_attempt, run, "lines[0]", "test.put", {"text": "0"}, 1, bench.now, sending=False
            )
            await store.write(
                transitions.begin_attempt, run, "lines[0]", "test.put", {"text": "0"}, 1, bench.now, sending=True
            )
            await store.write(
                transitions.finish_step, run, "lines[0]", "test.put", "succeeded", bench.now, output={"text": "done"}
            )
            return run_id

    async def go_on(run_id: str) -> None:
        async with bench.working(flow) as (store, _, worker), at_work(worker):
            await until_status(store, run_id, "succeeded")

    asyncio.run(go_on(asyncio.run(begin())))
    assert texts(bench) == ["number 1", "number 2"]


def test_items_that_were_not_begun_go_on_in_the_next_process_at_once(bench):
    """Another item waits for its next attempt when the process ends."""
    flow = each(bench, more="retry: {delay: 1h, max_delay: 1h}", names="['a', 'b']")

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            run_id = await queue(bench, intake)

            async def fail() -> None:
                worker.stop()
                raise BUSY

            bench.answers["put"] = [fail]
            await worker.work()
            async with at_work(Worker(bench.adapter(), store, bench.clock, jitter=lambda: 1.0)):
                await until_status(store, run_id, "waiting")
            return texts(bench)

    assert asyncio.run(work()) == ["0 a", "1 b"]


def test_end_of_an_item_is_written_while_another_one_is_under_way(bench):
    """Otherwise nobody would know whether it took effect, were the process killed now."""

    async def work() -> None:
        going_on = asyncio.Event()
        bench.answers["say"] = ["first", going_on.wait]
        flow = each(bench, "say", more="max_parallel: 2", names="['a', 'b']")
        async with bench.working(flow) as (store, intake, worker), at_work(worker):
            run_id = await queue(bench, intake)
            try:
                await until_succeeded(store, run_id, "lines[0]")
            finally:
                going_on.set()
            await until_status(store, run_id, "succeeded")

    asyncio.run(work())


async def until_succeeded(store, run_id: str, step: str) -> None:
    async with asyncio.timeout(10):
        while True:
            found = store.read(lambda journal: journal.steps(run_id)).get(step)
            if found and found.status == "succeeded":
                return
            await asyncio.sleep(0.005)
