"""Plain JSON values: how they stand in texts and messages, and the times among them."""

import json
from datetime import UTC, datetime
from typing import Any

MAX_RESULT = 1_000_000  # characters


class EvaluationError(Exception):
    """An expression has no value: a division by zero, a field of null, a result that is too large."""


def shown(value: Any) -> str:
    """A value in a message: short, and with nothing in it that a terminal would obey."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, datetime):
        return from_time(value)
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value[:41]) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def as_text(value: Any) -> str:
    """How a value stands inside text: numbers as JSON writes them, true and false in lower case."""
    return value if isinstance(value, str) else json.dumps(value)


def as_time(value: Any) -> datetime:
    """The aware UTC time that a text names; one without an offset is UTC."""
    try:
        moment = datetime.fromisoformat(value.upper())  # RFC 3339 allows a small t and z
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (AttributeError, ValueError, OverflowError) as error:
        raise EvaluationError(f"{shown(value)} is not a time such as 2026-03-25T10:30:00Z") from error


def from_time(moment: datetime) -> str:
    """The text of an aware UTC time, which `as_time` reads."""
    return moment.isoformat().replace("+00:00", "Z")


def too_long(what: str) -> EvaluationError:
    return EvaluationError(f"{what} is longer than {MAX_RESULT} characters")
