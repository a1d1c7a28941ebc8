"""Time zones by their names in the IANA list, such as `Europe/Berlin`."""

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from connector.flows.problems import closest

_MOST_CHARACTERS = 100  # of a name; the longest one has 32


def zone_of(name: str) -> tzinfo:
    """The time zone of that name. Raises ValueError."""
    if name == "UTC":
        return UTC  # also where the machine has no list of time zones
    try:
        return ZoneInfo(name[:_MOST_CHARACTERS])
    except (KeyError, ValueError, OSError):
        raise ValueError("should be the name of a time zone, such as 'Europe/Berlin'") from None


def is_zone(name: str) -> bool:
    try:
        zone_of(name)
    except ValueError:
        return False
    return True


def meant(name: str) -> str | None:
    """The zone that was probably meant: one that is spelt alike, or that of a city.

    An abbreviation such as PST stands for several, and is spelt like others that are elsewhere.
    """
    return closest(name.replace(" ", "_"), available_timezones()) if len(name) > 4 else None
