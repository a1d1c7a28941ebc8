"""Steps of a poll for new leads, as Python hosts make them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connector.adapter import Adapter

TRIGGER = "chatforge.new_lead"
_DEFAULT_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a step brought: `{"identity", "lead"}` of each new lead, in the order in which they are listed."""

    leads: list[dict[str, Any]]
    state: dict[str, Any]
    more: bool


def pause(adapter: Adapter, input: Mapping[str, Any]) -> float:
    """Seconds between two rounds. Raises ConnectorError."""
    watching = adapter.watch(TRIGGER, input)
    return watching.every if watching else _DEFAULT_PAUSE


async def step(adapter: Adapter, input: Mapping[str, Any], state: Mapping[str, Any] | None) -> Found:
    """One request at most. Raises ConnectorError; then the same state may be used again, and nothing is lost."""
    polled = await adapter.poll(TRIGGER, input, state)
    now = datetime.now(UTC)
    leads = ((event.identity, adapter.select(TRIGGER, input, event, now)) for event in polled.events)
    found = [{"identity": identity, "lead": lead} for identity, lead in leads if lead is not None]
    return Found(found, polled.state, polled.more)


async def find(adapter: Adapter, input: Mapping[str, Any], state: Mapping[str, Any] | None) -> Found:
    """Steps until one brings leads, or the round is over. Raises ConnectorError."""
    while True:
        found = await step(adapter, input, state)
        if found.leads or not found.more:
            return found
        state = found.state
