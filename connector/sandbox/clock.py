"""Where the sandbox takes the time from."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time as an aware datetime."""


def read_clock() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


class FastClock:
    """Agrees with another clock when it is made, and from then on runs `speed` times as fast."""

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock = clock
        self._speed = speed
        self._start = clock()

    def __call__(self) -> datetime:
        return self._start + (self._clock() - self._start) * self._speed
