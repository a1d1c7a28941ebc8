import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from vendor.reference import ENDPOINTS, WEBHOOK

from connector.chatforge import samples
from connector.chatforge.triggers import (
    CONVERSATION_CHANGED,
    EVENT,
    LEAD,
    NEW_CONVERSATION,
    NEW_LEAD,
    EventFilter,
    LeadFilter,
)
from connector.chatforge.webhooks import parse
from connector.declare import Event, Trigger
from connector.errors import EventError

RECEIVED = datetime(2026, 3, 25, 10, 30, 2, tzinfo=UTC)


def event(**changes: Any) -> Event:
    """The sample with some fields changed; None leaves one out."""
    payload = {**LEAD.sample.payload, **changes}
    return parse(json.dumps({name: value for name, value in payload.items() if value is not None}))


def lead(**data: Any) -> Event:
    return event(data={**LEAD.sample.payload["data"], **data})


def test_samples_are_those_of_the_reference():
    assert samples.EVENT == WEBHOOK
    shown = {endpoint.action: endpoint.response for endpoint in ENDPOINTS if endpoint.response}
    assert shown["v1-leads"]["leads"] == [samples.LEAD]
    assert shown["v1-conversations"]["conversations"] == [samples.CONVERSATION]


@pytest.mark.parametrize("trigger", [NEW_LEAD, NEW_CONVERSATION, CONVERSATION_CHANGED], ids=lambda one: one.name)
def test_polled_sample_is_wanted_by_its_own_trigger_only(trigger):
    wanted = [
        other.name
        for other in (EVENT, NEW_LEAD, NEW_CONVERSATION, CONVERSATION_CHANGED)
        if other.select(trigger.sample, other.input(), RECEIVED)
    ]
    assert wanted == [trigger.name]
    assert trigger.select(trigger.sample, trigger.input(agent_id="other"), RECEIVED) is None


def test_listed_lead_and_its_webhook_give_the_same_fields():
    listed = LEAD.select(NEW_LEAD.sample, LeadFilter(), RECEIVED)
    assert (listed.lead_id, listed.source) == ("uuid", "poll")
    told = LEAD.select(LEAD.sample, LeadFilter(), RECEIVED)
    for name in ("visitor_name", "visitor_email", "visitor_phone", "page_url"):
        assert getattr(listed, name) == getattr(told, name)


def test_webhook_that_pretends_to_be_polled_is_no_listed_lead():
    forged = replace(NEW_LEAD.sample, source="webhook")
    assert NEW_LEAD.select(forged, NEW_LEAD.input(), RECEIVED) is None


def test_sample_is_a_captured_lead():
    captured = LEAD.select(event(), LeadFilter(), RECEIVED)
    assert captured.model_dump() == {
        "lead_id": None,
        "agent_id": "abc123",
        "captured_at": datetime(2026, 3, 25, 10, 30, tzinfo=UTC),
        "visitor_name": "John Smith",
        "visitor_email": "john@example.com",
        "visitor_phone": "480-555-1234",
        "conversation_summary": "Asked about estate planning services",
        "page_url": "https://example.com/services",
        "source": "webhook",
    }


def test_sample_is_an_event_with_all_its_data():
    received = EVENT.select(event(data={"known": 1, "new": [None, {"a": "b"}]}), EventFilter(), RECEIVED)
    assert received.model_dump() == {
        "event": "lead.captured",
        "agent_id": "abc123",
        "timestamp": datetime(2026, 3, 25, 10, 30, tzinfo=UTC),
        "data": {"known": 1, "new": [None, {"a": "b"}]},
        "received_at": RECEIVED,
    }


@pytest.mark.parametrize(
    ("trigger", "wanted", "came", "selected"),
    [
        pytest.param(EVENT, {}, event(event="agent.renamed"), True, id="event without filters"),
        pytest.param(EVENT, {"events": ["a", "b"]}, event(event="b"), True, id="one of the events"),
        pytest.param(EVENT, {"events": ["a", "b"]}, event(event="c"), False, id="none of the events"),
        pytest.param(EVENT, {"agent_id": "abc123"}, event(), True, id="event of the agent"),
        pytest.param(EVENT, {"agent_id": "abc"}, event(), False, id="event of another agent"),
        pytest.param(EVENT, {"agent_id": "abc123"}, event(agent_id=None), False, id="event without agent"),
        pytest.param(LEAD, {}, event(event="lead.updated"), False, id="another event than a lead"),
        pytest.param(LEAD, {"agent_id": "abc123"}, event(), True, id="lead of the agent"),
        pytest.param(LEAD, {"agent_id": "abc"}, event(), False, id="lead of another agent"),
        pytest.param(LEAD, {"agent_id": "abc123"}, event(agent_id=None), False, id="lead without agent, filtered"),
        pytest.param(LEAD, {}, event(event="other", data=7), False, id="wrong data of an event that is not wanted"),
    ],
)
def test_filters_decide_what_is_selected(trigger: Trigger, wanted, came, selected):
    assert (trigger.select(came, trigger.input(**wanted), RECEIVED) is not None) == selected


@pytest.mark.parametrize("data", [{}, {"visitor_name": None, "visitor_email": None}, None])
def test_fields_that_are_missing_are_null(data):
    captured = LEAD.select(event(data=data), LeadFilter(), RECEIVED)
    assert [captured.visitor_name, captured.visitor_email, captured.page_url] == [None] * 3
    assert EVENT.select(event(data=data), EventFilter(), RECEIVED).data == (data or {})


@pytest.mark.parametrize("timestamp", [None, "yesterday", 7])
def test_without_a_time_of_its_own_a_lead_has_that_of_its_arrival(timestamp):
    assert LEAD.select(event(timestamp=timestamp), LeadFilter(), RECEIVED).captured_at == RECEIVED
    assert EVENT.select(event(timestamp=timestamp), EventFilter(), RECEIVED).timestamp is None


@pytest.mark.parametrize(
    ("trigger", "came", "sentence"),
    [
        pytest.param(LEAD, lead(visitor_phone=4805551234), "visitor_phone {} 4805551234, a number;", id="number"),
        pytest.param(LEAD, lead(visitor_name=1.5), "visitor_name {} 1.5, a number;", id="fraction"),
        pytest.param(LEAD, lead(page_url=True), "page_url {} True, a boolean;", id="boolean"),
        pytest.param(LEAD, lead(visitor_email=["a"]), "visitor_email {} ['a'], an array;", id="array"),
        pytest.param(LEAD, lead(conversation_summary={}), "conversation_summary {} {{}}, an object;", id="object"),
        pytest.param(LEAD, event(agent_id=7), "agent_id {} 7, a number;", id="agent of a lead"),
        pytest.param(EVENT, event(agent_id=7), "agent_id {} 7, a number;", id="agent of an event"),
    ],
)
def test_field_of_another_type_is_named_with_its_value(trigger, came, sentence):
    with pytest.raises(EventError) as caught:
        trigger.select(came, trigger.input(), RECEIVED)
    start = sentence.format("of the event 'lead.captured' is")
    assert str(caught.value) == f"{start} expected a string or null"


@pytest.mark.parametrize("trigger", [LEAD, EVENT], ids=["lead", "event"])
def test_data_that_is_no_object_is_named_with_its_value(trigger):
    with pytest.raises(EventError) as caught:
        trigger.select(event(data="x" * 100), trigger.input(), RECEIVED)
    shown = "'" + "x" * 59 + "…"
    assert str(caught.value) == f"data of the event 'lead.captured' is {shown}, a string; expected an object"


def test_lead_without_an_agent_is_an_error_that_says_so():
    with pytest.raises(EventError, match=r"^agent_id of the event 'lead\.captured' is missing; expected a string$"):
        LEAD.select(event(agent_id=None), LeadFilter(), RECEIVED)


def test_hostile_text_is_passed_on_unchanged():
    text = "\ud800\x00 {{7*7}} +4917012345"
    came = parse(json.dumps({**LEAD.sample.payload, "data": {"visitor_name": text, "other": text}}))
    assert LEAD.select(came, LeadFilter(), RECEIVED).visitor_name == text
    assert EVENT.select(came, EventFilter(), RECEIVED).data["other"] == text
