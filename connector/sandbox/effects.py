"""The record of every change that was made through the API, in the order in which they took place."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Effect:
    """One change. `body` is the request's JSON, None where it has none."""

    sequence: int
    at: datetime
    action: str
    method: str
    agent_id: str | None
    body: dict[str, Any] | None


class EffectLog:
    """Append-only; sequence numbers begin at 1 and have no gaps."""

    def __init__(self) -> None:
        self._entries: list[Effect] = []

    @property
    def entries(self) -> tuple[Effect, ...]:
        """All effects so far."""
        return tuple(self._entries)

    def append(
        self, at: datetime, action: str, method: str, agent_id: str | None, body: dict[str, Any] | None
    ) -> Effect:
        """Record a change that has just taken place."""
        effect = Effect(len(self._entries) + 1, at, action, method, agent_id, body)
        self._entries.append(effect)
        return effect
