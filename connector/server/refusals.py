"""The deliveries that were refused lately, with the reason: the only trace that they leave but the log."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connector.headers import show

MOST = 100
_SHOWN = 2_000
"""Characters of a body."""
KEPT = 4 * _SHOWN
"""Bytes of a body that are enough for them."""
_SECRET = ("x-chatforge-signature",)
"""A sender that is set up wrongly may have put the secret there."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`body` is its beginning, as text. Nothing of it is authenticated: anybody may have sent it."""

    at: datetime
    connector: str
    connection: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: str


@dataclass
class Refusals:
    """The newest first. They are kept in memory: anybody can send what is refused, and must not fill a disk."""

    _kept: deque[Refusal] = field(default_factory=lambda: deque(maxlen=MOST))
    count: int = 0
    """Since the start."""

    def keep(
        self, at: datetime, place: tuple[str, str], status: int, reason: str, headers: Mapping[str, str], body: str
    ) -> None:
        shown = show(headers.items(), secret=_SECRET)
        self._kept.appendleft(Refusal(at, *place, status, reason, shown, body[:_SHOWN]))
        self.count += 1

    def __iter__(self) -> Iterator[Refusal]:
        return iter([*self._kept])
