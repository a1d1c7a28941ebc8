"""Runs that a person lets go on after their end: what is done anew, and what never is."""

from datetime import timedelta

import pytest
from runs.deciding import cancel, decide, go_on, interventions_of, retry, run_on, run_until, tell, texts

from connector import engines
from connector.errors import NetworkError, NotFoundError
from connector.runs.decisions.interventions import RefusedError
from connector.runs.journal import Journal

GONE = NotFoundError("gone")
CUT = NetworkError("cut", processed="unknown", transient=True)
THREE = """
- {id: first, uses: test.say, with: {text: first}}
- {id: second, uses: test.put, with: {text: second}}
- {id: third, uses: test.say, with: {text: third}}
"""
TELL = 'on_error:\n  - {id: tell, uses: test.put, with: {text: "${{ error.message }}"}}'


def test_retried_run_does_its_failed_step_anew_and_nothing_before_it(bench):
    bench.answers["put"] = [GONE]
    failed, _ = bench.run(bench.flow(THREE, "outputs: {said: '${{ steps.third.text }}'}"))
    assert failed.status == "failed"
    retry(bench, failed)
    run, steps = go_on(bench, failed)
    assert (run.status, run.outputs, run.error) == ("succeeded", {"said": "say third"}, None)
    assert (texts(bench, "say"), texts(bench, "put")) == (["first", "third"], ["second", "second"])
    assert steps["second"].attempts == 1, "it has all its attempts again"


def test_retried_run_may_fail_again_and_be_retried_again(bench):
    bench.answers["put"] = [GONE, GONE]
    run, _ = bench.run(bench.flow(THREE))
    retry(bench, run)
    run, _ = go_on(bench, run)
    assert (run.status, run.error.step) == ("failed", "second")
    retry(bench, run)
    assert go_on(bench, run)[0].status == "succeeded"


def test_journal_keeps_who_retried_a_run_and_what_was_done_anew(bench):
    bench.answers["put"] = [GONE]
    run, _ = bench.run(bench.flow(THREE))
    retry(bench, run, "first")
    [kept] = interventions_of(bench, run)
    assert (kept.what, kept.person.by, kept.person.reason, kept.repeats) == ("retry", "Ann", "she knows", ["first"])
    assert (kept.undone["status"], kept.undone["error"]["message"]) == ("failed", "gone")
    undone = {step["id"]: step for step in kept.undone["steps"]}
    assert (undone["first"]["output"], undone["second"]["error"]["message"]) == ({"text": "say first"}, "gone")
    assert [attempt["error"] for attempt in undone["second"]["attempts"]] == ["gone"]


@pytest.mark.parametrize("status", ["queued", "running", "succeeded"])
def test_run_that_has_not_failed_is_not_retried(bench, status):
    run, _ = bench.run(bench.flow(THREE))
    decide(bench, _set_status, run.id, status)
    with pytest.raises(RefusedError, match=f"is {status}; only one that failed, was cancelled or is held"):
        retry(bench, run)
    assert texts(bench, "put") == ["second"]


def _set_status(connection, run_id, status):
    update = "UPDATE runs SET status = ?, finished_at = CASE WHEN ? = 'succeeded' THEN finished_at END WHERE id = ?"
    connection.execute(update, (status, status, run_id))


def test_step_that_succeeded_is_repeated_only_where_it_is_named_and_for_the_other_side_too(bench):
    bench.answers["put"] = [GONE]
    run, _ = bench.run(bench.flow(THREE))
    retry(bench, run, "first")
    go_on(bench, run)
    assert texts(bench, "say") == ["first", "first", "third"]
    keys = [key for action, text, key in bench.calls if text in ("first", "second")]
    assert keys == [f"{run.id}:first", f"{run.id}:second", f"{run.id}:first:2", f"{run.id}:second"]


@pytest.mark.parametrize("named", ["third", "frist", "first[0]"])
def test_step_that_has_not_been_finished_cannot_be_repeated(bench, named):
    bench.answers["put"] = [GONE]
    run, _ = bench.run(bench.flow(THREE))
    with pytest.raises(RefusedError, match="has finished no step"):
        retry(bench, run, named)


def test_run_with_a_step_in_doubt_is_resolved_before_it_is_retried(bench):
    bench.answers["say"] = [CUT]
    run, _ = bench.run(bench.flow(THREE))
    assert run.status == "held"
    with pytest.raises(RefusedError, match=f"runs resolve {run.id} --step first --done, or --not-done"):
        retry(bench, run)
    assert texts(bench, "say") == ["first"]


def test_failure_that_the_flow_let_pass_stays(bench):
    steps = "- {id: look, uses: test.look, continue_on_error: true}\n- {id: put, uses: test.put}"
    bench.answers |= {"look": [GONE], "put": [GONE]}
    run, _ = bench.run(bench.flow(steps))
    retry(bench, run)
    _, after = go_on(bench, run)
    assert (texts(bench, "look"), after["look"].status, after["put"].status) == ([""], "failed", "succeeded")


def test_steps_of_on_error_are_done_again_when_the_run_fails_again(bench):
    bench.answers["put"] = [GONE, "told", NotFoundError("still gone")]
    run, _ = bench.run(bench.flow(THREE, TELL))
    retry(bench, run)
    run, steps = go_on(bench, run)
    assert (run.status, texts(bench, "put")) == ("failed", ["second", "gone", "second", "still gone"])
    assert steps["tell"].input == {"text": "still gone"}


def test_step_of_on_error_that_acts_once_is_not_done_again(bench):
    bench.answers["put"] = [GONE, GONE]
    run, _ = bench.run(bench.flow(THREE, TELL.replace("test.put", "test.say")))
    retry(bench, run)
    go_on(bench, run)
    assert texts(bench, "say") == ["first", "gone"]


def test_step_of_on_error_that_was_skipped_in_doubt_is_not_done_again(bench):
    bench.answers["put"], bench.answers["say"] = [GONE, GONE], ["first", CUT]
    skipped = TELL.replace("uses: test.put", "uses: test.say, on_ambiguous: skip")
    run, steps = bench.run(bench.flow(THREE, skipped))
    assert (run.status, steps["tell"].status) == ("failed", "skipped")
    retry(bench, run)
    go_on(bench, run)
    assert texts(bench, "say") == ["first", "gone"]


def test_steps_of_on_error_are_forgotten_where_the_retried_run_succeeds(bench):
    bench.answers["put"] = [GONE]
    run, _ = bench.run(bench.flow(THREE, TELL))
    retry(bench, run)
    run, steps = go_on(bench, run)
    assert (run.status, "tell" in steps) == ("succeeded", False)


def test_run_whose_outputs_failed_is_retried_from_its_end(bench):
    flow = bench.flow("- {id: put, uses: test.put}", 'outputs: {half: "${{ 1 / size(trigger.anything) }}"}')
    run, _ = bench.run(flow, anything="")
    assert run.status == "failed"
    retry(bench, run)
    assert go_on(bench, run)[0].status == "failed"
    assert len(bench.calls) == 1


def test_retried_run_has_its_whole_time_again(bench):
    async def be_slow():
        bench.now += timedelta(minutes=40)

    steps = "- {id: a, uses: test.put}\n- {id: rest, wait: 1m}\n- {id: b, uses: test.put}\n- {id: c, uses: test.put}"
    bench.answers["put"] = [be_slow, GONE, be_slow]
    run, _ = bench.run(bench.flow(steps, "timeout: 1h"))
    assert (run.status, run.error.step) == ("failed", "b")
    retry(bench, run)
    assert go_on(bench, run)[0].status == "succeeded"


def test_message_is_not_sent_late_because_its_run_was_retried(bench):
    steps = "- {id: look, uses: test.look}\n- {id: say, not_after: \"add_duration(trigger.at, '15m')\", uses: test.say}"
    bench.answers["look"] = [GONE]
    run, _ = bench.run(bench.flow(steps))
    bench.now += timedelta(minutes=16)
    retry(bench, run)
    run, after = go_on(bench, run)
    assert (run.status, after["say"].status) == ("succeeded", "skipped")


# Steps that stand inside others.

GREET = """
flow: greet
inputs: {name: {type: str}}
steps:
  - {id: say, uses: test.say, with: {text: "${{ inputs.name }}"}}
  - {id: put, uses: test.put, with: {text: "${{ inputs.name }}"}}
on_error:
  - {id: tell, uses: test.look, with: {text: "${{ error.message }}"}}
outputs: {said: "${{ steps.say.text }}"}
"""


def test_called_flow_goes_on_where_it_failed(bench):
    bench.answers["put"] = [GONE]
    flow = bench.flow(
        "- {id: ann, uses: flow.greet, with: {name: Ann}}", "outputs: {said: '${{ steps.ann.said }}'}", beside=[GREET]
    )
    run, _ = bench.run(flow)
    retry(bench, run)
    run, steps = go_on(bench, run)
    assert (run.status, run.outputs) == ("succeeded", {"said": "say Ann"})
    assert (texts(bench, "say"), texts(bench, "put"), texts(bench, "look")) == (["Ann"], ["Ann", "Ann"], ["gone"])
    assert "ann/tell" not in steps


def test_only_items_that_failed_are_done_anew(bench):
    bench.answers["say"] = ["a", GONE, "c"]
    steps = "- {id: all, for_each: \"['a', 'b', 'c']\", uses: test.say, max_parallel: 1, with: {text: '${{ item }}'}}"
    run, _ = bench.run(bench.flow(steps, "outputs: {all: '${{ steps.all }}'}"))
    assert run.status == "failed"
    retry(bench, run)
    run, _ = go_on(bench, run)
    assert texts(bench, "say") == ["a", "b", "c", "b"]
    assert run.outputs == {"all": [{"text": "a"}, {"text": "say b"}, {"text": "c"}]}


def test_step_of_a_called_flow_for_an_item_is_done_anew_alone(bench):
    bench.answers["put"] = ["fine", GONE]
    each = "- {id: all, for_each: \"['a', 'b']\", uses: flow.greet, max_parallel: 1, with: {name: '${{ item }}'}}"
    run, _ = bench.run(bench.flow(each, beside=[GREET]))
    retry(bench, run)
    run, _ = go_on(bench, run)
    assert (run.status, texts(bench, "say"), texts(bench, "put")) == ("succeeded", ["a", "b"], ["a", "b", "b"])


SWITCH = """
- id: route
  switch:
    on: trigger.name
    cases:
      a:
        - {id: say, uses: test.say}
        - {id: put, uses: test.put}
"""


def test_switch_goes_on_where_it_failed(bench):
    bench.answers["put"] = [GONE]
    run, _ = bench.run(bench.flow(SWITCH), name="a")
    retry(bench, run)
    run, _ = go_on(bench, run)
    assert (run.status, texts(bench, "say"), texts(bench, "put")) == ("succeeded", [""], ["", ""])


@pytest.mark.parametrize(
    ("named", "said"), [("route", ["", ""]), ("say", ["", ""]), ("put", [""])], ids=["all", "one", "other"]
)
def test_step_inside_another_is_repeated_by_its_name_or_with_the_other(bench, named, said):
    bench.answers["look"] = [GONE]
    run, _ = bench.run(bench.flow(SWITCH + "- {id: look, uses: test.look}"), name="a")
    retry(bench, run, named)
    run, _ = go_on(bench, run)
    assert (run.status, texts(bench, "say")) == ("succeeded", said)


def test_called_flow_that_is_repeated_is_repeated_for_the_other_side_too(bench):
    bench.answers["look"] = [GONE]
    flow = bench.flow("- {id: ann, uses: flow.greet, with: {name: Ann}}\n- {id: look, uses: test.look}", beside=[GREET])
    run, _ = bench.run(flow)
    retry(bench, run, "ann")
    go_on(bench, run)
    assert [key for action, _, key in bench.calls if action == "say"] == [f"{run.id}:ann/say", f"{run.id}:ann/say:2"]


ASK = """
- id: ok
  approve:
    title: Go?
    timeout: 1h
    on_timeout: fail
    notify: [{id: say, uses: test.say}]
"""


def test_approval_that_nobody_answered_is_asked_for_anew_without_another_message(bench):
    run, _ = bench.run(bench.flow(ASK))
    assert (run.status, run.error.kind) == ("failed", "timeout")
    retry(bench, run)
    start = bench.now
    run, _ = go_on(bench, run)
    assert (run.status, texts(bench, "say"), bench.now - start) == ("failed", [""], timedelta(hours=1))


WAIT = "- {id: more, wait_for: {uses: test.ping, match: event.name == 'more', timeout: 1h}}\n"


def test_event_is_awaited_anew_by_a_run_that_was_held_meanwhile(bench):
    run = run_until(bench, bench.flow(WAIT, "outputs: {got: '${{ steps.more?.name }}'}"), "waiting")
    decide(bench, _hold, run.id)
    tell(bench, name="more")
    retry(bench, run)
    run, _ = go_on(bench, run)
    assert (run.status, run.outputs) == ("succeeded", {"got": "more"})


def test_event_is_awaited_anew_by_a_run_that_was_cancelled_meanwhile(bench):
    run = run_until(bench, bench.flow(WAIT, "outputs: {got: '${{ steps.more?.name }}'}"), "waiting")
    assert cancel(bench, run) == "cancelled"
    bench.now += timedelta(hours=3)
    retry(bench, run)
    run = run_on(bench, run, "waiting")
    tell(bench, name="more")
    run, _ = go_on(bench, run)
    assert (run.status, run.outputs) == ("succeeded", {"got": "more"})


def _hold(connection, run_id):
    connection.execute("UPDATE runs SET status = 'held', wake_at = NULL WHERE id = ?", (run_id,))


# Runs with the same key.

LANE = "concurrency: {key: trigger.name ?? '', mode: queue}"


def test_retried_run_goes_on_behind_those_that_took_its_place(bench):
    flow = bench.flow("- {id: put, uses: test.put}\n- {id: pause, wait: 1h}", LANE)
    bench.answers["put"] = [GONE]
    failed, _ = bench.run(flow)
    bench.now += timedelta(seconds=1)
    other = run_until(bench, flow, "waiting")
    retry(bench, failed)
    done, _ = go_on(bench, other)
    assert engines.read(bench.database, lambda connection: Journal(connection).run(failed.id)).status == "queued"
    assert done.status == "succeeded"
    assert go_on(bench, failed)[0].status == "succeeded"


# With another text of the flow.

FIX = "- {id: first, uses: test.say}\n- {id: second, uses: test.put, with: {text: TEXT}}"


def test_run_goes_on_with_the_flow_as_it_is_now(bench):
    bench.answers["put"] = [GONE]
    run, _ = bench.run(bench.flow(FIX.replace("TEXT", "wrong")))
    corrected = bench.flow(FIX.replace("TEXT", "right") + "\n- {id: third, uses: test.look}", "outputs: {a: 1}")
    retry(bench, run, flow=corrected)
    run, steps = go_on(bench, run)
    assert (run.status, run.outputs, run.revision) == ("succeeded", {"a": 1}, corrected.revision)
    assert (texts(bench, "say"), texts(bench, "put"), "third" in steps) == ([""], ["wrong", "right"], True)


def test_list_stays_as_it_was_written_down(bench):
    each = "- {id: all, for_each: \"['a', 'b']\", uses: test.say, max_parallel: 1, with: {text: '${{ item }}'}}"
    bench.answers["say"] = ["fine", GONE]
    run, _ = bench.run(bench.flow(each))
    retry(bench, run, flow=bench.flow(each.replace("['a', 'b']", "['b', 'a', 'c']")))
    run, _ = go_on(bench, run)
    assert (run.status, texts(bench, "say")) == ("succeeded", ["a", "b", "b"])


def test_run_goes_on_without_the_step_that_failed(bench):
    bench.answers["put"] = [GONE]
    run, _ = bench.run(bench.flow(FIX.replace("TEXT", "wrong")))
    retry(bench, run, flow=bench.flow("- {id: first, uses: test.say}\n- {id: other, uses: test.look}"))
    run, steps = go_on(bench, run)
    assert (run.status, list(steps)) == ("succeeded", ["first", "other"])


@pytest.mark.parametrize(
    ("steps", "trigger", "sentence"),
    [
        ("- {id: fist, uses: test.say}", "{uses: test.ping}", "has no step first now, which succeeded in run_"),
        ("- {id: first, uses: test.put}", "{uses: test.ping}", "the step first is test.put now, and was test.say"),
        ("- {id: first, uses: test.say}", "{uses: schedule, with: {every: 1h}}", "does not fit schedule now: "),
    ],
    ids=["gone", "another action", "another trigger"],
)
def test_flow_that_does_not_fit_what_was_done_is_refused(bench, steps, trigger, sentence):
    bench.answers["put"] = [GONE]
    run, _ = bench.run(bench.flow(FIX))
    with pytest.raises(RefusedError, match=sentence):
        retry(bench, run, flow=bench.flow(f"{steps}\n- {{id: second, uses: test.look}}", trigger=trigger))
    assert go_on(bench, run)[0] == run, "nothing was changed"


def test_output_that_no_longer_fits_its_action_is_refused(bench):
    bench.answers["put"] = [GONE]
    run, _ = bench.run(bench.flow(FIX))
    decide(bench, _set_output, run.id)
    with pytest.raises(RefusedError, match=r"the output of first does not fit test\.say now: text"):
        retry(bench, run, flow=bench.flow(FIX + "\n- {id: third, uses: test.look}"))


def _set_output(connection, run_id):
    connection.execute("UPDATE steps SET output = '{\"text\": 5}' WHERE run_id = ? AND step = 'first'", (run_id,))


def test_step_in_doubt_cannot_be_taken_out_of_the_flow(bench):
    bench.answers["say"] = [CUT]
    run, _ = bench.run(bench.flow(FIX))
    with pytest.raises(RefusedError, match="runs resolve"):
        retry(bench, run, flow=bench.flow("- {id: other, uses: test.look}"))
