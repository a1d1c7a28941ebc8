"""How fast the lists of one account are polled, and what its operator is told when that fails."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from connector.adapter import Adapter
from connector.errors import ConnectorError, StoreError

log = logging.getLogger(__name__)

SHARE = 0.7
"""The part of an account's requests that polls may take."""
PATIENT_SHARE = 0.3
"""The part that long walks take of them."""
HURRIED_SHARE = 0.1
"""The part for looks at partitions of which none is known to be the one that somebody waits for."""
HURRIED_AT_ONCE = 60.0
"""So many seconds' worth of these looks may be made at once."""
LONGEST_PAUSE = 300.0
"""Seconds between two tries at most, while requests fail."""
STORE_PAUSE = 1.0
"""Seconds until the first try after the database has failed."""
FAULT_PAUSE = 60.0
"""Seconds until a part of polling begins again after a fault of this program."""

_OF_ACCOUNT = {"authentication", "plan", "network", "rate_limit", "database"}
"""Kinds of failures that all polls of an account have together."""
_REFUSED = {"authentication", "plan"}
_FAULT = "fault"
_SHORTEST = 0.001


@dataclass(slots=True)
class Pace:
    """What all polls of one account share. Times are seconds of a monotonic clock."""

    adapter: Adapter
    connector: str
    connection: str
    monotonic: Callable[[], float]
    needs: dict[object, float] = field(default_factory=dict)
    """Requests a minute that each poll would like to send."""
    failing: dict[str, str] = field(default_factory=dict)
    """What fails, with the kind of the failure."""
    _next_patient: float = 0.0
    _next_hurried: float = -math.inf
    _stretched: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.connector, self.connection

    def is_refused(self, place: str) -> bool:
        """Whether the poll of `place` fails because the key or the plan of the account is not accepted."""
        return self.failing.get(place) in _REFUSED

    @contextmanager
    def share(self, poll: object, place: str, every: float) -> Iterator["Failures"]:
        """Let a poll that wants to ask every so many seconds have its part, until it ends; its failures."""
        self.needs[poll] = 60 / max(every, _SHORTEST)
        try:
            yield Failures(self, place)
        finally:
            self.needs.pop(poll, None)
            self.failing.pop(place, None)

    def stretch(self) -> float:
        """By how much the pauses between polls are longer than wanted, so that they leave requests for others."""
        limit = self._limit()
        factor = max(1.0, sum(self.needs.values()) / (SHARE * limit)) if limit else 1.0
        if (factor > 1) != self._stretched:
            self._stretched = factor > 1
            self._say_stretched(factor, limit or 0)
        return factor

    def reserve_patient(self) -> float:
        """When the next page of a long walk may be asked for."""
        limit = self._limit()
        at = max(self.monotonic(), self._next_patient)
        self._next_patient = at + (60 / (PATIENT_SHARE * limit) if limit else 0.0)
        return at

    def reserve_hurried(self, at: float, before: float) -> float:
        """When somebody may look who would like to at `at`, and looks at `before` anyway."""
        limit = self._limit()
        free = max(self._next_hurried, self.monotonic() - HURRIED_AT_ONCE)
        at = max(at, free)
        if at >= before:
            return before
        self._next_hurried = free + (60 / (HURRIED_SHARE * limit) if limit else 0.0)
        return at

    def begin_failure(self, place: str, error: Exception) -> None:
        """Note that the poll of `place` fails; the first one is logged, a fault with its traceback."""
        kind = _kind(error)
        shared = kind in _OF_ACCOUNT
        known = kind in self.failing.values() if shared else self.failing.get(place) == kind
        self.failing[place] = kind
        if not known:
            what = "polling" if shared else f"polling {place}"
            fault = error if kind == _FAULT else None
            log.warning("%s of %s/%s fails and is tried again: %s", what, *self.key, explain(error), exc_info=fault)

    def end_failure(self, place: str) -> None:
        """Note that the poll of `place` works; where that is news, it is logged."""
        kind = self.failing.pop(place, None)
        if kind is None or (kind in _OF_ACCOUNT and kind in self.failing.values()):
            return
        what = "polling" if kind in _OF_ACCOUNT else f"polling {place}"
        log.info("%s of %s/%s works again", what, *self.key)

    def _limit(self) -> int | None:
        try:
            return self.adapter.rate_limit(self.connector, self.connection)
        except ConnectorError:
            return None  # the request that follows says what is wrong

    def _say_stretched(self, factor: float, limit: int) -> None:
        if factor > 1:
            log.warning(
                "the polls of %s/%s would take %.0f requests a minute, more than %.0f %% of %d; their pauses are %.1f "
                "times as long as wanted",
                *self.key,
                sum(self.needs.values()),
                100 * SHARE,
                limit,
                factor,
            )
        else:
            log.info("the polls of %s/%s keep the pauses that the flows want again", *self.key)


@dataclass(slots=True)
class Failures:
    """The failures in a row of the poll of `place`."""

    pace: Pace
    place: str
    number: int = 0

    def begin(self, error: Exception, pause: float) -> float:
        """Note one; the seconds until the next try.

        They become more, from `pause` on, and are never fewer than the other side asked for.
        """
        self.pace.begin_failure(self.place, error)
        longer = 2.0 ** min(self.number, 20)
        self.number += 1
        if isinstance(error, StoreError):
            return min(max(STORE_PAUSE, pause), STORE_PAUSE * longer)
        if not isinstance(error, ConnectorError):
            return LONGEST_PAUSE
        return max(getattr(error, "retry_after", None) or 0.0, min(LONGEST_PAUSE, pause * longer))

    def end(self) -> None:
        """The poll works."""
        self.number = 0
        self.pace.end_failure(self.place)


def explain(error: Exception) -> str:
    """The failure as one sentence; what an exception says that is not ours may hold a secret."""
    if isinstance(error, ConnectorError):
        return str(error)
    return f"{type(error).__name__}, a fault of this program or of a plugin; the log has its traceback"


def _kind(error: Exception) -> str:
    if isinstance(error, StoreError):
        return "database"
    return getattr(error, "kind", "other") if isinstance(error, ConnectorError) else _FAULT
