"""What steps are given instead of being done."""

import asyncio

from connector.runs import pins
from connector.runs.pins import Pin

SAY = "- {id: say, uses: test.say, with: {text: hello}}"


def test_pin_holds_in_the_process_that_goes_on_after_a_crash(bench):
    flow = bench.flow(f"- {{id: pause, wait: 1h}}\n{SAY}")

    async def start() -> str:
        async with bench.working(flow) as (_, intake, _worker):
            [begun] = (await intake.accept(bench.delivery(), {"say": Pin({"text": "given"})})).starts
            return begun.run_id

    async def go_on(run_id: str):
        async with bench.working(flow) as (store, _, worker):
            return await bench.finish(store, worker, run_id)

    run, steps = asyncio.run(go_on(asyncio.run(start())))
    assert run.status == "succeeded"
    assert steps["say"].output == {"text": "given"}
    assert bench.calls == []


def test_pins_are_those_of_one_run(bench):
    flow = bench.flow(SAY)

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            await intake.accept(bench.delivery(), {"say": Pin({"text": "given"})})
            [second] = (await intake.accept(bench.delivery())).starts
            return await bench.finish(store, worker, second.run_id)

    _, steps = asyncio.run(work())
    assert steps["say"].output == {"text": "say hello"}


def test_notify_of_a_pinned_approval_is_done_and_nobody_is_waited_for(bench):
    flow = bench.flow(
        "- id: ask\n  approve: {title: Go?, form: {n: {type: int, default: 3}}, notify: "
        "[{id: say, uses: test.say, with: {text: asked}}]}"
    )

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            [begun] = (await intake.accept(bench.delivery(), {"ask": Pin({"approved": False})})).starts
            return await bench.finish(store, worker, begun.run_id)

    _, steps = asyncio.run(work())
    assert steps["ask"].output == {"approved": False, "by": None, "at": "2026-03-25T10:30:00Z", "n": 3}
    assert [text for _, text, _ in bench.calls] == ["asked"]


def test_pin_of_the_step_comes_before_that_of_each_item_and_of_all():
    one, each, every = Pin(1), Pin(2), Pin(3)
    given = {"a[0]": one, "a[]": each, "*": every}
    found = [pins.find_any(given, path) for path in ("a[0]", "a[1]", "b")]
    assert found == [one, each, every]
    assert pins.find(given, "b") is None
