"""Reads the times that ChatForge, visitors and flow files write."""

from datetime import UTC, datetime

EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, tzinfo=UTC)
"""Beyond these a time is none: a minute or a week could not be added to the ends of the calendar."""


def read_time(value: object) -> datetime | None:
    """A time in ISO 8601 as aware UTC, taken as UTC where it has no offset; None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        return in_utc(datetime.fromisoformat(value))
    except ValueError:
        return None


def in_utc(moment: datetime) -> datetime | None:
    """The same moment as aware UTC; None beyond `EARLIEST` and `LATEST`."""
    try:
        found = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        return None
    return found if EARLIEST <= found <= LATEST else None
