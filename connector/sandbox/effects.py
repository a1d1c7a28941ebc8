"""The record of every change that was made through the API, in the order in which they took place."""

from datetime import datetime
from typing import Any

from connector.sandbox.records import Effect
from connector.sandbox.storage import Storage


class EffectLog:
    """Append-only; sequence numbers begin at 1 and have no gaps."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._entries = [Effect.load(document) for document in storage.load("", "effects")]

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
        self._storage.put("", "effects", str(effect.sequence), effect)
        return effect
