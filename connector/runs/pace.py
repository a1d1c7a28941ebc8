"""How fast the lists of one account are polled, and what its operator is told when that fails."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from connector.adapter import Adapter
from connector.errors import ConnectorError, StoreError

log = logging.getLogger(__name__)

SHARE = 0.7
"""The part of an account's requests that polls may take."""
PATIENT_SHARE = 0.3
"""The part that long walks take of them."""

_OF_ACCOUNT = {"authentication", "plan", "network", "rate_limit", "database"}
"""Kinds of failures that all polls of an account have together."""
_REFUSED = {"authentication", "plan"}


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
    _stretched: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.connector, self.connection

    @property
    def is_refused(self) -> bool:
        """Whether the account's lists cannot be had, because its key or its plan is not accepted."""
        return not _REFUSED.isdisjoint(self.failing.values())

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

    def begin_failure(self, place: str, error: ConnectorError) -> None:
        """Note that the poll of `place` fails; the first one is logged."""
        kind = "database" if isinstance(error, StoreError) else getattr(error, "kind", "other")
        shared = kind in _OF_ACCOUNT
        known = kind in self.failing.values() if shared else self.failing.get(place) == kind
        self.failing[place] = kind
        if not known:
            what = "polling" if shared else f"polling {place}"
            log.warning("%s of %s/%s fails and is tried again: %s", what, *self.key, error)

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
