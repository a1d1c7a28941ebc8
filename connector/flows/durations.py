"""Durations as flows write them: `500ms 2s 5m 1h 30d`."""

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
PATTERN = r"([0-9]{1,9})(ms|s|m|h|d)"
_DURATION = re.compile(PATTERN)
_LONGEST = 36_500 * 86_400.0  # added to or taken from any moment of our time, it gives one of the calendar

EXPECTED = "expected a duration such as 500ms, 2s, 5m, 1h or 30d"
EXAMPLES = "write one such as 500ms, 2s, 5m, 1h or 30d"


def seconds(text: str) -> float | None:
    """The number of seconds that `text` stands for, or None where it is no duration of at most 36500 days."""
    match = _DURATION.fullmatch(text)
    amount = int(match[1]) * _UNITS[match[2]] if match else None
    return None if amount is None or amount > _LONGEST else amount


_WORDS = re.compile(r"([0-9]{1,6}) ?(s|sec|secs|second|m|min|mins|minute|h|hr|hrs|hour|d|day|w|week)s?", re.IGNORECASE)


def meant(text: str) -> str | None:
    """The duration that people write as `1 hour`, `90 min` or `1w`."""
    match = _WORDS.fullmatch(text.strip())
    if match is None:
        return None
    amount, unit = int(match[1]), match[2][0].lower()
    return f"{7 * amount}d" if unit == "w" else f"{amount}{unit}"


def render(amount: float) -> str:
    """The shortest text that stands for so many seconds."""
    for unit, length in reversed(_UNITS.items()):
        if amount >= length and amount % length == 0:
            return f"{amount / length:.0f}{unit}"
    return f"{amount * 1000:.0f}ms"
