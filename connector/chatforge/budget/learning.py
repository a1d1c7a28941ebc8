"""What the refusals (429) of an account teach: how far its limit is lowered, and until when it pauses. Pure."""

import math
from dataclasses import dataclass, replace

STEP = 0.05
"""The part of the configured limit by which one episode of refusals lowers it."""
FLOOR = 0.1
"""The part of the configured limit below which it is not lowered."""
RAISED_AFTER = 600.0
"""Seconds without a refusal, and since the last raise, after which the limit is raised by a slot."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds that an account pauses where a refusal does not say for how long; doubled while refusals go on."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned of one account. Times are seconds of the budget's clock."""

    lowered: int = 0
    """By how many slots."""
    refused_at: float = -math.inf
    """When the last episode of refusals began: a request that started before belongs to it."""
    raised_at: float = -math.inf
    backoff: float = 0.0
    """The last pause of our own; 0 once a request was not refused any more."""
    paused_until: float = -math.inf
    paused_until_utc: float = 0.0
    """The same as seconds since 1970, which outlast a reboot."""
    asked: bool = False
    """Whether the pause was asked for by `Retry-After`."""

    def limit(self, configured: int) -> int:
        return max(_floor(configured), configured - self.lowered)

    def refuse(self, started: float, now: float, utc: float, retry_after: float | None, configured: int) -> "Learned":
        """A request that started at `started` was refused. `utc` is `now` as seconds since 1970."""
        if started < self.refused_at:
            return self._pause(now, utc, retry_after) if retry_after else self
        step = max(1, int(configured * STEP))
        lowered = min(self.lowered + step, configured - _floor(configured))
        backoff = min(LONGEST_PAUSE, self.backoff * 2 or FIRST_PAUSE)
        found = replace(self, lowered=lowered, refused_at=now, raised_at=now, backoff=backoff, asked=bool(retry_after))
        return found._pause(now, utc, retry_after or backoff)

    def _pause(self, now: float, utc: float, seconds: float) -> "Learned":
        if now + seconds <= self.paused_until:
            return self
        return replace(self, paused_until=now + seconds, paused_until_utc=utc + seconds)

    def accept(self, started: float) -> "Learned":
        """A request was not refused."""
        return replace(self, backoff=0.0) if self.backoff and started >= self.refused_at else self

    def creep(self, now: float) -> "Learned":
        """Raise the limit where that is due."""
        steps = int((now - self.raised_at) // RAISED_AFTER) if self.lowered else 0
        if steps <= 0:
            return self
        return replace(self, lowered=max(0, self.lowered - steps), raised_at=self.raised_at + steps * RAISED_AFTER)

    def reboot(self, now: float, utc: float) -> "Learned":
        """The same on a clock that began anew."""
        if self == Learned():
            return self
        left = max(0.0, self.paused_until_utc - utc)
        return replace(self, refused_at=now, raised_at=now, paused_until=now + left)


def _floor(configured: int) -> int:
    return max(1, int(configured * FLOOR))
