"""How `format_time` writes a time: text in which `%Y` and the like stand for its parts.

The codes are those of `strftime`, without the ones that differ by machine or language.
"""

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = "January February March April May June July August September October November December".split()
_MOST_CHARACTERS = 200

Part = str | Callable[[datetime], str]

CODES: dict[str, tuple[str, Callable[[datetime], str]]] = {
    "Y": ("year, 2026", lambda time: f"{time.year:04}"),
    "y": ("year, 26", lambda time: f"{time.year % 100:02}"),
    "m": ("month, 01-12", lambda time: f"{time.month:02}"),
    "d": ("day of the month, 01-31", lambda time: f"{time.day:02}"),
    "H": ("hour, 00-23", lambda time: f"{time.hour:02}"),
    "I": ("hour, 01-12", lambda time: f"{(time.hour - 1) % 12 + 1:02}"),
    "p": ("AM or PM", lambda time: "AM" if time.hour < 12 else "PM"),
    "M": ("minute, 00-59", lambda time: f"{time.minute:02}"),
    "S": ("second, 00-59", lambda time: f"{time.second:02}"),
    "j": ("day of the year, 001-366", lambda time: f"{time.timetuple().tm_yday:03}"),
    "A": ("day of the week, Monday", lambda time: _DAYS[time.weekday()]),
    "a": ("day of the week, Mon", lambda time: _DAYS[time.weekday()][:3]),
    "B": ("month, January", lambda time: _MONTHS[time.month - 1]),
    "b": ("month, Jan", lambda time: _MONTHS[time.month - 1][:3]),
    "Z": ("time zone, CET", lambda time: time.tzname() or ""),
    "z": ("distance from UTC, +0100", lambda time: time.strftime("%z")),
    "%": ("a percent sign", lambda _time: "%"),
}
"""The meaning of each letter after `%`, and what writes it."""

# What other programs write for the codes, longest first.
_OTHER_CODES = {
    "YYYY": "%Y",
    "yyyy": "%Y",
    "MMMM": "%B",
    "MMM": "%b",
    "DDDD": "%A",
    "dddd": "%A",
    "YY": "%y",
    "yy": "%y",
    "MM": "%m",
    "DD": "%d",
    "dd": "%d",
    "HH": "%H",
    "hh": "%H",
    "mm": "%M",
    "ss": "%S",
    "SS": "%S",
}
_OTHER = re.compile("|".join(_OTHER_CODES))
_PIECE = re.compile("%(.?)|[^%]+", re.DOTALL)


@lru_cache(maxsize=256)
def parts(pattern: str) -> tuple[Part, ...]:
    """The parts of a pattern. Raises ValueError with what to write instead."""
    if len(pattern) > _MOST_CHARACTERS:
        raise ValueError(f"write at most {_MOST_CHARACTERS} characters")
    found: list[Part] = []
    for piece in _PIECE.finditer(pattern):
        if (code := piece[1]) is None:
            found.append(piece[0])
        elif code in CODES:
            found.append(CODES[code][1])
        else:
            raise ValueError(f"write %{' %'.join(CODES)}" if code else "write %% for a percent sign")
    if all(isinstance(part, str) for part in found):
        raise ValueError(f"write {_translated(pattern)!r}")
    return tuple(found)


def is_pattern(text: str) -> bool:
    try:
        parts(text)
    except ValueError:
        return False
    return True


def _translated(pattern: str) -> str:
    """The pattern of another program in our codes; an example where it has nothing in common with one."""
    text = _OTHER.sub(lambda found: _OTHER_CODES[found[0]], pattern)
    return text if text.count("%") > 1 else "%d.%m.%Y %H:%M"


def write(time: datetime, pattern: str) -> str:
    """Raises ValueError where `pattern` is none."""
    return "".join(part if isinstance(part, str) else part(time) for part in parts(pattern))
