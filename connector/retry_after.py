"""Reads how long the other side of HTTP wants to be left alone."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST = 86_400.0  # seconds
_SECONDS = re.compile(r"\s*-?[0-9]{1,9}(\.[0-9]{1,9})?\s*")


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After`, seconds or an HTTP date, as seconds from now on; None where it makes no sense.

    A date is on the clock of whoever wrote it, which the header `Date` shows. Where several values came, as from a
    proxy and from what stands behind it, the longest counts. More than a day makes no sense. The names of `headers` are
    in lower case, or the mapping ignores case.
    """
    sent_at = parse_date(headers.get("date")) or now
    values = headers.get("retry-after", "").split(",")  # a date is understood without its weekday
    told = [_read(value, sent_at) for value in values]
    usable = [seconds for seconds in told if seconds is not None and seconds <= _LONGEST]
    return max(0.0, *usable) if usable else None


def parse_date(value: str | None) -> datetime | None:
    """Read a date as HTTP writes it; None where it makes no sense."""
    try:
        moment = parsedate_to_datetime(value or "")
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _read(value: str, sent_at: datetime) -> float | None:
    if _SECONDS.fullmatch(value):
        return float(value)
    moment = parse_date(value)
    return None if moment is None else (moment - sent_at).total_seconds()
