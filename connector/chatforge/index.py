"""What was seen in the lists of one connection: their order, and their items. It may be lost at any time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar

from connector.chatforge.models import Conversation, Lead

Item = TypeVar("Item", Conversation, Lead)
Order = Literal["newest_first", "oldest_first"]

_EVIDENCE = 8
"""Fewer items may stand in order by chance."""
_MOST = 5_000
"""Items that are remembered of one list."""


def find_order(items: Sequence[Conversation | Lead]) -> Order | None:
    """The order that the items stand in, where they show one. Ties are fine, a missing time is not."""
    times = [item.created_at for item in items if item.created_at is not None]
    if len(times) < max(len(items), _EVIDENCE) or times[0] == times[-1]:
        return None
    if times == sorted(times):
        return "oldest_first"
    return "newest_first" if times == sorted(times, reverse=True) else None


@dataclass(slots=True)
class Listing(Generic[Item]):
    """One list of one agent."""

    order: Order | None = None
    items: dict[str, Item] = field(default_factory=dict)

    def remember(self, seen: dict[str, Item], *, whole: bool) -> None:
        """Keep what was seen; `whole` says that there is nothing else in the list."""
        for key in list(self.items if whole else seen):
            self.items.pop(key, None)
        self.items.update(seen)
        for key in list(self.items)[:-_MOST]:
            del self.items[key]


class Index:
    """The lists of a connection, by agent."""

    def __init__(self) -> None:
        self._conversations: dict[str, Listing[Conversation]] = {}
        self._leads: dict[str, Listing[Lead]] = {}

    def conversations(self, agent_id: str) -> Listing[Conversation]:
        return self._conversations.setdefault(agent_id, Listing())

    def leads(self, agent_id: str) -> Listing[Lead]:
        return self._leads.setdefault(agent_id, Listing())


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def newest(items: Sequence[Item]) -> Item | None:
    """The item that was made last; one without a time counts as old."""
    return max(items, key=lambda item: item.created_at or _LONG_AGO, default=None)
