"""What the texts of the formats look like that types tell apart."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime

from connector.flows.durations import seconds
from connector.flows.hours import is_hours
from connector.flows.patterns import is_pattern
from connector.flows.zones import is_zone

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def is_time(text: str) -> bool:
    """Whether `text` is an RFC 3339 time with an offset."""
    return bool(_TIME.fullmatch(text)) and _is_read_by(_read_time, text.upper())


def _is_date(text: str) -> bool:
    return bool(_DATE.fullmatch(text)) and _is_read_by(date.fromisoformat, text)


def _is_clock(text: str) -> bool:
    return bool(_CLOCK.fullmatch(text)) and _is_read_by(datetime.fromisoformat, f"2026-03-25T{text.upper()}")


def _read_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _is_read_by(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except (ValueError, OverflowError):
        return False
    return True


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "date-time": is_time,
    "duration": lambda text: seconds(text) is not None,
    "date": _is_date,
    "clock": _is_clock,
    "uuid": lambda text: bool(_UUID.fullmatch(text)),
    "time-zone": is_zone,
    "time-pattern": is_pattern,
    "hours": is_hours,
}


def has_format(value: object, name: str) -> bool:
    """Whether `value` is a text of that format."""
    return isinstance(value, str) and _CHECKS[name](value)
