"""Hours of the week as flows write them: `Mon-Fri 09:00-17:00; Sat 10:00-14:00`.

`;` separates entries. Within an entry `,` lists days or times: `Mon,Wed 09:00-12:00,13:00-17:00`. Days without times
are whole days, and times without days are those of every day. A time ends before its second half, and one that
ends earlier than it starts ends on the next day.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from connector.flows.problems import closest, quoted

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = 24 * 60
_MOST_CHARACTERS = 200
_TIMES = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})")
_PART = re.compile(r"(?P<days>[^\W\d]+(?:\s*-\s*[^\W\d]+)?)?\s*(?P<times>[0-9].*)?")


@dataclass(frozen=True, slots=True)
class Span:
    """Minutes of the day on some days of the week, which count from Monday, 0. `end` may be on the next day."""

    days: frozenset[int]
    start: int
    end: int

    def covers(self, day: int, minute: int) -> bool:
        today = day in self.days and self.start <= minute < self.end
        return today or ((day - 1) % 7 in self.days and minute + _DAY < self.end)


@lru_cache(maxsize=256)
def spans(text: str) -> tuple[Span, ...]:
    """Raises ValueError with what to write instead."""
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"write at most {_MOST_CHARACTERS} characters")
    return tuple(span for entry in text.split(";") for span in _entry(entry))


def is_hours(text: str) -> bool:
    try:
        spans(text)
    except ValueError:
        return False
    return True


def covers(text: str, local: datetime) -> bool:
    """Whether the time that a clock shows lies within the hours. Raises ValueError where `text` is none."""
    day, minute = local.weekday(), local.hour * 60 + local.minute
    return any(span.covers(day, minute) for span in spans(text))


def _entry(entry: str) -> list[Span]:
    found: list[Span] = []
    days: frozenset[int] = frozenset()
    has_times = False  # for these days
    for part in entry.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None or not part.strip():
            raise ValueError("write hours such as 'Mon-Fri 09:00-17:00'")
        if match["days"]:
            days = _days(match["days"]) | (frozenset() if has_times else days)
            has_times = False
        if match["times"]:
            found.append(Span(days or frozenset(range(7)), *_times(match["times"])))
            has_times = True
    return found if has_times else [*found, Span(days, 0, _DAY)]


def _days(text: str) -> frozenset[int]:
    first, *last = (_day(name.strip()) for name in text.split("-"))
    count = (last[0] - first) % 7 if last else 0
    return frozenset((first + number) % 7 for number in range(count + 1))


def _day(name: str) -> int:
    for names in (_DAYS, _NAMES):
        if name.lower() in names:
            return names.index(name.lower())
    meant = closest(name, _NAMES) or next((day for day in _NAMES if day.startswith(name.lower())), None)
    hint = f", such as {meant[:3].capitalize()} for {quoted(name)}" if meant else ""
    raise ValueError(f"write days as Mon Tue Wed Thu Fri Sat Sun{hint}")


def _times(text: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(text)
    if match is None:
        raise ValueError(f"write 09:00-17:00 for times, not {quoted(text)}")
    start, end = _minute(match[1], match[2]), _minute(match[3], match[4])
    if start == _DAY:
        raise ValueError("write 00:00 for the start of a day")
    if start == end:
        raise ValueError("write 00:00-24:00 for a whole day")
    return start, end if end > start else end + _DAY


def _minute(hour: str, minute: str) -> int:
    found = int(hour) * 60 + int(minute)
    if found > _DAY or int(minute) > 59:
        raise ValueError(f"write times between 00:00 and 24:00, not {hour}:{minute}")
    return found
