"""What the vendor's reference shows: "Webhook Payload", an item of "List Leads", an item of "List Conversations"."""

from collections.abc import Mapping
from typing import Any

EVENT: Mapping[str, Any] = {
    "event": "lead.captured",
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
LEAD: Mapping[str, Any] = {
    "id": "uuid",
    "visitor_name": "John Smith",
    "visitor_email": "john@example.com",
    "visitor_phone": "480-555-1234",
    "conversation_summary": "Asked about estate planning...",
    "source_page_url": "https://example.com/services",
    "created_at": "2026-03-25T14:32:00Z",
}
CONVERSATION: Mapping[str, Any] = {
    "id": "uuid",
    "visitor_email": "john@example.com",
    "visitor_name": "John",
    "lead_captured": True,
    "message_count": 8,
    "page_url": "https://example.com/pricing",
    "created_at": "2026-03-25T14:30:00Z",
}
