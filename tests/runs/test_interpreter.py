import asyncio
from datetime import timedelta

import pytest

from connector.errors import NetworkError, NotFoundError, OutputError, RateLimitError, ServerError

LOOK = "- {id: look, uses: test.look, with: {text: a}}"
SAY = "- {id: say, uses: test.say, with: {text: hello}}"

NOT_SENT = NetworkError("cannot reach it", processed="no", transient=True)
CUT = NetworkError("the connection was cut", processed="unknown", transient=True)
GONE = NotFoundError("there is no such thing")


def test_output_of_a_step_reaches_later_steps_and_the_outputs(bench):
    flow = bench.flow(
        """
        - {id: first, uses: test.look, with: {text: "for ${{ trigger.name ?? 'nobody' }}"}}
        - {id: second, uses: test.say, with: {text: "${{ steps.first.text }}"}}
        """,
        "outputs: {said: '${{ steps.second.text }}', state: '${{ status.second }}'}",
    )
    run, steps = bench.run(flow, name="Ann")
    assert (run.status, run.outputs) == ("succeeded", {"said": "say look for Ann", "state": "succeeded"})
    assert list(steps) == ["first", "second"]
    assert run.finished_at is not None


def test_what_a_visitor_wrote_is_not_evaluated(bench):
    hostile = "${{ run.id }} {{7*7}} +4917012345 \x00 \ud83d"
    flow = bench.flow("- {id: say, uses: test.say, with: {text: \"${{ trigger.name ?? '' }}\"}}")
    run, steps = bench.run(flow, name=hostile)
    assert run.status == "succeeded"
    assert bench.calls[0][1] == hostile
    assert steps["say"].input == {"text": hostile}


def test_false_condition_skips_the_step_and_says_which_value_made_it_false(bench):
    flow = bench.flow(
        """
        - {id: say, if: trigger.name != null && trigger.name == 'Ann', uses: test.say, with: {text: hi}}
        - {id: look, uses: test.look, with: {text: "${{ steps.say?.text ?? 'nothing' }}"}}
        """
    )
    run, steps = bench.run(flow, name="John")
    assert run.status == "succeeded"
    assert (steps["say"].status, steps["say"].attempts) == ("skipped", 0)
    assert steps["say"].reason == "if: trigger.name == 'Ann' is false: trigger.name is \"John\""
    assert bench.calls == [("look", "nothing", f"{run.id}:look")]


def test_step_after_its_time_is_skipped(bench):
    flow = bench.flow("- {id: say, not_after: \"add_duration(trigger.at, '15m')\", uses: test.say, with: {text: hi}}")
    late = (bench.now - timedelta(minutes=16)).isoformat()
    _, steps = bench.run(flow, at=late)
    assert steps["say"].status == "skipped"
    assert "not_after: it is later than 2026-03-25T10:29:00Z" in (steps["say"].reason or "")
    assert not bench.calls


def test_time_is_looked_at_again_before_each_attempt(bench):
    bench.answers["say"] = [NOT_SENT]
    flow = bench.flow(
        "- {id: say, not_after: \"add_duration(trigger.at, '1s')\", retry: {delay: 1h, max_delay: 1h}, "
        "uses: test.say, with: {text: hi}}"
    )
    _, steps = bench.run(flow)
    assert len(bench.calls) == 1
    assert steps["say"].status == "skipped"


def test_time_is_looked_at_again_after_the_wait_for_the_budget(bench):
    bench.budget_wait = timedelta(minutes=1)
    flow = bench.flow("- {id: say, not_after: \"add_duration(trigger.at, '30s')\", uses: test.say}")
    _, steps = bench.run(flow)
    assert not bench.calls
    assert (steps["say"].status, steps["say"].reason) == ("skipped", "not_after: it is later than 2026-03-25T10:30:30Z")


@pytest.mark.parametrize(
    ("action", "error", "status", "calls"),
    [
        pytest.param("look", CUT, "succeeded", 2, id="read, outcome unknown: again"),
        pytest.param("put", CUT, "succeeded", 2, id="idempotent, outcome unknown: again"),
        pytest.param("say", CUT, "held", 1, id="once, outcome unknown: held"),
        pytest.param("delete", CUT, "held", 1, id="destructive, outcome unknown: held"),
        pytest.param("say", NOT_SENT, "succeeded", 2, id="once, certainly not sent: again"),
        pytest.param("say", RateLimitError("429", transient=True), "succeeded", 2, id="once, 429: again"),
        pytest.param("say", ServerError("500", processed="unknown", transient=True), "held", 1, id="once, 500: held"),
        pytest.param("say", OutputError("HTML", processed="unknown"), "held", 1, id="once, unreadable answer: held"),
        pytest.param("say", GONE, "failed", 1, id="once, refused: failed"),
        pytest.param("look", GONE, "failed", 1, id="read, refused: failed"),
        pytest.param("look", OutputError("HTML", processed="unknown"), "failed", 1, id="read, unreadable: failed"),
        pytest.param("say", ValueError("oops"), "held", 1, id="once, fault in the plugin: held"),
        pytest.param("look", ValueError("oops"), "failed", 1, id="read, fault in the plugin: failed"),
    ],
)
def test_error_of_an_attempt_is_decided_by_its_facts_and_the_effect(bench, action, error, status, calls):
    bench.answers[action] = [error]
    run, steps = bench.run(bench.flow(f"- {{id: step, uses: test.{action}, with: {{text: a}}}}"))
    assert (run.status, steps["step"].status) == (status, status)
    assert len(bench.calls) == calls
    assert len({key for _, _, key in bench.calls}) == 1, "the idempotency key is the same for each attempt"


def test_attempts_end_with_the_last_one_allowed(bench):
    bench.answers["look"] = [NOT_SENT] * 9
    run, steps = bench.run(bench.flow("- {id: look, uses: test.look, retry: {max_attempts: 3}}"))
    assert len(bench.calls) == 3
    assert run.status == "failed"
    assert run.error
    assert (run.error.step, run.error.action, run.error.kind, run.error.attempts) == ("look", "test.look", "network", 3)
    assert steps["look"].error == run.error


def test_next_attempt_is_never_earlier_than_the_other_side_asked_for(bench):
    bench.answers["look"] = [RateLimitError("429", transient=True, retry_after=90.0)]
    started = bench.now
    run, _ = bench.run(bench.flow("- {id: look, uses: test.look, retry: {delay: 1s, max_delay: 2s}}"))
    assert run.status == "succeeded"
    assert bench.now - started >= timedelta(seconds=90)


@pytest.mark.parametrize(("action", "status"), [("look", "succeeded"), ("say", "held")])
def test_attempt_past_its_timeout_is_an_unknown_outcome(bench, action, status):
    bench.answers[action] = [lambda: asyncio.sleep(30)]
    run, _ = bench.run(bench.flow(f"- {{id: step, uses: test.{action}, timeout: 50ms}}"))
    assert run.status == status
    if status == "held":
        assert "did not finish within its timeout of 0.05 s" in (run.error.message if run.error else "")


def test_failure_runs_the_error_steps_with_the_error(bench):
    bench.answers["look"] = [GONE]
    flow = bench.flow(
        LOOK + "\n" + SAY,
        """
on_error:
- {id: tell, uses: test.put, with: {text: '${{ error.kind }} ${{ error.step }} ${{ error.attempts }}'}}
""",
    )
    run, steps = bench.run(flow)
    assert run.status == "failed"
    assert bench.calls[1:] == [("put", "not_found look 1", f"{run.id}:tell")]
    assert "say" not in steps


def test_held_run_tells_its_error_steps_that_it_is_held(bench):
    bench.answers["say"] = [CUT]
    flow = bench.flow(SAY, "on_error:\n- {id: tell, uses: test.put, with: {text: '${{ error.kind }}'}}")
    run, _ = bench.run(flow)
    assert run.status == "held"
    assert bench.calls[1][:2] == ("put", "held")


def test_ambiguous_step_after_a_failure_holds_the_run(bench):
    bench.answers |= {"look": [GONE], "say": [CUT]}
    run, steps = bench.run(bench.flow(LOOK, "on_error:\n- {id: tell, uses: test.say}"))
    assert (run.status, steps["tell"].status) == ("held", "held")
    assert run.error
    assert run.error.step == "tell"


def test_step_that_may_fail_does_not_end_the_run(bench):
    bench.answers["look"] = [GONE]
    flow = bench.flow(
        "- {id: look, uses: test.look, continue_on_error: true}\n"
        '- {id: say, uses: test.say, with: {text: "${{ steps.look?.text ?? status.look }}"}}'
    )
    run, steps = bench.run(flow)
    assert (run.status, steps["look"].status) == ("succeeded", "failed")
    assert bench.calls[1][1] == "failed"


def test_input_of_a_wrong_type_fails_the_step_before_anything_is_sent(bench):
    flow = bench.flow("- {id: say, uses: test.say, with: {text: '${{ trigger.anything }}'}}")
    run, steps = bench.run(flow, anything=42)
    assert not bench.calls
    assert steps["say"].input == {"text": 42}
    assert run.error
    assert run.error.kind == "input"
    assert "text: input should be a valid string, not 42" in run.error.message


def test_expression_without_a_value_fails_the_step(bench):
    run, _ = bench.run(
        bench.flow("- {id: say, uses: test.say, with: {text: '${{ string(1 / trigger.anything) }}'}}"), anything=0
    )
    assert not bench.calls
    assert run.error
    assert (run.error.kind, run.error.step) == ("expression", "say")


def test_condition_that_is_neither_true_nor_false_fails_the_step(bench):
    run, _ = bench.run(bench.flow("- {id: say, if: trigger.anything, uses: test.say}"), anything="false")
    assert not bench.calls
    assert run.error
    assert run.error.kind == "expression"
