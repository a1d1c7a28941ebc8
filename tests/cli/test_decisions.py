"""`chatforge runs retry`, `resolve` and `cancel`, alone and beside a process that executes the database."""

import json
import os
import pwd
import re
import signal
import time

import pytest

LIST = """
inputs: {email: {type: str, default: ann@example.com}}
steps:
  - {id: contact, uses: contacts.upsert, with: {email: "${{ inputs.email }}"}}
  - {id: agents, uses: chatforge.list_agents}
outputs: {id: "${{ steps.contact.id }}"}
"""
EVENT = """
trigger: {uses: chatforge.event}
steps:
  - {id: contacts, uses: contacts.list}
  - {id: agents, uses: chatforge.list_agents}
  - {id: last, uses: contacts.list}
"""
GREET = """
inputs: {agent_id: {type: str}, conversation_id: {type: str}}
steps:
  - id: hello
    uses: chatforge.inject_message
    with: {agent_id: "${{ inputs.agent_id }}", conversation_id: "${{ inputs.conversation_id }}", content: Hello}
  - {id: contact, uses: contacts.upsert, with: {email: ann@example.com, note: "${{ steps.hello.message.id }}"}}
outputs: {message: "${{ steps.hello.message.id }}"}
"""
REFUSED = {"status": 400, "body": json.dumps({"error": "no"}), "style": "text"}


@pytest.fixture
def failed(scene):
    """A run whose second step was refused."""
    scene.write_flow(LIST, "list")
    scene.break_api("v1-agents", **REFUSED)
    result = scene("run", "flows/list.yaml")
    assert result.code == 1, result.out
    return scene.runs()[0]


@pytest.fixture
def held(scene):
    """A run that may have greeted a visitor, and the visit."""
    scene.write_flow(GREET, "greet")
    visit = scene.visit()
    scene.break_api("v1-message", cut="after_effect")
    given = [f"--set=agent_id={scene.sandbox.agent_id}", f"--set=conversation_id={visit['conversation_id']}"]
    assert "it may have carried out the request" in scene("run", "flows/greet.yaml", *given).out
    return scene.runs()[0], visit["conversation_id"]


def test_retried_run_is_done_and_shown(scene, failed):
    result = scene("runs", "retry", failed.id, "--by", "Ann", "--reason", "the API is back")
    assert result.code == 0, result.error
    run_id, contact, agents, last = result.out.splitlines()
    assert (run_id, last) == (failed.id, "succeeded")
    assert ("contact " in contact, "agents  " in agents) == (True, True)
    [run] = scene.runs()
    assert run.status == "succeeded"
    shown = scene("runs", "show", failed.id).out
    assert re.search(r"decision  retried by Ann at .*: the API is back\n +before: agents failed, ", shown)
    [kept] = json.loads(scene("runs", "show", failed.id, "--json").out)["decisions"]
    assert (kept["what"], kept["by"], kept["undone"]["status"]) == ("retry", "Ann", "failed")


def test_retried_run_is_printed_as_json_and_its_code_says_how_it_ended(scene, failed):
    scene.break_api("v1-agents", **REFUSED)
    result = scene("runs", "retry", failed.id, "--json")
    assert result.code == 1
    assert json.loads(result.out)["status"] == "failed"
    again = json.loads(scene("runs", "retry", failed.id, "--json").out)
    assert (again["status"], list(again["outputs"])) == ("succeeded", ["id"])


def test_server_does_a_run_that_is_retried_beside_it(scene, failed):
    with scene.serving():
        assert scene("runs", "retry", failed.id).out.splitlines()[-1] == "succeeded"
    assert len(scene.read(lambda journal: journal.attempts(failed.id))) == 2, "the first step has none anew"


def test_run_goes_on_with_the_corrected_flow(scene, failed):
    scene.write_flow(LIST.replace("steps:", "steps:\n  - {id: before, uses: contacts.list}"), "list")
    result = scene("runs", "retry", failed.id, "--latest")
    assert result.code == 0, result.error
    assert "before " in result.out


@pytest.mark.parametrize(
    ("text", "options", "code", "sentence"),
    [
        (LIST.replace("id: contact", "id: person").replace("steps.contact", "steps.person"), ["--latest"], 1,
         "the flow 'list' has no step contact now, which succeeded in "),
        (None, ["--latest", "--flows", "flows/other.yaml"], 2, "there is no flow 'list' in 'flows/other.yaml'"),
        (LIST.replace("agents, uses", "agents, use"), ["--latest"], 1, "write uses: [unknown-key]"),
        (None, ["--repeat-effects", "contacts"], 1, "has finished no step 'contacts'; did you mean 'contact'?"),
    ],
    ids=["misfit", "no such flow", "problem", "no such step"],
)  # fmt: skip
def test_retry_that_cannot_be_is_refused_and_changes_nothing(scene, failed, text, options, code, sentence):
    scene.write_flow(LIST, "other")
    if text:
        scene.write_flow(text, "list")
    result = scene("runs", "retry", failed.id, *options)
    assert (result.code, sentence in result.error) == (code, True), result.error
    assert scene.runs() == [failed]


def test_run_that_is_not_there_is_told(scene, failed):
    for command in (["retry"], ["resolve", "--done"], ["cancel"]):
        result = scene("runs", command[0], "run_0", *command[1:])
        assert (result.code, result.error) == (2, "error: there is no run 'run_0'; see: chatforge runs list\n")


def test_run_that_succeeded_is_neither_retried_nor_cancelled_nor_resolved(scene, failed):
    scene("runs", "retry", failed.id)
    for command, rest in (("retry", []), ("cancel", []), ("resolve", ["--done"])):
        result = scene("runs", command, failed.id, *rest)
        assert (result.code, f"{failed.id} is succeeded; only " in result.error) == (1, True)


def test_held_run_says_what_can_be_done_and_is_not_retried(scene, held):
    run, _ = held
    how = f"chatforge runs resolve {run.id} --step hello --done, or --not-done"
    assert f"next     did hello take effect? {how}" in scene("runs", "show", run.id).out
    refused = scene("runs", "retry", run.id)
    assert refused.code == 1
    assert refused.error == (
        f"error: nobody knows whether hello took effect; look at the other side, then say so: {how}\n"
    )


def test_message_that_was_sent_is_not_sent_again(scene, held):
    run, chat = held
    result = scene("runs", "resolve", run.id, "--done", "--set", "message.id=m1", "--reason", "it is in the chat")
    assert result.code == 0, result.error
    first, *_, last = result.out.splitlines()
    assert first.startswith(f"hello of {run.id} took effect, says {pwd.getpwuid(os.getuid()).pw_name} at ")
    assert last == "succeeded"
    assert scene.messages(chat) == ["Hello"]
    assert scene.runs()[0].outputs == {"message": "m1"}
    assert "decision  hello took effect, says " in scene("runs", "show", run.id).out


def test_what_a_message_gave_may_stay_unknown(scene, held):
    run, chat = held
    assert scene("runs", "resolve", run.id, "--done").code == 0
    assert (scene.messages(chat), scene.runs()[0].outputs) == (["Hello"], {"message": "unknown"})


def test_message_that_was_not_sent_is_sent(scene, held):
    run, chat = held
    result = scene("runs", "resolve", run.id, "--step", "hello", "--not-done")
    assert result.code == 0, result.error
    assert "did not take effect and is done anew, says" in result.out
    assert scene.messages(chat) == ["Hello", "Hello"], "the person was wrong, and this is what was asked for"


def test_server_goes_on_with_a_run_that_is_resolved_beside_it(scene, held):
    run, _ = held
    with scene.serving():
        resolved = json.loads(scene("runs", "resolve", run.id, "--not-done", "--json").out)
    assert (resolved["id"], resolved["status"]) == (run.id, "succeeded")


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ([], 2, "say whether hello took effect: either --done, or --not-done"),
        (["--done", "--not-done"], 2, "say whether hello took effect: either --done, or --not-done"),
        (["--done", "--output", "{}"], 2, "needs the field 'message' (Message); give it with --output JSON or --set"),
        (["--done", "--set", "message=5"], 2, "--set message=5: "),
        (["--done", "--output", "{}", "--set", "message.id=1"], 2, "give one of them"),
        (["--not-done", "--output", "{}"], 2, "belong to --done"),
        (["--not-done", "--reason", "x" * 1_001], 2, "--reason has 1,001 characters; give at most 1,000"),
        (
            ["--not-done", "--flows", "nowhere"],
            2,
            "--flows is 'nowhere', which does not exist; name a folder or a flow",
        ),
        (["--done", "--step", "contact"], 1, "is none of its steps; expected hello"),
    ],
)
def test_resolution_that_cannot_be_is_refused_and_changes_nothing(scene, held, options, code, sentence):
    run, _ = held
    result = scene("runs", "resolve", run.id, *options)
    assert (result.code, sentence in result.error) == (code, True), result.error
    assert scene.runs() == [run]


# Runs that are cancelled.


def test_run_that_waits_is_cancelled_at_once(scene):
    scene.write_flow("inputs: {}\nsteps: [{id: pause, wait: 1h}]", "waits")
    process = scene.start("run", "flows/waits.yaml")
    run = scene.wait_for(lambda: [run for run in scene.runs() if run.status == "waiting"])[0]
    result = scene("runs", "cancel", run.id, "--by", "Ann", "--reason", "not needed")
    assert (result.code, result.out) == (0, f"{run.id} is cancelled by Ann: not needed\n")
    out, _ = process.communicate(timeout=10)
    assert (process.returncode, out.splitlines()[-1]) == (1, "cancelled: cancelled by Ann: not needed")
    assert "cancelled by Ann: not needed" in scene("runs", "list").out


def test_server_ends_a_run_after_the_call_that_it_is_in(scene):
    scene.write_flow(EVENT)
    scene.break_api("v1-agents", delay_seconds=8)
    with scene.serving() as address:
        scene.deliver(address, visitor_email="ann@example.com")
        scene.wait_for(lambda: "agents" in _steps(scene))
        result = scene("runs", "cancel", scene.runs()[0].id)
        assert result.code == 0, result.error
        assert "agents     succeeded" in result.out
    steps = _steps(scene)
    assert (scene.runs()[0].status, steps["agents"].status, "last" in steps) == ("cancelled", "succeeded", False)


def test_server_ends_a_run_that_waits_for_the_rate_limit(scene):
    scene.write_flow(EVENT.replace("{id: last, uses: contacts.list}", "{id: more, uses: chatforge.list_agents}"))
    with scene.serving(CHATFORGE_RATE_LIMIT="1") as address:
        scene.deliver(address, visitor_email="ann@example.com")
        scene.wait_for(lambda: "more" in _steps(scene))
        begin = time.monotonic()
        result = scene("runs", "cancel", scene.runs()[0].id, "--json")
        assert json.loads(result.out)["status"] == "cancelled"
        assert time.monotonic() - begin < 10
    assert _steps(scene)["more"].status == "started"
    assert scene.requests()["v1-agents"] == {"200": 1}


def test_run_whose_process_was_killed_in_a_call_is_cancelled_and_what_is_not_known_is_told(scene):
    scene.write_flow(GREET, "greet")
    visit = scene.visit()
    scene.break_api("v1-message", delay_seconds=20)
    given = [f"--set=agent_id={scene.sandbox.agent_id}", f"--set=conversation_id={visit['conversation_id']}"]
    process = scene.start("run", "flows/greet.yaml", *given)
    scene.wait_for(lambda: [step for step in _steps(scene).values() if step.status == "sending"])
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    [run] = scene.runs()
    result = scene("runs", "cancel", run.id)
    assert result.code == 0, result.error
    assert result.out.splitlines()[-1] == f"nobody knows whether hello took effect; see: chatforge runs show {run.id}"
    assert (scene.runs()[0].status, _steps(scene)["hello"].status) == ("cancelled", "held")


def _steps(scene):
    return scene.read(lambda journal: journal.steps(run[0].id) if (run := journal.runs(1)) else {})
