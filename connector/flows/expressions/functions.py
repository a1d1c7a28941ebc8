"""The functions of the expression language: their types and what they do.

Each is pure, bounded by the size of its arguments, and called only with values of the declared types.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.flows import types
from connector.flows.durations import EXPECTED, seconds
from connector.flows.types import ANY, BOOL, DURATION, INT, NULL, NUMBER, STR, TIME, ListOf, Type

MAX_RESULT = 1_000_000  # characters


class EvaluationError(Exception):
    """An expression has no value: a division by zero, a field of null, a result that is too large."""


@dataclass(frozen=True, slots=True)
class Function:
    parameters: tuple[Type, ...]
    result: Type | Callable[[Sequence[Type]], Type]
    """The type of the result, or a function from the types of the arguments to it."""
    call: Callable[..., Any]


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


def _add_duration(time: str, duration: str) -> str:
    if (amount := seconds(duration)) is None:
        raise EvaluationError(f"{shown(duration)} is not a duration; {EXPECTED}")
    try:
        return from_time(as_time(time) + timedelta(seconds=amount))
    except OverflowError as error:
        raise EvaluationError(f"{shown(time)} plus {shown(duration)} is no time of the calendar") from error


def _replace(text: str, old: str, new: str) -> str:
    if old == "":
        raise EvaluationError("replace needs a text to look for, not an empty one")
    # Before the result is made: it may be as large as the product of two texts.
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_RESULT:
        raise EvaluationError(f"the result of replace is longer than {MAX_RESULT} characters")
    return text.replace(old, new)


def _item_or_null(arguments: Sequence[Type]) -> Type:
    [lists] = arguments
    return types.union([*(part.item if isinstance(part, ListOf) else ANY for part in types.parts(lists)), NULL])


_SIZED = types.Union((STR, ListOf(ANY), types.Object("map", {}, extra=ANY)))
_SCALAR = types.Union((STR, NUMBER, BOOL))

FUNCTIONS: dict[str, Function] = {
    "size": Function((_SIZED,), INT, len),
    "lower": Function((STR,), STR, str.lower),
    "upper": Function((STR,), STR, str.upper),
    "trim": Function((STR,), STR, str.strip),
    "string": Function((_SCALAR,), STR, as_text),
    "contains": Function((STR, STR), BOOL, str.__contains__),
    "starts_with": Function((STR, STR), BOOL, str.startswith),
    "ends_with": Function((STR, STR), BOOL, str.endswith),
    "replace": Function((STR, STR, STR), STR, _replace),
    "first": Function((ListOf(ANY),), _item_or_null, lambda items: items[0] if items else None),
    "last": Function((ListOf(ANY),), _item_or_null, lambda items: items[-1] if items else None),
    "add_duration": Function((TIME, DURATION), TIME, _add_duration),
}

NOT_YET = frozenset(
    "int number split join default url_encode url_host url_path url_query json format_time within age "
    "exists all filter map".split()
)

OTHER_WORDS = {
    "len": "size",
    "length": "size",
    "count": "size",
    "strip": "trim",
    "tolower": "lower",
    "tolowercase": "lower",
    "lowercase": "lower",
    "toupper": "upper",
    "touppercase": "upper",
    "uppercase": "upper",
    "str": "string",
    "tostring": "string",
    "includes": "contains",
}
"""What people who know other languages write, in lower case and without `_`."""
