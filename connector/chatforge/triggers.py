"""The triggers of ChatForge. What an event says was typed by a visitor, even when its signature is right."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connector.chatforge import polled, samples, webhooks
from connector.chatforge.inputs import AGENTS
from connector.chatforge.models import Conversation, Duration, Id, Lead, Pause, Start
from connector.chatforge.rounds import make_poll
from connector.declare import Event, Trigger
from connector.errors import EventError
from connector.marks import PERSONAL, PersonalText
from connector.validation import quoted

_JSON_WORDS: Mapping[type, str] = {
    bool: "a boolean",  # before int, of which it is a kind
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


class EventFilter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    events: list[str] | None = Field(None, description="The names of the events that are wanted; all without it.")
    agent_id: Annotated[Id | None, AGENTS] = Field(None, description="Only events of this agent.")


class ReceivedEvent(BaseModel):
    """A verified webhook event as it came."""

    event: str = Field(description="The vendor's name of the event, such as lead.captured.")
    agent_id: str | None
    timestamp: datetime | None = Field(description="When it happened, by the vendor's clock.")
    data: Annotated[dict[str, Any], PERSONAL]
    received_at: datetime


class PollFilter(BaseModel):
    """What is polled, how often, and from when on."""

    model_config = ConfigDict(extra="forbid")

    agent_id: Annotated[Id | None, AGENTS] = Field(
        None, description="Only this agent; all agents of the account without it."
    )
    every: Pause = Field("1m", description="The pause between two rounds, from 1s to 1d.")
    start: Start = Field(
        "now",
        description=(
            "What is told at first: now (from a minute before the first start of the flow on), all, or a time to begin "
            "at. Once the list was seen whole, whatever appears in it is told."
        ),
    )


class LeadFilter(PollFilter):
    """Which leads, and how long a webhook waits to be joined with a listed lead."""

    wait_for_lead: Duration = Field(
        "2m", description="How long to wait for the lead in the list before the webhook alone starts the flow."
    )


class CapturedLead(BaseModel):
    """A visitor who left a way to be reached."""

    lead_id: str | None = Field(description="The id in List Leads; null while only the webhook has told of the lead.")
    agent_id: str = Field(description="As the event gives it; it may differ from the agent's id in the API.")
    captured_at: datetime
    visitor_name: PersonalText = None
    visitor_email: PersonalText = None
    visitor_phone: PersonalText = None
    conversation_summary: PersonalText = None
    page_url: str | None = None
    source: Literal["webhook", "poll"] = Field(description="How the lead became known.")


class ListedConversation(BaseModel):
    """A conversation, as List conversations shows it."""

    conversation_id: str
    agent_id: str
    began_at: datetime | None
    visitor_name: PersonalText
    visitor_email: PersonalText
    lead_captured: bool | None
    message_count: int | None
    page_url: str | None


def _select_event(event: Event, input: EventFilter, received_at: datetime) -> ReceivedEvent | None:
    if event.source != "webhook" or (input.events is not None and event.name not in input.events):
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


def _select_captured(event: Event, input: LeadFilter, received_at: datetime) -> CapturedLead | None:
    if event.name != "lead.captured":
        return _select_listed(event, input, received_at)
    agent = _optional_text(event, event.payload, "agent_id")
    if input.agent_id is not None and agent != input.agent_id:
        return None
    if agent is None:
        raise EventError(f"agent_id of the event {event.name!r} is missing; expected a string")
    data = _data(event)
    fields = ("visitor_name", "visitor_email", "visitor_phone", "conversation_summary", "page_url")
    return CapturedLead(
        lead_id=_optional_text(event, event.payload, "lead_id"),  # known where it was recognised in the list
        agent_id=agent,
        captured_at=event.occurred_at or received_at,
        source="webhook",
        **{name: _optional_text(event, data, name) for name in fields},
    )


def _select_listed(event: Event, input: PollFilter, received_at: datetime) -> CapturedLead | None:
    if not _is_polled(event, polled.LEAD_LISTED, input):
        return None
    lead = Lead.model_validate(event.payload["lead"])
    return CapturedLead(
        lead_id=lead.id,
        agent_id=event.payload["agent_id"],
        captured_at=lead.created_at or received_at,
        visitor_name=lead.visitor_name,
        visitor_email=lead.visitor_email,
        visitor_phone=lead.visitor_phone,
        conversation_summary=lead.conversation_summary,
        page_url=lead.source_page_url,
        source="poll",
    )


def _select_new_conversation(event: Event, input: PollFilter, _received_at: datetime) -> ListedConversation | None:
    return _read_conversation(event) if _is_polled(event, polled.CONVERSATION_LISTED, input) else None


def _select_updated_conversation(event: Event, input: PollFilter, _received_at: datetime) -> ListedConversation | None:
    return _read_conversation(event) if _is_polled(event, polled.CONVERSATION_UPDATED, input) else None


def _is_polled(event: Event, name: str, input: PollFilter) -> bool:
    if event.name != name or event.source != "poll":
        return False
    item = name.partition(".")[0]
    if not isinstance(event.payload.get(item), dict) or not isinstance(event.payload.get("agent_id"), str):
        raise EventError(f"the event {name!r} has no agent_id and {item}; expected {{agent_id: …, {item}: {{…}}}}")
    return input.agent_id in (None, event.payload["agent_id"])


def _read_conversation(event: Event) -> ListedConversation:
    conversation = Conversation.model_validate(event.payload["conversation"])
    return ListedConversation(
        conversation_id=conversation.id,
        agent_id=event.payload["agent_id"],
        began_at=conversation.created_at,
        **conversation.model_dump(include={*ListedConversation.model_fields}),
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


_SAMPLE = webhooks.parse(json.dumps(samples.EVENT))
_LISTED_LEAD = polled.read_item(samples.LEAD, datetime.min.replace(tzinfo=UTC))
_LISTED_CONVERSATION = polled.read_item(samples.CONVERSATION, datetime.min.replace(tzinfo=UTC))

EVENT = Trigger(
    name="event",
    title="Webhook event",
    description="Any verified webhook event. The vendor lists no event names, so unknown ones are events too.",
    input=EventFilter,
    output=ReceivedEvent,
    select=_select_event,
    sample=_SAMPLE,
)
LEAD = Trigger(
    name="lead_captured",
    title="Lead captured",
    description=(
        "A visitor left an e-mail, a phone number or a name; told by webhook or found in the list of leads. A webhook "
        "may name the agent by another id than the list does: agent_id then leaves the lead to the list."
    ),
    input=LeadFilter,
    output=CapturedLead,
    select=_select_captured,
    sample=_SAMPLE,
    sources=("webhook", "poll"),
    watches=polled.LEADS,
    joins=("event", "new_lead"),
)
NEW_LEAD = Trigger(
    name="new_lead",
    title="New lead",
    description="A lead that was not in the list of leads before. Found by polling; needs no webhook.",
    input=PollFilter,
    output=CapturedLead,
    select=_select_listed,
    sample=polled.lead_event("uuid", _LISTED_LEAD),
    sources=("poll",),
    poll=make_poll(polled.LEADS, polled.LEAD_LISTED),
    watches=polled.LEADS,
)
NEW_CONVERSATION = Trigger(
    name="new_conversation",
    title="New conversation",
    description="A conversation that was not in the list of conversations before. Found by polling.",
    input=PollFilter,
    output=ListedConversation,
    select=_select_new_conversation,
    sample=polled.conversation_event(polled.CONVERSATION_LISTED, "uuid", _LISTED_CONVERSATION),
    sources=("poll",),
    poll=make_poll(polled.CONVERSATIONS, polled.CONVERSATION_LISTED),
    watches=polled.CONVERSATIONS,
)
CONVERSATION_CHANGED = Trigger(
    name="conversation_updated",
    title="Conversation updated",
    description=(
        "The number of messages of a conversation has risen. Found by polling: several messages may be one event."
    ),
    input=PollFilter,
    output=ListedConversation,
    select=_select_updated_conversation,
    sample=polled.conversation_event(polled.CONVERSATION_UPDATED, "uuid", _LISTED_CONVERSATION),
    sources=("poll",),
    poll=make_poll(polled.CONVERSATIONS, polled.CONVERSATION_UPDATED),
    watches=polled.CONVERSATIONS,
)
