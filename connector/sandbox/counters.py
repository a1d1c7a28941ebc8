"""How many requests the API had, by action and by what became of them."""

from collections import Counter

CUT = "cut"
"""Stands in the place of a status where the connection was closed without a whole answer."""


class RequestCounters:
    """Counts finished requests; statuses are text, such as "200"."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, action: str, outcome: str) -> None:
        """Add one request for `action` that ended with the status `outcome`, or with `CUT`."""
        self._counts[action, outcome] += 1

    def by_action(self) -> dict[str, dict[str, int]]:
        """action → status → requests."""
        table: dict[str, dict[str, int]] = {}
        for (action, outcome), number in self._counts.items():
            table.setdefault(action, {})[outcome] = number
        return table

    def by_status(self) -> dict[str, int]:
        """status → requests."""
        table: Counter[str] = Counter()
        for (_, outcome), number in self._counts.items():
            table[outcome] += number
        return dict(table)
