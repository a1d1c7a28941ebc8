"""Whether a `lead.captured` webhook and a lead of the list are the same lead. Pure.

The webhook carries neither the lead's id nor the conversation's, and its `agent_id` need not be the API's. So they are
recognised by what the visitor left: the e-mail; the phone number where not both have one; else name and page.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.declare import Event, Join

WITHIN = timedelta(minutes=10)
"""How far the time of a webhook and of its lead may be apart."""

Facts = Mapping[str, Any]


def facts_of_lead(lead: Mapping[str, Any], made: datetime) -> Facts:
    """What a listed lead is recognised by. A lead without a readable time counts as made when it was seen."""
    return _facts(lead, made, "source_page_url")


def facts_of_webhook(event: Event, received_at: datetime) -> Facts:
    """What a webhook tells of its lead."""
    data = event.payload.get("data")
    return _facts(data if isinstance(data, Mapping) else {}, event.occurred_at or received_at, "page_url")


def distance(webhook: Facts, lead: Facts) -> float | None:
    """Seconds between the two, or None where they are not the same lead."""
    apart = abs(datetime.fromisoformat(webhook["at"]) - datetime.fromisoformat(lead["at"]))
    return apart.total_seconds() if apart <= WITHIN and _are_same(webhook, lead) else None


def _are_same(one: Facts, other: Facts) -> bool:
    for name in ("email", "phone"):
        if one[name] and other[name]:
            return bool(one[name] == other[name])
    return bool(one["name"] == other["name"] and one["page"] == other["page"] and (one["name"] or one["page"]))


def _facts(values: Mapping[str, Any], at: datetime, page: str) -> Facts:
    return {
        "at": at.astimezone(UTC).isoformat(),
        "email": _text(values, "visitor_email").casefold(),
        "phone": "".join(character for character in _text(values, "visitor_phone") if character.isalnum()),
        "name": _text(values, "visitor_name"),
        "page": _text(values, page),
    }


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value.strip() if isinstance(value, str) else ""


def _agent_of(event: Event) -> str | None:
    agent = event.payload.get("agent_id")
    return agent if isinstance(agent, str) else None


def _place(event: Event, agent_id: str | None, lead_id: str | None) -> Event:
    known = {name: value for name, value in (("agent_id", agent_id), ("lead_id", lead_id)) if value is not None}
    return replace(event, payload={**event.payload, **known})


JOIN = Join("lead.captured", facts_of_webhook, distance, _agent_of, _place, WITHIN)
