"""How many requests a key may send: 100 a minute in the reference, which does not say what kind of minute.

A window reads the moments of the requests that were admitted, so that its kind and limit can change at any time.
"""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from connector.sandbox.settings import RateWindow, SandboxSettings

Window = Callable[[Sequence[float], int, float, float], float]
"""(moments admitted, ascending; limit; seconds; now) → seconds until one more is within the limit, 0.0 when it is."""


def wait_sliding(admitted: Sequence[float], limit: int, seconds: float, now: float) -> float:
    """At most `limit` requests in any stretch of `seconds`."""
    counted = len(admitted) - bisect_right(admitted, now - seconds)
    return admitted[-limit] + seconds - now if counted >= limit else 0.0


def wait_fixed(admitted: Sequence[float], limit: int, seconds: float, now: float) -> float:
    """At most `limit` requests between two strokes of the clock, `seconds` apart."""
    start = now // seconds * seconds
    counted = len(admitted) - bisect_left(admitted, start)
    return start + seconds - now if counted >= limit else 0.0


def wait_weighted(admitted: Sequence[float], limit: int, seconds: float, now: float) -> float:
    """At most `limit` by an estimate: those since the last stroke, and of those before it the part that still overlaps.

    An estimate of a sliding window from two counters, which counts the earlier requests as if they were evenly spread.
    """
    start = now // seconds * seconds
    current = len(admitted) - bisect_left(admitted, start)
    previous = len(admitted) - bisect_left(admitted, start - seconds) - current
    if current >= limit:  # wait for the next stroke, and then until these overlap little enough
        return start + seconds * (1 + _share_to_pass(current, limit - 1)) - now
    return max(0.0, start + seconds * _share_to_pass(previous, limit - 1 - current) - now)


def _share_to_pass(earlier: int, room: int) -> float:
    """The part of the window after which `earlier` requests count for no more than `room`."""
    return 1 - room / earlier if earlier > room else 0.0


WINDOWS: dict[RateWindow, Window] = {"sliding": wait_sliding, "fixed": wait_fixed, "weighted": wait_weighted}


class RateLimit:
    """Remembers the requests of every key for two windows."""

    def __init__(self, read_settings: Callable[[], SandboxSettings]) -> None:
        self._read_settings = read_settings
        self._admitted: defaultdict[str, list[float]] = defaultdict(list)

    def admit(self, key: str, now: datetime) -> int:
        """0 for a request within the limit, which counts; else the whole seconds until one would be."""
        settings, moment = self._read_settings(), now.timestamp()
        admitted = self._admitted[key]
        wait = WINDOWS[settings.rate_window](admitted, settings.rate_limit, settings.rate_seconds, moment)
        if wait > 0:
            return math.ceil(wait)
        if admitted and admitted[0] < moment - 4 * settings.rate_seconds:  # seldom, as it moves the whole list
            del admitted[: bisect_left(admitted, moment - 2 * settings.rate_seconds)]
        admitted.append(moment)
        return 0
