"""Steps that may have taken effect, and the word of a person for whether they did."""

import asyncio
from typing import Any

import pytest
from runs.deciding import cancel, decide, go_on, interventions_of, load_flow, resolve, retry, texts
from runs.driving import begin, queue

from connector import engines
from connector.errors import NetworkError, NotFoundError, RejectedError
from connector.runs import claims, transitions
from connector.runs.decisions.interventions import RefusedError
from connector.runs.journal import Journal
from connector.runs.records import Failure

CUT = NetworkError("cut", processed="unknown", transient=True)
GONE = NotFoundError("gone")
TWO = """
- {id: say, uses: test.say, with: {text: hello}}
- {id: put, uses: test.put, with: {text: "${{ steps.say.text }}"}}
"""
TELL = "on_error:\n  - {id: tell, uses: test.put, with: {text: '${{ error.kind }}'}}"
ITEMS = "- {id: all, for_each: \"['a', 'b', 'c']\", uses: test.say, max_parallel: 1, with: {text: '${{ item }}'}}"


def held(bench, flow, *answers, **payload):
    bench.answers["say"] = list(answers) or [CUT]
    run, _ = bench.run(flow, **payload)
    assert run.status == "held"
    return run


def test_step_that_took_effect_gives_what_the_person_says_and_is_not_done_again(bench):
    run = held(bench, bench.flow(TWO))
    resolved = resolve(bench, run, "say", {"text": "said"}, done=True)
    assert (resolved.run.status, resolved.run.error, resolved.left) == ("queued", None, [])
    run, steps = go_on(bench, run)
    assert (run.status, texts(bench, "say"), texts(bench, "put")) == ("succeeded", ["hello"], ["said"])
    assert steps["say"].reason == "Ann says that it took effect: she knows"


def test_step_that_did_not_take_effect_is_done_anew_with_its_key(bench):
    run = held(bench, bench.flow(TWO))
    resolve(bench, run, "say", done=False)
    run, steps = go_on(bench, run)
    assert (run.status, texts(bench, "put"), steps["say"].attempts) == ("succeeded", ["say hello"], 1)
    assert [key for action, _, key in bench.calls if action == "say"] == [f"{run.id}:say"] * 2, "as far as it goes"


def test_journal_keeps_who_resolved_a_step_and_how_it_stood(bench):
    run = held(bench, bench.flow(TWO))
    resolve(bench, run, "say", done=False)
    [kept] = interventions_of(bench, run)
    assert (kept.what, kept.step, kept.person.by, kept.person.reason) == ("not_done", "say", "Ann", "she knows")
    [step] = kept.undone["steps"]
    assert (step["status"], step["error"]["message"], len(step["attempts"])) == ("held", "cut", 1)


def test_items_in_doubt_are_resolved_one_by_one_and_the_run_goes_on_after_the_last(bench):
    run = held(bench, bench.flow(ITEMS, "outputs: {all: '${{ steps.all }}'}"), CUT, CUT, "c")
    with pytest.raises(
        RefusedError, match=r"several steps of run_\w+ are held; name one with --step: all\[0\] or all\[1\]"
    ):
        resolve(bench, run, None, done=False)
    first = resolve(bench, run, "all[0]", {"text": "a"}, done=True)
    assert (first.run.status, first.left) == ("held", ["all[1]"])
    assert resolve(bench, run, "all[1]", done=False).run.status == "queued"
    run, _ = go_on(bench, run)
    assert run.outputs == {"all": [{"text": "a"}, {"text": "say b"}, {"text": "c"}]}
    assert texts(bench, "say") == ["a", "b", "c", "b"]


def test_item_that_failed_beside_one_in_doubt_stays_failed(bench):
    run = held(bench, bench.flow(ITEMS), CUT, GONE, "c")
    resolve(bench, run, "all[0]", done=False)
    run, _ = go_on(bench, run)
    assert (run.status, run.error.step, texts(bench, "say")) == ("failed", "all[1]", ["a", "b", "c", "a"])


GREET = """
flow: greet
inputs: {name: {type: str}}
steps:
  - id: route
    switch:
      on: inputs.name
      cases: {Bob: [{id: look, uses: test.look}]}
      default:
        - {id: say, uses: test.say, with: {text: "${{ inputs.name }}"}}
  - {id: put, uses: test.put, with: {text: "${{ inputs.name }}"}}
"""


@pytest.mark.parametrize(("done", "said"), [(True, ["Ann"]), (False, ["Ann", "Ann"])])
def test_step_deep_inside_is_resolved_by_its_path(bench, done, said):
    run = held(bench, bench.flow("- {id: ann, uses: flow.greet, with: {name: Ann}}", beside=[GREET]))
    with pytest.raises(RefusedError, match=r"'ann' of .* is held; expected ann/say"):
        resolve(bench, run, "ann", done=done)
    resolve(bench, run, "ann/say", {"text": ""} if done else None, done=done)
    run, _ = go_on(bench, run)
    assert (run.status, texts(bench, "say"), texts(bench, "put")) == ("succeeded", said, ["Ann"])


def test_steps_of_on_error_run_again_when_the_run_fails_after_it_was_resolved(bench):
    run = held(bench, bench.flow(TWO, TELL))
    assert texts(bench, "put") == ["held"]
    bench.answers["put"] = [GONE]
    resolve(bench, run, "say", {"text": "said"}, done=True)
    run, _ = go_on(bench, run)
    assert (run.status, texts(bench, "put")) == ("failed", ["held", "said", "not_found"])


ALARM = """
on_error:
  - {id: look, uses: test.look}
  - {id: alarm, uses: test.say, with: {text: alarm}}
  - {id: end, uses: test.put}
"""


def test_message_of_on_error_that_is_resolved_leaves_the_run_failed(bench):
    bench.answers["look"] = [GONE]
    run = held(bench, bench.flow("- {id: look1, uses: test.look}", ALARM))
    assert run.error.step == "alarm"
    resolve(bench, run, "alarm", {"text": ""}, done=True)
    run, _ = go_on(bench, run)
    assert (run.status, run.error.step) == ("failed", "look1")
    assert (texts(bench, "look"), texts(bench, "say"), texts(bench, "put")) == (["", ""], ["alarm"], [""])


def test_step_whose_flow_no_longer_checks_is_resolved_and_its_run_waits_for_another_text(bench):
    run = held(bench, bench.flow(TWO))
    flow = load_flow(bench, run)
    decide(bench, _spoil, run.revision)
    resolved = resolve(bench, run, "say", {"text": "said"}, done=True)
    assert resolved.run.status == "held"
    assert "no longer checks" in resolved.flow
    other = bench.flow(TWO + "\n- {id: more, uses: test.look}")
    retry(bench, run, flow=other)
    assert go_on(bench, run)[0].status == "succeeded"
    assert (flow.revision != other.revision, texts(bench, "say")) == (True, ["hello"])


def _spoil(connection, revision):
    connection.execute("UPDATE revisions SET source = '\"flow: example\"' WHERE id = ?", (revision,))


def test_step_of_a_cancelled_run_is_resolved_before_that_is_retried(bench):
    run = held(bench, bench.flow(TWO))
    cancel(bench, run)
    with pytest.raises(RefusedError, match="runs resolve"):
        retry(bench, run)
    assert resolve(bench, run, "say", {"text": "said"}, done=True).run.status == "cancelled"
    retry(bench, run)
    run, _ = go_on(bench, run)
    assert (run.status, texts(bench, "say")) == ("succeeded", ["hello"])


def test_step_is_resolved_once(bench):
    run = held(bench, bench.flow(TWO))
    resolve(bench, run, "say", {"text": "said"}, done=True)
    with pytest.raises(RefusedError, match="is queued; only a held one can be resolved"):
        resolve(bench, run, "say", done=False)
    _, steps = go_on(bench, run)
    assert steps["say"].output == {"text": "said"}


def test_run_that_is_held_for_no_step_is_retried_and_not_resolved(bench):
    run, _ = bench.run(bench.flow(TWO))
    decide(bench, _hold, run.id)
    with pytest.raises(RefusedError, match=f"let it go on: chatforge runs retry {run.id}"):
        resolve(bench, run, None, done=False)


def _hold(connection, run_id):
    connection.execute("UPDATE runs SET status = 'held', finished_at = NULL WHERE id = ?", (run_id,))


def test_call_that_a_fault_of_the_program_left_open_is_resolved_before_its_run_is_retried(bench):
    """The fault came after the bytes may have gone out, so nobody may send them again."""
    flow = bench.flow(TWO)

    async def leave() -> str:
        async with bench.working(flow) as (store, intake, _):
            run_id = await queue(bench, intake)
            [run] = await store.write(claims.claim, bench.now, 10)
            await begin(bench, store, run, "say", "test.say", {"text": "hello"}, sending=True)
            await store.write(transitions.finish_run, run, "held", bench.now)
            return run_id

    run_id = asyncio.run(leave())
    run = engines.read(bench.database, lambda connection: Journal(connection).run(run_id))
    with pytest.raises(RefusedError, match="nobody knows whether say took effect"):
        retry(bench, run)
    resolve(bench, run, "say", {"text": "hello"}, done=True)
    run, steps = go_on(bench, run)
    assert (run.status, steps["say"].status, texts(bench, "say")) == ("succeeded", "succeeded", [])


def test_call_that_a_failed_run_left_open_is_resolved_before_the_run_is_retried(bench):
    flow = bench.flow(TWO)

    async def leave() -> Any:
        async with bench.working(flow) as (store, intake, _):
            await queue(bench, intake)
            [run] = await store.write(claims.claim, bench.now, 10)
            await begin(bench, store, run, "say", "test.say", {"text": "hello"}, sending=True)
            await store.write(transitions.finish_run, run, "failed", bench.now)
            return run

    run = asyncio.run(leave())
    with pytest.raises(RefusedError, match="nobody knows whether say took effect"):
        retry(bench, run)
    assert resolve(bench, run, "say", {"text": "hello"}, done=True).run.status == "failed"
    retry(bench, run)
    assert (go_on(bench, run)[0].status, texts(bench, "say")) == ("succeeded", [])


def test_message_of_on_error_that_a_cancelled_run_left_open_is_not_sent_again_unasked(bench):
    flow = bench.flow("- {id: look, uses: test.look}", "on_error:\n- {id: say, uses: test.say}")

    async def leave() -> Any:
        async with bench.working(flow) as (store, intake, _):
            await queue(bench, intake)
            [run] = await store.write(claims.claim, bench.now, 10)
            await begin(bench, store, run, "look", "test.look", {"text": ""}, sending=True)
            failure = Failure("look", "test.look", "no", "rejected", 1)
            await store.write(transitions.finish_step, run, "look", "test.look", "failed", bench.now, error=failure)
            await begin(bench, store, run, "say", "test.say", {"text": ""}, sending=True)
            await store.write(claims.requeue)
            return run

    run = asyncio.run(leave())
    cancel(bench, run)
    with pytest.raises(RefusedError, match="nobody knows whether say took effect"):
        retry(bench, run)
    resolve(bench, run, "say", {"text": ""}, done=True)
    retry(bench, run)
    bench.answers["look"] = [RejectedError("no")]
    run, steps = go_on(bench, run)
    assert (run.status, steps["say"].status, texts(bench, "say")) == ("failed", "succeeded", [])
