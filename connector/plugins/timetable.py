"""When the clock starts a flow: every so often, or by a cron line in a time zone. Pure; times are aware and in UTC."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import takewhile

from cronsim import CronSim, CronSimError

from connector.validation import quoted

_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day of month": "1-31, L or LW",
    "month": "1-12 or jan-dec",
    "day of week": "0-7 or sun-sat, mon#1 or 5L",
}
_SOME_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 - the clock on a wall
_LONGEST_REPEAT = timedelta(hours=3)
"""Clocks are put back by less than this at once."""


@dataclass(frozen=True, slots=True)
class Every:
    """Ticks at whole multiples of `step` after the anchor, however late any of them was noticed."""

    step: timedelta

    def due(self, anchor: datetime, after: datetime, until: datetime, most: int) -> list[datetime]:
        last = (until - anchor) // self.step
        first = max(self._next(anchor, after), last - most + 1)
        return [anchor + number * self.step for number in range(first, last + 1)]

    def following(self, anchor: datetime, after: datetime) -> datetime:
        return anchor + self._next(anchor, after) * self.step

    def _next(self, anchor: datetime, after: datetime) -> int:
        return max(0, (after - anchor) // self.step) + 1


@dataclass(frozen=True, slots=True)
class Cron:
    """Ticks where a clock on a wall of `zone` shows what `line` names.

    As Debian's cron does it: where the clock is put forward, a line of fixed times starts at the end of the gap, and
    where it is put back, at the first of both times. A line whose minute or hour begins with * follows the clock.
    """

    line: str
    zone: tzinfo

    def due(self, _anchor: datetime, after: datetime, until: datetime, most: int) -> list[datetime]:
        span = timedelta(minutes=most)
        while True:
            start = max(after, until - span)
            found = list(takewhile(lambda tick: tick <= until, self._ticks(start)))
            if start == after or len(found) >= most:
                return found[-most:]
            span *= 2  # few ticks: look further back for the others

    def following(self, _anchor: datetime, after: datetime) -> datetime | None:
        return next(self._ticks(after), None)

    def _ticks(self, after: datetime) -> Iterator[datetime]:
        """The ticks after `after`, in order.

        The library walks over what a clock on a wall shows; its own walk over zones misses ticks where a zone
        changes by half an hour.
        """
        newest, found = after, set[datetime]()
        start = (after - _LONGEST_REPEAT).astimezone(self.zone).replace(tzinfo=None, fold=0)
        for local in CronSim(self.line, start):
            moments = self._moments(local)
            found.update(moments)
            # A time that comes twice comes again after the others of its hour.
            for tick in sorted(tick for tick in found if moments and tick <= moments[0]):
                found.remove(tick)
                if tick > newest:
                    newest = tick
                    yield tick
        yield from sorted(found)

    def _moments(self, local: datetime) -> list[datetime]:
        """When a line that names `local` starts: once; twice or never for one that follows the clock."""
        moments = self._showing(local)
        if any(field.startswith("*") for field in self.line.split()[:2]):
            return moments
        while not moments:
            local += timedelta(minutes=1)
            moments = self._showing(local)
        return moments[:1]

    def _showing(self, local: datetime) -> list[datetime]:
        """When the clock shows `local`: once; twice where it is put back, never where it is put forward."""
        both = {local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        return sorted(moment for moment in both if moment.astimezone(self.zone).replace(tzinfo=None) == local)


def check_cron(line: str) -> str:
    """The line; raises ValueError where it is none, or names no moment of the next 50 years."""
    parts = line.split()
    if len(parts) != len(_FIELDS):
        raise ValueError("should be five fields, such as '0 9 * * mon-fri'")
    for place, (name, taken) in enumerate(_FIELDS.items()):
        alone = ["*"] * len(parts)
        alone[place] = parts[place]
        if not _is_known(" ".join(alone)):
            shown = quoted(parts[place])
            raise ValueError(f"has {shown} as its {name}; it takes {taken}, also as 1,3 or 1-5 or */2")
    if not _is_known(line) or next(CronSim(line, _SOME_DAY), None) is None:
        raise ValueError("should name a moment that comes within 50 years")
    return line


def _is_known(line: str) -> bool:
    try:
        CronSim(line, _SOME_DAY)
    except (CronSimError, ValueError):  # ValueError: a number of thousands of digits
        return False
    return True
