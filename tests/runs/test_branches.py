"""Steps that choose, stop, repeat, or say what an unknown outcome means; and the values that a flow names."""

import asyncio
from datetime import timedelta

import pytest
from runs.driving import at_work, queue, until_status

from connector.errors import NetworkError, NotFoundError
from connector.runs.worker import Worker

CUT = NetworkError("the connection was cut", processed="unknown", transient=True)

SWITCH = """
- id: route
  switch:
    on: trigger.name
    cases:
      Ann: [{id: ann, uses: test.put, with: {text: to Ann}}]
      "5": [{id: five, uses: test.put, with: {text: to five}}, {id: more, uses: test.put, with: {text: more}}]
    default: [{id: other, uses: test.put, with: {text: to somebody}}]
- {id: after, uses: test.put, with: {text: "${{ steps.ann?.text ?? status.ann }}"}}
"""


def texts(bench) -> list[str]:
    return [text for _, text, _ in bench.calls]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ann", ["to Ann", "put to Ann"]),
        ("5", ["to five", "more", "skipped"]),
        ("Bob", ["to somebody", "skipped"]),
        (None, ["to somebody", "skipped"]),
    ],
)
def test_steps_of_the_case_are_done_and_no_others(bench, name, expected):
    run, _ = bench.run(bench.flow(SWITCH), name=name)
    assert (run.status, texts(bench)) == ("succeeded", expected)


def test_number_is_not_the_text_and_not_the_word_that_it_looks_like(bench):
    flow = bench.flow(
        """
        - id: route
          switch:
            on: trigger.anything
            cases:
              1: [{id: one, uses: test.put, with: {text: number}}]
              true: [{id: yes, uses: test.put, with: {text: word}}]
        """
    )
    for value, expected in ((1, ["number"]), (True, ["word"]), ("1", []), (1.0, ["number"])):
        bench.calls.clear()
        bench.run(flow, anything=value)
        assert texts(bench) == expected


def test_failure_inside_a_switch_is_the_failure_of_the_run(bench):
    bench.answers["put"] = [ValueError("x"), CUT]
    run, steps = bench.run(bench.flow(SWITCH), name="Bob")
    assert run.error.step == "other"
    assert (steps["route"].status, "after" in steps) == (run.status, False)


def test_stop_ends_the_run_as_succeeded_with_its_reason(bench):
    flow = bench.flow(
        """
        - {id: nobody, if: trigger.name == null, stop: "no name since ${{ trigger.at }}"}
        - {id: put, uses: test.put, with: {text: "${{ trigger.name.lower() }}"}}
        """,
        "outputs: {text: '${{ steps.put.text }}'}",
    )
    run, steps = bench.run(flow)
    assert (run.status, run.reason, run.outputs) == ("succeeded", "no name since 2026-03-25T10:30:00Z", None)
    assert (list(steps), bench.calls) == (["nobody"], [])
    run, steps = bench.run(flow, name="Ann")
    assert (run.outputs, steps["nobody"].status) == ({"text": "put ann"}, "skipped")


def test_stop_inside_a_switch_ends_the_run(bench):
    flow = bench.flow(
        """
        - id: route
          switch:
            on: trigger.name
            cases: {Ann: [{id: enough, stop: it is Ann}]}
        - {id: put, uses: test.put}
        """
    )
    run, _ = bench.run(flow, name="Ann")
    assert (run.status, run.reason, bench.calls) == ("succeeded", "it is Ann", [])


def test_read_is_repeated_until_its_output_is_as_wanted(bench):
    bench.answers["look"] = ["not yet", "not yet", "done"]
    flow = bench.flow(
        "- {id: look, uses: test.look, retry: {max_attempts: 5, delay: 2s, until: \"output.text == 'done'\"}}"
    )
    run, steps = bench.run(flow)
    assert (run.status, steps["look"].output, steps["look"].attempts) == ("succeeded", {"text": "done"}, 3)


def test_read_that_never_becomes_as_wanted_fails_with_the_condition(bench):
    flow = bench.flow("- {id: look, uses: test.look, retry: {max_attempts: 3, until: \"output.text == 'done'\"}}")
    run, steps = bench.run(flow)
    assert (run.status, steps["look"].error.kind, len(bench.calls)) == ("failed", "until", 3)
    assert steps["look"].error.message == "until: output.text == 'done' is false"


@pytest.mark.parametrize(
    ("choice", "run_status", "step_status", "calls"),
    [("hold", "held", "held", 1), ("skip", "succeeded", "skipped", 1), ("retry", "succeeded", "succeeded", 2)],
)
def test_flow_says_what_an_unknown_outcome_means(bench, choice, run_status, step_status, calls):
    bench.answers["say"] = [CUT]
    run, steps = bench.run(bench.flow(f"- {{id: say, uses: test.say, on_ambiguous: {choice}}}"))
    assert (run.status, steps["say"].status, len(bench.calls)) == (run_status, step_status, calls)


def test_flow_may_say_which_call_is_the_same(bench):
    bench.run(bench.flow('- {id: put, uses: test.put, idempotency_key: "lead-${{ trigger.name ?? 0 }}"}'), name="Ann")
    assert bench.calls == [("put", "", "lead-Ann")]


def test_variables_and_configuration_are_read_by_name(bench):
    (bench.folder / "connections.yaml").write_text("config: {owner: Cal, most: 3}\n")
    flow = bench.flow(
        '- {id: put, uses: test.put, with: {text: "${{ vars.both }} ${{ config.most + 1 }} ${{ config.shift }}"}}',
        """
config:
  owner: {type: str}
  most: {type: int}
  shift: {type: str, default: early}
vars:
  greeting: Hi ${{ trigger.name ?? 'you' }}
  both: ${{ vars.greeting }}, says ${{ config.owner }}
""",
    )
    bench.run(flow, name="Ann")
    assert texts(bench) == ["Hi Ann, says Cal 4 early"]


def test_event_is_held_while_the_configuration_of_its_flow_is_missing(bench):
    flow = bench.flow("- {id: put, uses: test.put}", "config: {owner: {type: str}}")

    async def accept():
        async with bench.working(flow) as (_, intake, _worker):
            return await intake.accept(bench.delivery())

    [start] = asyncio.run(accept()).starts
    assert start.held
    assert start.reason == (
        "config.owner (str) has no value: write `config: {owner: …}` into "
        "connections.yaml, or set CHATFORGE_CONFIG_OWNER"
    )


def test_run_that_has_worked_for_too_long_ends_and_waiting_is_no_work(bench):
    async def slow() -> None:
        bench.now += bench.slow

    flow = bench.flow(
        """
        - {id: first, uses: test.put}
        - {id: pause, wait: 1h}
        - {id: second, uses: test.put}
        - {id: third, uses: test.put}
        """,
        "timeout: 1m",
    )
    bench.slow = timedelta(seconds=20)
    bench.answers["put"] = [slow] * 3
    assert bench.run(flow)[0].status == "succeeded"
    bench.slow = timedelta(seconds=40)
    bench.answers["put"] = [slow] * 3
    run, steps = bench.run(flow)
    assert (run.status, run.error.kind, run.error.step) == ("failed", "timeout", "third")
    assert "third" not in steps


@pytest.mark.parametrize("inside", ["switch", "called flow"])
def test_time_limit_of_the_run_holds_inside_steps_too(bench, inside):
    async def slow() -> None:
        bench.now += timedelta(minutes=2)

    bench.answers["put"] = [slow]
    two = "[{id: first, uses: test.put}, {id: second, uses: test.say}]"
    other = f"flow: other\ninputs: {{x: {{type: int, default: 1}}}}\nsteps: {two}"
    steps = {
        "switch": f"- {{id: a, switch: {{on: trigger.name, cases: {{}}, default: {two}}}}}",
        "called flow": "- {id: a, uses: flow.other}",
    }
    run, _ = bench.run(bench.flow(steps[inside], "timeout: 1m", beside=[other]))
    assert (run.status, run.error.kind, run.error.step.rpartition("/")[2]) == ("failed", "timeout", "second")
    assert [action for action, *_ in bench.calls] == ["put"]


def test_time_limit_of_the_run_counts_across_processes(bench):
    flow = bench.flow(
        "- {id: first, uses: test.put}\n- {id: second, uses: test.put}\n- {id: third, uses: test.put}", "timeout: 1m"
    )

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            run_id = await queue(bench, intake)

            async def slow() -> None:
                bench.now += timedelta(seconds=40)
                worker.stop()

            bench.answers["put"] = [slow, slow]
            await worker.work()
            async with at_work(Worker(bench.adapter(), store, bench.clock)):
                return await until_status(store, run_id, "failed", "succeeded")

    assert asyncio.run(work()).error.step == "third"


def test_time_limit_of_the_run_holds_for_the_items_of_a_list(bench):
    async def slow() -> None:
        bench.now += timedelta(seconds=40)

    bench.answers["put"] = [slow] * 3
    flow = bench.flow(
        "- {id: all, for_each: \"['a', 'b', 'c']\", uses: test.put, max_parallel: 1, with: {text: '${{ item }}'}}",
        "timeout: 1m",
    )
    run, _ = bench.run(flow)
    assert (run.status, run.error.kind, run.error.step) == ("failed", "timeout", "all[2]")
    assert texts(bench) == ["a", "b"]


def test_doubt_about_an_attempt_stays_when_its_run_has_worked_for_too_long(bench):
    async def slow() -> None:
        bench.now += timedelta(minutes=2)
        raise CUT

    bench.answers["say"] = [slow]
    run, steps = bench.run(bench.flow("- {id: say, uses: test.say, on_ambiguous: retry}", "timeout: 1m"))
    assert (run.status, steps["say"].status, len(bench.calls)) == ("held", "held", 1)
    assert steps["say"].error.message == (
        "an earlier attempt may have taken effect, and now the run has worked for more than 60 s, which is its "
        "timeout, and say was not finished"
    )


def test_doubt_about_an_attempt_stays_when_the_time_for_another_one_is_over(bench):
    bench.answers["say"] = [CUT]
    flow = bench.flow(
        """
        - id: say
          uses: test.say
          on_ambiguous: retry
          not_after: add_duration(trigger.at, '1s')
          retry: {delay: 1h, max_delay: 1h}
        """
    )
    run, steps = bench.run(flow)
    assert (run.status, steps["say"].status, len(bench.calls)) == ("held", "held", 1)
    assert steps["say"].error.message.startswith(
        "an earlier attempt may have taken effect, and not_after: it is later than"
    )


def test_doubt_about_an_attempt_stays_when_a_later_one_is_refused(bench):
    bench.answers["say"] = [CUT, NotFoundError("gone")]
    run, steps = bench.run(bench.flow("- {id: say, uses: test.say, on_ambiguous: retry}"))
    assert (run.status, steps["say"].error.message) == (
        "held",
        "an earlier attempt may have taken effect, and now gone",
    )


def test_error_steps_are_done_where_an_output_has_no_value(bench):
    rest = """
on_error: [{id: tell, uses: test.put, with: {text: "${{ error.message }}"}}]
outputs: {rest: "${{ size(steps.look.text) % 0 }}"}
"""
    run, _ = bench.run(bench.flow("- {id: look, uses: test.look}", rest))
    assert run.status == "failed"
    assert [text for action, text, _ in bench.calls if action == "put"] == [run.error.message]


def test_condition_of_a_repetition_that_has_no_value_fails_the_step_after_its_attempt(bench):
    run, steps = bench.run(bench.flow("- {id: look, uses: test.look, retry: {until: size(output.text) % 0 == 1}}"))
    assert (run.status, run.error.attempts, steps["look"].error.kind) == ("failed", 1, "expression")


def test_step_that_gives_nothing_gives_an_empty_object(bench):
    flow = bench.flow("- {id: pause, wait: 1m}", "outputs: {nothing: '${{ json(steps.pause) }}'}")
    assert bench.run(flow)[0].outputs == {"nothing": "{}"}
