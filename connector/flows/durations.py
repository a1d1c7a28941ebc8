"""Durations as flows write them: `500ms 2s 5m 1h 30d`."""

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d{1,9})(ms|s|m|h|d)")

EXPECTED = "expected a duration such as 500ms, 2s, 5m, 1h or 30d"


def seconds(text: str) -> float | None:
    """The number of seconds that `text` stands for, or None where it is no duration."""
    match = _DURATION.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None
