"""How many requests a key may send: 100 a minute in the reference, which does not say what kind of minute."""

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from connector.sandbox.settings import RateWindow


class Window(Protocol):
    """Counts the requests of one key."""

    def admit(self, now: datetime) -> bool:
        """Whether a request at `now` is within the limit; it counts only if it is."""
        ...


class SlidingWindow:
    """At most `limit` requests in any stretch of `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._admitted: deque[float] = deque()

    def admit(self, now: datetime) -> bool:
        """Whether a request at `now` is within the limit; it counts only if it is."""
        moment = now.timestamp()
        while self._admitted and moment - self._admitted[0] >= self._seconds:
            self._admitted.popleft()
        if len(self._admitted) >= self._limit:
            return False
        self._admitted.append(moment)
        return True


class FixedWindow:
    """At most `limit` requests between two strokes of the clock, `seconds` apart."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._current = 0
        self._admitted = 0

    def admit(self, now: datetime) -> bool:
        """Whether a request at `now` is within the limit; it counts only if it is."""
        current = int(now.timestamp() // self._seconds)
        if current != self._current:
            self._current, self._admitted = current, 0
        if self._admitted >= self._limit:
            return False
        self._admitted += 1
        return True


WINDOWS: dict[RateWindow, Callable[[int, float], Window]] = {"sliding": SlidingWindow, "fixed": FixedWindow}


class RateLimit:
    """One window per key."""

    def __init__(self, kind: RateWindow, limit: int, seconds: float) -> None:
        self._kind = kind
        self._limit = limit
        self._seconds = seconds
        self._windows: dict[str, Window] = {}

    def admit(self, key: str, now: datetime) -> bool:
        """Whether a request with this key at `now` is within the limit."""
        if key not in self._windows:
            self._windows[key] = WINDOWS[self._kind](self._limit, self._seconds)
        return self._windows[key].admit(now)
