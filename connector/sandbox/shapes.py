"""The JSON bodies that the vendor's reference shows, one function each. No I/O."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from connector.sandbox.records import Agent, Conversation, Lead, Message

Shape = dict[str, Any]


def render_time(moment: datetime, precision: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """The reference's time format, `2026-03-25T10:00:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def agent_item(agent: Agent) -> Shape:
    """An item of List Agents."""
    return {
        "id": agent.id,
        "name": agent.name,
        "welcome_message": agent.welcome_message,
        "active": agent.active,
        "primary_color": agent.primary_color,
        "created_at": render_time(agent.created_at),
    }


def short_agent(agent: Agent) -> Shape:
    """What Create Agent answers with."""
    return {"id": agent.id, "name": agent.name, "active": agent.active}


def full_agent(agent: Agent) -> Shape:
    """What Get Agent answers with: "including system prompt and knowledge base"; the body is not shown."""
    texts = {"system_prompt": agent.system_prompt, "knowledge_base": agent.knowledge_base}
    return agent_item(agent) | texts


def conversation_item(conversation: Conversation) -> Shape:
    """An item of List Conversations."""
    return {
        "id": conversation.id,
        "visitor_email": conversation.visitor.email,
        "visitor_name": conversation.visitor.name,
        "lead_captured": conversation.lead_captured,
        "message_count": len(conversation.messages),
        "page_url": conversation.visitor.page_url,
        "created_at": render_time(conversation.created_at),
    }


def lead_item(lead: Lead) -> Shape:
    """An item of List Leads."""
    return {
        "id": lead.id,
        "visitor_name": lead.visitor.name,
        "visitor_email": lead.visitor.email,
        "visitor_phone": lead.visitor.phone,
        "conversation_summary": lead.visitor.summary,
        "source_page_url": lead.visitor.page_url,
        "created_at": render_time(lead.created_at),
    }


def message_item(message: Message) -> Shape:
    """What Inject Message answers with."""
    return {
        "id": message.id,
        "role": message.role,
        "content": message.content,
        "created_at": render_time(message.created_at),
    }


def analytics(conversations: Sequence[Conversation], leads: Sequence[Lead], now: datetime) -> Shape:
    """The counts of one agent, in total and for the UTC month of `now`."""
    messages = [message for conversation in conversations for message in conversation.messages]
    return {
        "month": now.astimezone(UTC).strftime("%Y-%m"),
        "conversations": _count(now, [item.created_at for item in conversations]),
        "leads": _count(now, [item.created_at for item in leads]),
        "messages_this_month": _count(now, [item.created_at for item in messages])["this_month"],
    }


def lead_captured(lead: Lead, agent_id: str | None = None) -> Shape:
    """The webhook payload; it names neither the lead nor the conversation. `agent_id`: instead of the API's."""
    return {
        "event": "lead.captured",
        "agent_id": agent_id or lead.agent_id,
        "timestamp": render_time(lead.created_at),
        "data": {
            "visitor_name": lead.visitor.name,
            "visitor_email": lead.visitor.email,
            "visitor_phone": lead.visitor.phone,
            "conversation_summary": lead.visitor.summary,
            "page_url": lead.visitor.page_url,
        },
    }


def _count(now: datetime, moments: list[datetime]) -> dict[str, int]:
    month = _month(now)
    return {"total": len(moments), "this_month": sum(_month(moment) == month for moment in moments)}


def _month(moment: datetime) -> tuple[int, int]:
    utc = moment.astimezone(UTC)
    return utc.year, utc.month
