"""The triggers of ChatForge. What an event says was typed by a visitor, even when its signature is right."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connector.declare import Event, Trigger
from connector.errors import EventError
from connector.validation import quoted

LEAD_CAPTURED = "lead.captured"

_JSON_WORDS: Mapping[type, str] = {
    bool: "a boolean",  # before int, of which it is a kind
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}

# The vendor's reference, "Webhook Payload".
SAMPLE: Mapping[str, Any] = {
    "event": LEAD_CAPTURED,
    "agent_id": "abc123",
    "timestamp": "2026-03-25T10:30:00Z",
    "data": {
        "visitor_name": "John Smith",
        "visitor_email": "john@example.com",
        "visitor_phone": "480-555-1234",
        "conversation_summary": "Asked about estate planning services",
        "page_url": "https://example.com/services",
    },
}


class EventFilter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    events: list[str] | None = Field(None, description="The names of the events that are wanted; all without it.")
    agent_id: str | None = Field(None, description="Only events of this agent.")


class ReceivedEvent(BaseModel):
    """A verified webhook event as it came."""

    event: str = Field(description="The vendor's name of the event, such as lead.captured.")
    agent_id: str | None
    timestamp: datetime | None = Field(description="When it happened, by the vendor's clock.")
    data: dict[str, Any]
    received_at: datetime


class LeadFilter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    agent_id: str | None = Field(None, description="Only leads of this agent.")


class CapturedLead(BaseModel):
    """A visitor who left a way to be reached."""

    lead_id: str | None = Field(description="The id in List Leads; null while only the webhook has told of the lead.")
    agent_id: str = Field(description="As the event gives it; it may differ from the agent's id in the API.")
    captured_at: datetime
    visitor_name: str | None = None
    visitor_email: str | None = None
    visitor_phone: str | None = None
    conversation_summary: str | None = None
    page_url: str | None = None
    source: str = Field(description="How the lead became known: webhook.")


def _select_event(event: Event, input: EventFilter, received_at: datetime) -> ReceivedEvent | None:
    if input.events is not None and event.name not in input.events:
        return None
    agent = _optional_text(event, event.payload, "agent_id")
    if input.agent_id is not None and agent != input.agent_id:
        return None
    return ReceivedEvent(
        event=event.name,
        agent_id=agent,
        timestamp=event.occurred_at,
        data=_data(event),
        received_at=received_at,
    )


def _select_lead(event: Event, input: LeadFilter, received_at: datetime) -> CapturedLead | None:
    if event.name != LEAD_CAPTURED:
        return None
    agent = _optional_text(event, event.payload, "agent_id")
    if input.agent_id is not None and agent != input.agent_id:
        return None
    if agent is None:
        raise EventError(f"agent_id of the event {event.name!r} is missing; expected a string")
    data = _data(event)
    fields = ("visitor_name", "visitor_email", "visitor_phone", "conversation_summary", "page_url")
    return CapturedLead(
        lead_id=None,  # the vendor's reference: the webhook carries no lead id
        agent_id=agent,
        captured_at=event.occurred_at or received_at,
        source="webhook",
        **{name: _optional_text(event, data, name) for name in fields},
    )


def _data(event: Event) -> dict[str, Any]:
    data = event.payload.get("data")
    if data is None:
        return {}
    if isinstance(data, dict):
        return data
    raise _misfit(event, "data", data, "an object")


def _optional_text(event: Event, values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is None or isinstance(value, str):
        return value
    raise _misfit(event, name, value, "a string or null")


def _misfit(event: Event, name: str, value: object, expected: str) -> EventError:
    kind = next(word for kind, word in _JSON_WORDS.items() if isinstance(value, kind))
    return EventError(f"{name} of the event {event.name!r} is {quoted(value)}, {kind}; expected {expected}")


EVENT = Trigger(
    name="event",
    title="Webhook event",
    description="Any verified webhook event. The vendor lists no event names, so unknown ones are events too.",
    input=EventFilter,
    output=ReceivedEvent,
    select=_select_event,
    sample=SAMPLE,
)
LEAD = Trigger(
    name="lead_captured",
    title="Lead captured",
    description="A visitor left an e-mail, a phone number or a name.",
    input=LeadFilter,
    output=CapturedLead,
    select=_select_lead,
    sample=SAMPLE,
)
