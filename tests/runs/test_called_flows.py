"""Flows that call flows: what they see, how they end, and to which texts a run is pinned."""

import asyncio

import pytest
from runs.driving import at_work, queue, until_status

from connector.errors import NetworkError, NotFoundError

GREET = """
flow: greet
inputs:
  name: {type: str}
  tone: {type: "'formal' | 'casual'", default: casual}
vars: {words: "${{ inputs.tone == 'formal' ? 'Dear' : 'Hi' }} ${{ inputs.name }}"}
steps:
  - {id: say, uses: test.say, with: {text: "${{ vars.words }}"}}
outputs: {said: "${{ steps.say.text }}"}
"""
CALL = """
- {id: ann, uses: flow.greet, with: {name: Ann, tone: formal}}
- {id: bob, uses: flow.greet, with: {name: Bob}}
"""


def texts(bench) -> list[str]:
    return [text for _, text, _ in bench.calls]


def test_called_flow_gets_its_inputs_and_gives_its_outputs(bench):
    flow = bench.flow(CALL, "outputs: {both: '${{ steps.ann.said }} and ${{ steps.bob.said }}'}", beside=[GREET])
    run, steps = bench.run(flow)
    assert texts(bench) == ["Dear Ann", "Hi Bob"]
    assert run.outputs == {"both": "say Dear Ann and say Hi Bob"}
    assert list(steps) == ["ann", "ann/say", "bob", "bob/say"]
    assert bench.calls[0][2] == f"{run.id}:ann/say", "two calls of one flow are two calls"
    assert steps["bob"].input == {"name": "Bob"}


def test_flow_is_called_for_each_item(bench):
    flow = bench.flow(
        "- {id: all, for_each: \"['Ann', 'Bob']\", uses: flow.greet, with: {name: '${{ item }}'}}", beside=[GREET]
    )
    _, steps = bench.run(flow)
    assert texts(bench) == ["Hi Ann", "Hi Bob"]
    assert steps["all"].output == [{"said": "say Hi Ann"}, {"said": "say Hi Bob"}]
    assert "all[1]/say" in steps


def test_failure_in_a_called_flow_fails_the_step_and_says_where(bench):
    bench.answers["say"] = ["fine", NotFoundError("gone")]
    run, steps = bench.run(bench.flow(CALL, beside=[GREET]))
    assert (run.status, run.error.step, steps["bob"].status) == ("failed", "bob/say", "failed")


def test_unknown_outcome_in_a_called_flow_holds_the_run(bench):
    bench.answers["say"] = [NetworkError("cut", processed="unknown", transient=True)]
    run, steps = bench.run(bench.flow(CALL, beside=[GREET]))
    assert (run.status, steps["ann"].status, "bob" in steps) == ("held", "held", False)


def test_called_flow_that_fails_does_its_own_error_steps(bench):
    sub = GREET.replace(
        "outputs:", "on_error:\n  - {id: tell, uses: test.put, with: {text: '${{ error.step }}'}}\noutputs:"
    )
    bench.answers["say"] = [NotFoundError("gone")]
    bench.run(bench.flow(CALL, beside=[sub]))
    assert texts(bench) == ["Dear Ann", "ann/say"]


def test_stop_in_a_called_flow_ends_that_flow_alone(bench):
    sub = GREET.replace("steps:", "steps:\n  - {id: enough, if: inputs.name == 'Ann', stop: it is Ann}")
    run, steps = bench.run(bench.flow(CALL, beside=[sub]))
    assert (run.status, texts(bench)) == ("succeeded", ["Hi Bob"])
    assert (steps["ann"].status, steps["ann"].output, steps["ann"].reason) == ("succeeded", None, "it is Ann")


def test_called_flow_may_wait_and_the_run_goes_on_where_it_was(bench):
    sub = GREET.replace("steps:", "steps:\n  - {id: pause, wait: 10m}")
    flow = bench.flow(CALL, beside=[sub])
    run, _ = bench.run(flow)
    assert (run.status, texts(bench)) == ("succeeded", ["Dear Ann", "Hi Bob"])


def test_run_keeps_the_texts_of_the_flows_that_it_calls(bench):
    """The called flow is edited while the run waits: the run goes on with what it began with."""
    wait = "- {id: pause, wait: 10m}\n" + CALL
    edited = GREET.replace("'Hi'", "'Hey'")
    assert bench.flow(wait, beside=[GREET]).revision != bench.flow(wait, beside=[edited]).revision

    async def begin() -> str:
        async with bench.working(bench.flow(wait, beside=[GREET])) as (store, intake, worker):
            run_id = await queue(bench, intake)
            async with at_work(worker):
                bench.now = (await until_status(store, run_id, "waiting")).wake_at
            return run_id

    async def go_on(run_id: str) -> None:
        async with bench.working(bench.flow(wait, beside=[edited])) as (store, _, worker), at_work(worker):
            await until_status(store, run_id, "succeeded")

    asyncio.run(go_on(asyncio.run(begin())))
    assert texts(bench) == ["Dear Ann", "Hi Bob"]


@pytest.mark.parametrize("anything", [12, None, ["x"]])
def test_input_that_a_called_flow_does_not_take_fails_the_step_before_anything_is_done(bench, anything):
    run, steps = bench.run(
        bench.flow("- {id: call, uses: flow.greet, with: {name: '${{ trigger.anything }}'}}", beside=[GREET]),
        anything=anything,
    )
    assert (run.error.kind, run.error.step, steps["call"].input) == ("input", "call", {"name": anything})
    assert "name: expected str, not " in run.error.message
    assert bench.calls == []
