"""What an item of a list tells: the events that polling finds. The vendor names none for them; the names are ours."""

from collections.abc import Mapping
from typing import Any

from connector.chatforge.models import Conversation, Lead
from connector.chatforge.sweep import Resource
from connector.declare import Event

LEAD_LISTED = "lead.listed"
CONVERSATION_LISTED = "conversation.listed"
CONVERSATION_UPDATED = "conversation.updated"

Item = Mapping[str, Any]


def lead_event(agent_id: str, item: Item) -> Event:
    """A lead of the list. Its identity is the lead's id."""
    payload = {"agent_id": agent_id, "lead": dict(item)}
    return Event(LEAD_LISTED, f"lead:{item['id']}", Lead.model_validate(item).created_at, payload, "poll")


def conversation_event(name: str, agent_id: str, item: Item) -> Event:
    """A conversation of the list; when it was updated, its identity has the number of its messages."""
    identity = f"conversation:{item['id']}"
    if name == CONVERSATION_UPDATED:
        identity += f":{_message_count(item)}"
    payload = {"agent_id": agent_id, "conversation": dict(item)}
    return Event(name, identity, Conversation.model_validate(item).created_at, payload, "poll")


def _tell_lead(agent_id: str, item: Item, before: int | None) -> Event | None:
    return lead_event(agent_id, item) if before is None else None


def _tell_new(agent_id: str, item: Item, before: int | None) -> Event | None:
    return conversation_event(CONVERSATION_LISTED, agent_id, item) if before is None else None


def _tell_updated(agent_id: str, item: Item, before: int | None) -> Event | None:
    if before is None or _message_count(item) <= before:
        return None
    return conversation_event(CONVERSATION_UPDATED, agent_id, item)


def _message_count(item: Item) -> int:
    return item.get("message_count") or 0


NEW_LEADS = Resource("list_leads", "leads", _tell_lead)
NEW_CONVERSATIONS = Resource("list_conversations", "conversations", _tell_new)
UPDATED_CONVERSATIONS = Resource("list_conversations", "conversations", _tell_updated, _message_count)
