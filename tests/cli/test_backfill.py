"""A flow over what exists already, with real processes that are interrupted, killed and started beside a server."""

import json
import os
import pty
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connector.sqlite import exclusive

LEADS = "trigger: {uses: chatforge.lead_captured, with: {every: 5s}}\n"
CONTACT = "steps: [{id: contact, uses: contacts.upsert, with: {email: \"${{ trigger.visitor_email ?? '' }}\"}}]\n"
GREET = """
steps:
  - id: chat
    uses: chatforge.find_conversation
    with: {agent_id: "${{ trigger.agent_id }}", visitor_email: "${{ trigger.visitor_email ?? '' }}"}
  - id: greet
    if: steps.chat.conversation != null
    uses: chatforge.inject_message
    with:
      agent_id: ${{ trigger.agent_id }}
      conversation_id: ${{ steps.chat.conversation.id }}
      content: Hello
"""


def visitors(scene) -> list[str]:
    """Of the runs, in the order in which they were created."""
    runs = sorted(scene.runs(), key=lambda run: run.created_at)
    return [run.trigger["visitor_email"].partition("@")[0] for run in runs]


def test_flow_runs_over_each_lead_once_and_begins_with_the_oldest(scene):
    scene.fill(60)
    scene.write_flow(LEADS + CONTACT)
    first = scene("backfill", "flows/leads.yaml")
    assert (first.code, first.out) == (0, "leads: 60 entries read, 60 runs\n      60 succeeded\n"), first.error
    assert visitors(scene) == [f"visitor{number}" for number in range(60)]
    assert scene("backfill", "flows/leads.yaml").out == "leads: 60 entries read, 0 runs\n      60 had run before\n"


def test_conversations_are_run_over(scene):
    scene.fill(3, capture_lead=False)
    scene.write_flow("trigger: {uses: chatforge.new_conversation}\nsteps: [{id: contacts, uses: contacts.list}]\n")
    assert scene("backfill", "flows/leads.yaml").out.startswith("leads: 3 entries read, 3 runs\n")


def test_steps_that_act_once_are_left_out_unless_allowed(scene):
    [story] = scene.fill(1)
    scene.write_flow(LEADS + GREET)
    result = scene("backfill", "flows/leads.yaml")
    assert result.out.splitlines()[:3] == [
        "left out: greet, since chatforge.inject_message is once",
        "what has run is not run again, so these steps are left out for good;",
        "--allow-once does them",
    ]
    [run] = scene.runs()
    step = scene.read(lambda journal: journal.steps(run.id))["greet"]
    assert (run.status, step.status) == ("succeeded", "skipped")
    assert step.reason == "a backfill leaves out what acts on somebody once; --allow-once does it"
    scene.write_flow(LEADS + GREET, "again")
    assert scene("backfill", "flows/again.yaml", "--allow-once").out.startswith("again: 1 entry read, 1 run\n")
    assert scene.messages(story["conversation_id"]) == ["Hello"]


def test_flow_without_any_other_step_is_refused(scene):
    scene.fill(1)
    say = "chatforge.inject_message, with: {agent_id: a, conversation_id: b, content: Hello}"
    steps = f"steps: [{{id: greet, uses: {say}}}, {{id: again, uses: {say}}}]\n"
    scene.write_flow(LEADS + steps + "on_error: [{id: contacts, uses: contacts.list}]\n")
    result = scene("backfill", "flows/leads.yaml")
    sentence = "the flow 'leads' has no step that a backfill does: greet, again would be left out; give --allow-once"
    assert (result.code, result.out, result.error) == (2, "", f"error: {sentence}\n")
    assert scene("backfill", "flows/leads.yaml", "--allow-once").out.startswith("leads: 1 entry read, 1 run\n")


def test_flow_that_needs_what_is_left_out_is_refused(scene):
    needs = 'outputs: {said: "${{ steps.greet.message.id }}"}\n'
    scene.write_flow(
        LEADS
        + GREET.replace("    if: steps.chat.conversation != null\n", "").replace(
            "steps.chat.conversation.id", "steps.chat.conversation?.id ?? ''"
        )
        + needs
    )
    assert scene("check", "flows").code == 0
    result = scene("backfill", "flows/leads.yaml")
    assert result.code == 1
    assert "a backfill leaves out greet, so what reads them must be guarded; or give --allow-once" in result.error
    assert "flows/leads.yaml:" in result.error


def test_dry_run_says_what_would_run_and_writes_nothing(scene):
    leads = [story["lead_id"] for story in scene.fill(3)]
    scene.visit("visitor0@example.com", webhook=False)
    condition = "trigger.visitor_email != 'visitor1@example.com'"
    dedupe = "dedupe: {key: \"trigger.visitor_email ?? ''\", for: 1d}\n"
    scene.write_flow(LEADS.replace("5s}", f"5s}}, if: {condition}") + dedupe + CONTACT)
    result = scene("backfill", "flows/leads.yaml", "--dry-run")
    assert result.code == 0, result.error
    rows = result.out.splitlines()
    assert [row[18:54] for row in rows[:3]] == leads
    assert [row[56:] for row in rows[:4]] == [
        "would run",
        f'starts nothing: trigger.if: {condition} is false: trigger.visitor_email is "visitor1@example.com"',
        "would run",
        'starts nothing: one before it has the same dedupe key "visitor0@example.com"',
    ]
    assert rows[4:] == ["leads: 4 entries read, 2 runs would start"]
    assert not scene.database.exists()


def test_dry_run_knows_what_has_run(scene):
    scene.fill(2)
    scene.write_flow(LEADS + CONTACT)
    scene("backfill", "flows/leads.yaml", "--limit", "1")
    [run] = scene.runs()
    rows = scene("backfill", "flows/leads.yaml", "--dry-run").out.splitlines()
    assert [row[56:] for row in rows[:2]] == [f"had {run.id}", "would run"]


def test_since_and_limit_choose_the_entries(scene):
    scene.fill(6)
    scene.write_flow(LEADS + CONTACT)
    chosen = ["--since", "2026-03-01T02:00", "--limit", "2"]
    assert (
        "       2 started nothing: it is older than 2026-03-01T02:00:00Z\n"
        in scene("backfill", "flows/leads.yaml", *chosen).out
    )
    assert visitors(scene) == ["visitor2", "visitor3"]


def test_agents_are_all_read_or_the_one_that_the_flow_names(scene):
    agent = json.loads(scene("call", "chatforge.create_agent", "--arg", "name=Second").out)["agent"]["id"]
    scene.visit(webhook=False)
    scene.visit("second@example.com", agent_id=agent, webhook=False)
    scene.write_flow(LEADS.replace("every: 5s", f"agent_id: {agent}") + CONTACT, "one")
    scene.write_flow(LEADS + CONTACT)
    assert scene("backfill", "flows/one.yaml").out.startswith("one: 1 entry read, 1 run\n")
    assert scene("backfill", "flows/leads.yaml").out.startswith("leads: 2 entries read, 2 runs\n")
    assert Counter(run.trigger["visitor_email"] for run in scene.runs())["second@example.com"] == 2


def test_entry_with_a_wrong_type_is_held_and_shown_and_the_others_run(scene):
    scene.fill(2)
    page = {
        "leads": [
            {"id": "one", "visitor_name": 5, "created_at": "2026-03-01T00:00:00Z"},
            {"id": "two", "visitor_email": "two@example.com"},
        ]
    }
    scene.break_api("v1-leads", status=200, body=json.dumps(page), style="text", times=1)
    scene.write_flow(LEADS + CONTACT)
    result = scene("backfill", "flows/leads.yaml")
    assert "started nothing: the event 'lead.listed' does not fit chatforge.lead_captured: " in result.out
    [event] = json.loads(scene("events", "list", "--held", "--json").out)
    assert '"visitor_name": 5' in scene("events", "show", event["id"]).out
    assert "3 succeeded" in result.out


def test_server_does_the_runs_of_a_backfill_beside_it(scene):
    scene.fill(120)
    scene.write_flow(LEADS.replace("5s", "1h") + CONTACT)
    with scene.serving():
        result = scene("backfill", "flows/leads.yaml")
    assert result.out.splitlines() == [
        "another process executes the database and does the runs",
        "leads: 120 entries read, 120 runs",
        "     120 succeeded",
    ]


def test_runs_that_nobody_does_any_more_are_told_of(scene):
    scene.fill(2)
    scene.write_flow(LEADS + CONTACT)
    with exclusive(scene.database):
        filling = scene.start("backfill", "flows/leads.yaml")
        scene.wait_for(lambda: len(scene.runs()) == 2)
    out, error = filling.communicate(timeout=30)
    assert filling.returncode == 1
    assert error == (
        "error: the process that executed the database has ended, and runs are left; the same command does them here\n"
    )
    assert scene("backfill", "flows/leads.yaml").out == "leads: 2 entries read, 2 runs\n       2 succeeded\n", out


def test_at_most_a_hundred_runs_are_queued_ahead(scene):
    scene.fill(110)
    scene.write_flow(LEADS + CONTACT)
    with exclusive(scene.database):
        filling = scene.start("backfill", "flows/leads.yaml")
        scene.wait_for(lambda: len(scene.runs()) == 100)
        with pytest.raises(AssertionError, match="nothing came of it"):
            scene.wait_for(lambda: len(scene.runs()) > 100, seconds=1)
        filling.send_signal(signal.SIGINT)
        out, error = filling.communicate(timeout=10)
    assert (filling.returncode, error) == (130, "")
    assert out.splitlines()[1:] == [
        "leads: 110 entries read, 100 runs",
        "     100 not finished; the server does them",
        "interrupted; run the same command again to go on",
    ]


def test_runs_that_are_not_the_backfill_s_are_left_alone(scene):
    scene.fill(1)
    scene.write_flow(LEADS + CONTACT)
    scene.write_flow("trigger: {uses: manual}\nsteps: [{id: contacts, uses: contacts.list}]\n", "other")
    with exclusive(scene.database):
        other = scene.start("run", "flows/other.yaml")
        scene.wait_for(scene.runs)
        other.kill()
        other.communicate()
    assert scene("backfill", "flows/leads.yaml").code == 0
    assert {run.flow: run.status for run in scene.runs()} == {"leads": "succeeded", "other": "queued"}


def test_killed_backfill_goes_on_and_doubles_nothing(scene):
    scene.fill(250)
    scene.write_flow(LEADS + CONTACT)
    for most in (40, 120):
        filling = scene.start("backfill", "flows/leads.yaml")
        scene.wait_for(lambda most=most: len(scene.runs()) > most)
        filling.kill()
        filling.communicate()
    assert len(scene.runs()) < 250, "it was killed too late to show anything"
    result = scene("backfill", "flows/leads.yaml")
    assert result.code == 0, result.error
    assert sorted(visitors(scene)) == sorted(f"visitor{number}" for number in range(250))
    assert {run.status for run in scene.runs()} == {"succeeded"}


def test_interrupted_backfill_lets_the_call_in_flight_finish_and_goes_on(scene):
    stories = scene.fill(3)
    scene.write_flow(LEADS + GREET)
    scene.break_api("v1-message", delay_seconds=2, times=3)
    filling = scene.start("backfill", "flows/leads.yaml", "--allow-once")
    scene.wait_for(lambda: scene.runs() and any(is_sending(scene, run.id) for run in scene.runs()))
    filling.send_signal(signal.SIGINT)
    out, error = filling.communicate(timeout=20)
    assert (filling.returncode, error) == (130, "")
    assert out.endswith("interrupted; run the same command again to go on\n")
    assert {run.status for run in scene.runs()} <= {"succeeded", "queued"}, "nothing is left half done"
    assert scene("backfill", "flows/leads.yaml", "--allow-once").code == 0
    assert [scene.messages(story["conversation_id"]) for story in stories] == [["Hello"]] * 3


def test_terminal_shows_that_the_rate_limit_is_waited_for(scene):
    scene.fill(9)
    scene.write_flow(LEADS + "steps: [{id: agents, uses: chatforge.list_agents}]\n")
    main, terminal = pty.openpty()
    filling = scene.start("backfill", "flows/leads.yaml", stderr=terminal, CHATFORGE_RATE_LIMIT="6", TERM="xterm")
    os.close(terminal)
    shown = b""
    while b"waits for the rate limit" not in shown:
        shown += os.read(main, 1_000)
    filling.send_signal(signal.SIGINT)
    out = filling.communicate(timeout=20)[0]
    os.close(main)
    assert out.endswith("\ninterrupted; run the same command again to go on\n")
    assert "\r" not in out


def is_sending(scene, run_id: str) -> bool:
    step = scene.read(lambda journal: journal.steps(run_id)).get("greet")
    return bool(step and step.status == "sending")


def test_failed_runs_are_counted_and_end_with_1(scene):
    scene.fill(2)
    scene.write_flow(LEADS + "steps: [{id: agent, uses: chatforge.get_agent, with: {agent_id: nobody}}]\n")
    result = scene("backfill", "flows/leads.yaml")
    assert (result.code, result.error) == (1, "")
    assert result.out.splitlines()[1] == "       2 failed; see: chatforge runs list --flow leads --status failed"


def test_lead_whose_webhook_has_started_the_flow_is_not_run_again(scene):
    scene.write_flow(LEADS + CONTACT)
    with scene.serving():
        scene.visit()
        scene.wait_for(lambda: [run for run in scene.runs() if run.status == "succeeded"])
    assert scene("backfill", "flows/leads.yaml").out == "leads: 1 entry read, 0 runs\n       1 had run before\n"


def test_lead_whose_webhook_waits_is_left_to_the_server(scene):
    scene.write_flow(LEADS.replace("5s", "5s, wait_for_lead: 1h") + CONTACT)
    with scene.serving():
        scene.wait_for(scene.is_swept)
        scene.break_api("v1-leads", status=500, times=1000)
        scene.visit()
        scene.wait_for(lambda: json.loads(scene("polls", "--json").out)["waiting"])
    httpx.delete(f"{scene.sandbox.control_url}/faults")
    result = scene("backfill", "flows/leads.yaml")
    assert " waits for it and then starts the flow\n" in result.out
    assert scene.runs() == []
    with scene.serving():
        scene.wait_for(scene.runs)
    assert len(scene.runs()) == 1


def test_server_starts_nothing_for_what_a_backfill_has_run(scene):
    story = scene.visit(webhook=False)
    scene.write_flow(LEADS.replace("5s", "5s, start: all, wait_for_lead: 0s") + CONTACT)
    assert scene("backfill", "flows/leads.yaml").code == 0
    [run] = scene.runs()
    scene.break_api("v1-leads", status=500, times=2)
    with scene.serving() as address:
        late = scene.deliver(address, datetime.now(UTC), visitor_email="ann@example.com")
        [start] = scene.wait_for(lambda: scene.read(lambda journal: journal.starts(late)))
        scene.wait_for(scene.is_swept, 60)
    assert start.reason == f"its entry {run.event_id} has started {run.id}"
    assert [one.id for one in scene.runs()] == [run.id], story


PAST = "and no list tells its events of the past; expected chatforge.lead_captured, chatforge.new_conversation or "


def test_lead_whose_webhook_has_started_the_flow_unseen_by_the_poll_is_left_alone(scene):
    scene.write_flow(LEADS.replace("5s", "5s, wait_for_lead: 0s") + CONTACT)
    with scene.serving():
        scene.wait_for(scene.is_swept)
        scene.break_api("v1-leads", status=500, times=1000)
        scene.visit()
        [run] = scene.wait_for(scene.runs)
    httpx.delete(f"{scene.sandbox.control_url}/faults")
    assert f"its webhook {run.event_id} has started {run.id}\n" in scene("backfill", "flows/leads.yaml").out
    assert len(scene.runs()) == 1


def test_late_webhook_of_a_lead_that_a_backfill_has_run_starts_nothing(scene):
    moment = datetime.now(UTC) - timedelta(minutes=5)
    scene.visit(webhook=False, created_at=moment.isoformat().replace("+00:00", "Z"))
    scene.write_flow(LEADS + CONTACT)
    scene("backfill", "flows/leads.yaml")
    with scene.serving() as address:
        scene.wait_for(scene.is_swept)  # the lead is older than the flow, which is not told of it
        late = scene.deliver(address, moment, visitor_email="ann@example.com")
        [start] = scene.wait_for(lambda: scene.read(lambda journal: journal.starts(late)))
    [run] = scene.runs()
    assert (start.reason or "").endswith(f" of the list, seen before, which started {run.id}")


def test_api_that_fails_for_a_moment_is_asked_again(scene):
    scene.fill(1)
    scene.write_flow(LEADS + CONTACT)
    scene.break_api("v1-leads", status=503)
    assert scene("backfill", "flows/leads.yaml").code == 0


def test_key_that_is_refused_ends_the_backfill(scene):
    scene.write_flow(LEADS + CONTACT)
    result = scene("backfill", "flows/leads.yaml", CHATFORGE_API_KEY="wrong")
    assert result.code == 3
    assert "the API key is not accepted" in result.error


def test_agent_that_is_deleted_meanwhile_is_passed_over_and_told(scene):
    agent = json.loads(scene("call", "chatforge.create_agent", "--arg", "name=Second").out)["agent"]["id"]
    scene.visit("second@example.com", agent_id=agent, webhook=False)
    scene.visit(webhook=False)
    scene.write_flow(LEADS + CONTACT)
    scene.break_api("v1-leads", status=404)
    result = scene("backfill", "flows/leads.yaml")
    assert (result.code, len(scene.runs())) == (0, 1), result.error
    assert " was deleted meanwhile\n" in result.out


@pytest.mark.parametrize(
    ("trigger", "arguments", "sentence"),
    [
        ("manual", [], f"the flow 'leads' is started by manual, {PAST}chatforge.new_lead"),
        (
            "chatforge.conversation_updated",
            [],
            f"the flow 'leads' is started by chatforge.conversation_updated, {PAST}chatforge.new_lead",
        ),
        (
            "chatforge.new_lead",
            ["--since", "yesterday"],
            "--since is 'yesterday'; expected a time such as 2026-03-25 or 2026-03-25T10:30:00Z",
        ),
    ],
)
def test_what_cannot_be_backfilled_is_said(scene, trigger, arguments, sentence):
    scene.write_flow(f"trigger: {{uses: {trigger}}}\nsteps: [{{id: contacts, uses: contacts.list}}]\n")
    result = scene("backfill", "flows/leads.yaml", *arguments)
    assert (result.code, result.error) == (2, f"error: {sentence}\n")
