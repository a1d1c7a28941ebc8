"""Steps of a poll for new leads, as Python hosts make them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connector.adapter import Adapter
from connector.errors import StateError

TRIGGER = "chatforge.new_lead"
_PAUSE = "every"
"""The input that says how long to rest, and nothing of what is polled: it may change."""
_OTHER_INPUT = (
    "the poll that is kept under this name has begun with another agent_id or start, or cannot be read; give the same "
    "input again, or begin anew under another name"
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a step brought: `{"identity", "lead"}` of each new lead, in the order in which they are listed."""

    leads: list[dict[str, Any]]
    state: dict[str, Any]
    more: bool


def pause(adapter: Adapter, input: Mapping[str, Any]) -> float:
    """Seconds between two rounds. Raises ConnectorError."""
    watching = adapter.watch(TRIGGER, input)
    assert watching is not None  # noqa: S101 - the trigger watches a list
    return watching.every


async def step(adapter: Adapter, input: Mapping[str, Any], state: Mapping[str, Any] | None) -> Found:
    """One request at most. Raises ConnectorError; then the same state may be used again, and nothing is lost."""
    wanted = {name: value for name, value in input.items() if name != _PAUSE}
    try:
        polled = await adapter.poll(TRIGGER, wanted, state)
    except StateError:
        raise StateError(_OTHER_INPUT) from None
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
