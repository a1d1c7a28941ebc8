"""`chatforge runs approve`, and what is shown of a run that waits."""

import json
import os
import pwd
import re
import signal
from datetime import UTC, datetime

import pytest

from connector.runs.decisions import answers
from connector.sqlite import read_file

FLOW = """
inputs: {email: {type: str}}
steps:
  - id: ask
    approve:
      title: Refund ${{ inputs.email }}?
      form: {note: {type: str}, share: {type: number, default: 1, description: Of the price.}}
      timeout: TIMEOUT
  - {id: keep, if: steps.ask.approved, uses: contacts.upsert, with: {email: "${{ inputs.email }}"}}
outputs: {note: "${{ steps.ask.note }}", share: "${{ steps.ask.share }}", by: "${{ steps.ask.by }}"}
"""


@pytest.fixture
def waiting(scene):
    """Starts a flow in a process that goes on, until its run waits; the run and the process."""
    processes = []

    def start(text: str = FLOW, timeout: str = "1d", step: str = "ask"):
        scene.write_flow(text.replace("TIMEOUT", timeout), "refund")
        processes.append(scene.start("run", "flows/refund.yaml", "--set", "email=ann@example.com"))
        return scene.wait_for(lambda: find_waiting(scene, step)), processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate(timeout=20)


def find_waiting(scene, step: str):
    for run in scene.runs():
        steps = scene.read(lambda journal, run=run: journal.steps(run.id))
        if run.status == "waiting" and step in steps and steps[step].status == "waiting":
            return run
    return None


def leave(process) -> None:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)


def test_answer_lets_the_run_go_on_in_the_process_that_executes_it(scene, waiting):
    run, process = waiting()
    result = scene("runs", "approve", run.id, "--set", "note=42", "--set", "share=0.5", "--by", "Ann")
    assert result.out.startswith(f"ask of {run.id} was approved by Ann at ")
    assert "nothing works on this run" not in result.out
    out, error = process.communicate(timeout=10)
    assert error == ""
    assert f"Refund ann@example.com? To answer: chatforge runs approve {run.id} ask" in out
    assert out.splitlines()[-1] == "succeeded"
    assert out.count("waiting; Ctrl-C leaves the run, and chatforge serve goes on with it\n") == 1
    [done] = scene.runs()
    assert done.outputs == {"note": "42", "share": 0.5, "by": "Ann"}


def test_answer_without_a_process_is_kept_for_the_next_one(scene, waiting):
    run, process = waiting()
    leave(process)
    result = scene("runs", "approve", run.id, "ask", "--reject")
    assert result.out.endswith("\nnothing works on this run now; start: chatforge serve --flows DIR\n")
    assert "ask was rejected by" in scene("runs", "show", run.id).out
    with scene.serving():
        scene.wait_for(lambda: scene.runs()[0].status == "succeeded")
    [done] = scene.runs()
    steps = scene.read(lambda journal: journal.steps(run.id))
    assert steps["keep"].status == "skipped"
    assert done.outputs == {"note": None, "share": 1, "by": pwd.getpwuid(os.getuid()).pw_name}


def test_runs_that_ask_are_listed_until_they_have_an_answer(scene, waiting):
    run, process = waiting()
    leave(process)
    asking = scene("runs", "approve").out
    assert re.search(rf"^{run.id} +refund +ask +Refund ann@example.com\?$", asking, re.MULTILINE)
    scene("runs", "approve", run.id, "--reject")
    assert scene("runs", "approve").out == "no run waits for an approval\n"


def test_step_that_waits_is_shown_with_the_time_of_its_beginning(scene, waiting):
    run, process = waiting()
    leave(process)
    began = scene.read(lambda journal: journal.steps(run.id))["ask"].started_at - run.created_at
    assert f"+{began.total_seconds():5.2f} s  ask " in scene("runs", "show", run.id).out


def test_second_answer_is_refused_and_the_first_one_shown(scene, waiting):
    run, process = waiting()
    leave(process)
    assert scene("runs", "approve", run.id, "--set", "note=first", "--by", "Ann").code == 0
    result = scene("runs", "approve", run.id, "--reject", "--by", "Bob")
    assert (result.code, result.error) == (1, "error: the first answer counts, and this one was not kept\n")
    assert f"ask of {run.id} was approved by Ann at " in result.out
    assert '{"note": "first"}' in result.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "the form of ask does not fit: note (str) is missing; its fields, by --set: note (str), share (number)"),
        (["--set", "note=a", "--set", "share=x"], "--set share=x: expected number, not 'x'"),
        (["--set", "nte=a"], "--set nte: there is no such field; did you mean 'note'?"),
        (["--reject", "--set", "share=x"], "--set share=x: expected number, not 'x'"),
    ],
    ids=["missing", "wrong type", "unknown", "wrong type of a rejection"],
)
def test_form_that_does_not_fit_is_told_and_nothing_is_kept(scene, waiting, options, sentence):
    run, process = waiting()
    leave(process)
    result = scene("runs", "approve", run.id, *options)
    assert (result.code, result.out) == (2, "")
    assert sentence in result.error
    assert read_file(scene.database, lambda connection: answers.find(connection, run.id, "ask")) is None


def test_step_that_waits_for_no_approval_says_how_it_stands(scene, waiting):
    run, process = waiting(timeout="500ms")
    process.communicate(timeout=20)
    result = scene("runs", "approve", run.id, "--set", "note=late")
    assert (result.code, result.error) == (
        1,
        f"error: the time to answer ask of {run.id} is over\n",
    )
    assert "has no approval 'keep'; expected ask" in scene("runs", "approve", run.id, "keep").error
    unknown = scene("runs", "approve", "run_0")
    assert (unknown.code, unknown.error) == (2, "error: there is no run 'run_0'; see: chatforge runs list\n")


def test_run_without_an_approval_says_so(scene):
    scene.write_flow("inputs: {}\nsteps: [{id: all, uses: contacts.list}]", "plain")
    run = json.loads(scene("run", "flows/plain.yaml", "--json").out)
    error = scene("runs", "approve", run["id"]).error
    assert error == f"error: the run {run['id']} is succeeded and has asked for no approval\n"


def test_shown_run_has_the_question_the_form_and_the_answer(scene, waiting):
    run, process = waiting()
    asked = scene("runs", "show", run.id).out
    for text in (
        "asks    Refund ann@example.com?",
        "form    note (str)",
        "form    share (number, default 1): Of the price.",
        f"Refund ann@example.com? To answer: chatforge runs approve {run.id} ask",
    ):
        assert text in asked
    scene("runs", "approve", run.id, "--set", "note=fine", "--by", "Ann")
    process.communicate(timeout=10)
    assert "answer  approved by Ann at " in (shown := scene("runs", "show", run.id).out)
    assert 'with {"note": "fine", "share": 1}' in shown
    assert "waits" not in shown


WAITS = """
inputs: {email: {type: str}}
steps:
  - id: pause
    STEP
"""


@pytest.mark.parametrize(
    ("step", "waits", "sentence"),
    [
        ("wait: {until: \"'2999-01-01T00:00:00Z'\"}", {"what": "time", "until": "2999-01-01T00:00:00Z"}, "waits until"),
        (
            "wait_for: {uses: manual, match: 'false', timeout: 1d}",
            {"what": "event", "trigger": "manual"},
            "waits for an event for manual until",
        ),
        ("approve: {title: Go?}", {"what": "approval", "title": "Go?", "until": None}, "waits for an approval: Go?"),
    ],
    ids=["time", "event", "approval"],
)
def test_listed_run_says_what_it_waits_for(scene, waiting, step, waits, sentence):
    run, _ = waiting(WAITS.replace("STEP", step), step="pause")
    [listed] = json.loads(scene("runs", "list", "--json").out)
    [found] = listed["waits_for"]
    assert found["step"] == "pause"
    assert {name: found[name] for name in waits} == waits
    assert f"pause {sentence}" in scene("runs", "list").out
    assert f"waits    pause {sentence}" in scene("runs", "show", run.id).out


def test_run_that_waits_for_another_attempt_says_when(scene, waiting):
    scene.break_api("v1-agents", status=503, times=1)
    waiting(WAITS.replace("STEP", "uses: chatforge.list_agents\n    retry: {delay: 1h, max_delay: 1h}"), step="pause")
    [listed] = json.loads(scene("runs", "list", "--json").out)
    assert listed["waits_for"][0]["what"] == "attempt"
    assert "pause waits for its next attempt, at" in scene("runs", "list").out


def test_run_that_waits_for_another_names_it(scene):
    scene.write_flow(
        "trigger: {uses: chatforge.event}\nconcurrency: {key: trigger.agent_id ?? '', mode: queue}\n"
        "steps: [{id: pause, wait: 1h}]",
        "one",
    )
    with scene.serving() as address:
        scene.deliver(address, visitor_email="ann@example.com")
        first = scene.wait_for(lambda: find_waiting(scene, "pause"))
        scene.deliver(address, datetime.now(UTC), visitor_email="bob@example.com")
        second, _ = scene.wait_for(lambda: runs if len(runs := scene.runs()) == 2 else None)
        listed, _ = json.loads(scene("runs", "list", "--json").out)
        key = json.dumps(scene.sandbox.agent_id)
        assert listed["id"] == second.id
        assert (listed["waits_for"][0]["what"], listed["waits_for"][0]["runs"]) == ("runs", [first.id])
        assert (
            f"waits for the run {first.id} (waiting) with the same concurrency key {key}"
            in scene("runs", "show", second.id).out
        )


def test_reason_of_a_stop_is_shown(scene):
    scene.write_flow("inputs: {}\nsteps: [{id: end, stop: Nothing to do.}]", "stops")
    run = json.loads(scene("run", "flows/stops.yaml", "--json").out)
    assert run["reason"] == "Nothing to do."
    assert "Nothing to do." in scene("runs", "list").out
    assert "reason   Nothing to do." in scene("runs", "show", run["id"]).out
