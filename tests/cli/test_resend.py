"""Events that were held, or made nothing of, are decided anew."""

import json
from datetime import UTC, datetime, timedelta

import pytest

STEPS = "steps: [{id: contact, uses: contacts.upsert, with: {email: \"${{ trigger.visitor_email ?? '' }}\"}}]\n"
FLOW = "trigger: {uses: chatforge.lead_captured, with: {every: 5s}}\n" + STEPS
EVENT = "trigger: {uses: chatforge.event, IF}\nsteps: [{id: contacts, uses: contacts.list}]\n"
FAULTY = EVENT.replace("IF", "if: \"trigger.data.visitor_email.lower() == 'ann@example.com'\"")


def held(scene) -> list[str]:
    return [event["id"] for event in json.loads(scene("events", "list", "--held", "--json").out)]


def test_event_that_a_flow_held_is_decided_by_the_corrected_flow(scene):
    scene.write_flow(FAULTY)
    with scene.serving() as address:
        event_id = scene.deliver(address, visitor_email=None)
    assert held(scene) == [event_id]
    again = scene("events", "resend", event_id)
    assert again.code == 1
    assert "leads  started nothing: trigger.if: " in again.out
    assert held(scene) == [event_id]
    scene.write_flow(EVENT.replace(", IF", ""))
    result = scene("events", "resend", event_id)
    assert result.code == 0, result.error
    first, run_id, step, last = result.out.splitlines()
    assert first == f"leads  started {run_id}"
    assert "contacts.list" in step
    assert last == "succeeded"
    assert held(scene) == []


def test_event_of_the_future_is_resent_whatever_its_time(scene):
    scene.write_flow(FLOW)
    with scene.serving() as address:
        event_id = scene.deliver(address, datetime.now(UTC) + timedelta(hours=1), visitor_email="ann@example.com")
    shown = json.loads(scene("events", "resend", event_id, "--json").out)
    assert [(start["flow"], start["reason"]) for start in shown["starts"]] == [("leads", None)]
    assert [run["status"] for run in shown["runs"]] == ["succeeded"]


def test_lead_of_an_event_of_the_future_that_was_resent_starts_nothing(scene):
    scene.write_flow(FLOW)
    with scene.serving() as address:
        scene.wait_for(scene.is_swept)
        event_id = scene.deliver(address, datetime.now(UTC) + timedelta(hours=1), visitor_email="ann@example.com")
        assert scene("events", "resend", event_id).code == 0
        scene.visit(webhook=False)
        lead = scene.wait_for(
            lambda: [event for event in scene.read(lambda journal: journal.events(9)) if event.source == "poll"]
        )[0]
    [start] = scene.read(lambda journal: journal.starts(lead.id))
    assert start.reason.startswith(f"its webhook {event_id} has started ")


def test_flow_that_an_event_has_started_is_not_started_again(scene):
    scene.write_flow(EVENT.replace(", IF", ""))
    with scene.serving() as address:
        event_id = scene.deliver(address, visitor_email="ann@example.com")
    result = scene("events", "resend", event_id, "--flow", "leads")
    [run] = scene.runs()
    assert (result.code, result.out) == (1, f"leads  started nothing: it has started {run.id} before\n")


def test_flow_that_is_new_can_be_started_by_name_also_when_it_is_off(scene):
    scene.write_flow(EVENT.replace(", IF", ""))
    with scene.serving() as address:
        event_id = scene.deliver(address, visitor_email="ann@example.com")
    scene.write_flow("enabled: false\n" + EVENT.replace(", IF", ""), "more")
    result = scene("events", "resend", event_id, "--flow", "more")
    assert result.code == 0, result.error
    assert {run.flow for run in scene.runs()} == {"leads", "more"}


def test_flow_that_does_not_want_the_event_leaves_it_as_it_was(scene):
    scene.write_flow(FAULTY)
    scene.write_flow("trigger: {uses: chatforge.new_lead}\nsteps: [{id: contacts, uses: contacts.list}]\n", "listed")
    with scene.serving() as address:
        event_id = scene.deliver(address, visitor_email=None)
    result = scene("events", "resend", event_id, "--flow", "listed")
    assert result.out == "listed  started nothing: its trigger does not want the event\n"
    assert [start.flow for start in scene.read(lambda journal: journal.starts(event_id))] == ["leads"]


def test_server_does_the_run_of_an_event_that_is_resent_beside_it(scene):
    scene.write_flow(FLOW)
    with scene.serving() as address:
        event_id = scene.deliver(address, datetime.now(UTC) + timedelta(hours=1), visitor_email="ann@example.com")
        result = scene("events", "resend", event_id)
        assert (result.code, result.out.splitlines()[-1]) == (0, "succeeded"), result.error


def test_webhook_whose_lead_has_started_the_flow_starts_nothing(scene):
    scene.write_flow(FLOW)
    with scene.serving() as address:
        scene.visit(webhook=False)
        [run] = scene.wait_for(scene.runs)
        event_id = scene.deliver(address, visitor_email="ann@example.com")
    result = scene("events", "resend", event_id, "--flow", "leads")
    assert result.out == f"leads  started nothing: {run.event_id} tells of the same and has started {run.id}\n"


def test_lead_whose_webhook_has_started_the_flow_starts_nothing(scene):
    scene.write_flow(FLOW.replace("every: 5s", "every: 5s, wait_for_lead: 0s"))
    with scene.serving():
        scene.wait_for(scene.is_swept)
        scene.break_api("v1-leads", delay_seconds=4, times=1)
        scene.visit()
        [run] = scene.wait_for(scene.runs)
        [lead] = scene.wait_for(
            lambda: [event for event in scene.read(lambda journal: journal.events(9)) if event.source == "poll"], 30
        )
    result = scene("events", "resend", lead.id, "--flow", "leads")
    assert result.out == f"leads  started nothing: {run.event_id} tells of the same and has started {run.id}\n"


def test_lead_of_a_webhook_that_came_before_its_flow_and_was_resent_starts_nothing(scene):
    scene.write_flow(EVENT.replace(", IF", ""), "first")
    with scene.serving() as address:
        event_id = scene.deliver(address, visitor_email="ann@example.com")
    scene.write_flow(FLOW.replace("5s", "5s, start: all"))
    assert scene("events", "resend", event_id, "--flow", "leads").code == 0
    scene.visit(webhook=False)
    with scene.serving():
        scene.wait_for(scene.is_swept)
    assert [run.event_id for run in scene.runs() if run.flow == "leads"] == [event_id]


def test_webhook_that_waits_for_its_lead_and_is_resent_waits_no_more(scene):
    scene.write_flow(FLOW.replace("5s", "5s, wait_for_lead: 1h"))
    with scene.serving() as address:
        scene.wait_for(scene.is_swept)
        event_id = scene.deliver(address, visitor_email="ann@example.com")
        assert [one["webhooks"] for one in json.loads(scene("polls", "--json").out)["waiting"]] == [1]
        assert scene("events", "resend", event_id, "--flow", "leads").code == 0
        assert json.loads(scene("polls", "--json").out)["waiting"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        pytest.param(["nothing"], 2, "there is no event 'nothing'; see: chatforge events list", id="unknown event"),
        pytest.param(
            ["EVENT"],
            1,
            "no flow holds the event 'EVENT'; name the flow that should start from it with --flow",
            id="none",
        ),
        pytest.param(
            ["EVENT", "--flow", "lead"],
            2,
            "there is no flow 'lead' in 'flows'; did you mean 'leads'? or give its file with --flows",
            id="unknown flow",
        ),
        pytest.param(
            ["EVENT", "--flow", "timed"],
            2,
            "the flow 'timed' takes events of schedule/default, not of chatforge/default as EVENT; name another flow",
            id="other account",
        ),
    ],
)
def test_what_cannot_be_resent_is_said(scene, arguments, code, sentence):
    scene.write_flow(EVENT.replace(", IF", ""))
    scene.write_flow("trigger: {uses: schedule, with: {every: 1h}}\nsteps: [{id: a, uses: contacts.list}]\n", "timed")
    with scene.serving() as address:
        event_id = scene.deliver(address, visitor_email="ann@example.com")
    result = scene("events", "resend", *(word.replace("EVENT", event_id) for word in arguments))
    assert (result.code, result.error) == (code, f"error: {sentence.replace('EVENT', event_id)}\n")
