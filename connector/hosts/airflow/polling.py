"""Rounds of a poll, as triggers and sensors make them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connector.adapter import Adapter

TRIGGER = "chatforge.new_lead"


async def look(
    adapter: Adapter, input: Mapping[str, Any], state: Mapping[str, Any] | None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One whole round: `{"identity", "lead"}` of each new lead, in the order in which they are listed, and the state.

    Raises ConnectorError; then the same state may be used again, and nothing is lost.
    """
    found: list[dict[str, Any]] = []
    while True:
        polled = await adapter.poll(TRIGGER, input, state)
        now = datetime.now(UTC)
        leads = ((event.identity, adapter.select(TRIGGER, input, event, now)) for event in polled.events)
        found += [{"identity": identity, "lead": lead} for identity, lead in leads if lead is not None]
        state = polled.state
        if not polled.more:
            return found, state
