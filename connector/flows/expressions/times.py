"""What the functions on times do."""

from datetime import datetime, timedelta

from connector.flows import hours, patterns
from connector.flows.durations import EXPECTED, seconds
from connector.flows.expressions.values import EvaluationError, as_time, from_time, shown
from connector.flows.zones import zone_of


def add_duration(time: str, duration: str) -> str:
    if (amount := seconds(duration)) is None:
        raise EvaluationError(f"{shown(duration)} is not a duration; {EXPECTED}")
    try:
        return from_time(as_time(time) + timedelta(seconds=amount))
    except OverflowError as error:
        raise EvaluationError(f"{shown(time)} plus {shown(duration)} is no time of the calendar") from error


def age(time: str, started_at: str) -> int:
    """Whole seconds from the time to the start of the run; negative where the time comes after it."""
    return int((as_time(started_at) - as_time(time)).total_seconds())


def format_time(time: str, pattern: str, zone: str = "UTC") -> str:
    try:
        return patterns.write(_local(time, zone), pattern)
    except ValueError as error:
        raise EvaluationError(f"{shown(pattern)} is not a pattern of a time: {error}") from None


def within(time: str, spans: str, zone: str) -> bool:
    """Whether a clock in the zone shows a time within the hours of the week."""
    try:
        return hours.covers(spans, _local(time, zone))
    except ValueError as error:
        raise EvaluationError(f"{shown(spans)} is no hours of a week: {error}") from None


def _local(time: str, zone: str) -> datetime:
    try:
        return as_time(time).astimezone(zone_of(zone))
    except OverflowError as error:
        raise EvaluationError(f"{shown(time)} is no time of the calendar in {shown(zone)}") from error
    except ValueError:
        raise EvaluationError(f"{shown(zone)} is not a time zone") from None
