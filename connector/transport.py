"""Makes the HTTP clients that actions use: limits, time-outs, and which failures mean "not sent"."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Purpose = Literal["takeover", "action", "interactive", "background"]


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How a connection is reached. Headers hold the key, so they stay out of the repr.

    Time-outs are in seconds.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_timeout: float = 5.0
    read_timeout: float = 30.0


class Slot(Protocol):
    """The right to send one request."""

    def answered(self) -> None:
        """The other side has answered, or certainly never saw the request."""

    def lost(self) -> None:
        """Nobody knows whether or when the other side counted the request."""

    def unused(self) -> None:
        """The request was never sent."""


class Budget(Protocol):
    """How many requests an account may send; shared by all who use the account."""

    async def take(self, purpose: Purpose) -> Slot:
        """Wait until one more request may be sent."""
        ...
