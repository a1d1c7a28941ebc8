"""The functions of the expression language: their types and what they do.

Each is pure, bounded by the size of its arguments, and called only with values of the declared types.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.flows import types
from connector.flows.durations import seconds
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
    optional: int = 0
    """How many of the last parameters may be left out."""


def as_text(value: Any) -> str:
    """How a value stands inside text: numbers as JSON writes them, true and false in lower case."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_time(value: str) -> datetime:
    """The aware UTC time that an RFC 3339 text names."""
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise EvaluationError(f"{value!r} is not a time such as 2026-03-25T10:30:00Z") from error


def from_time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _add_duration(time: str, duration: str) -> str:
    if (amount := seconds(duration)) is None:
        raise EvaluationError(f"{duration!r} is not a duration such as 500ms, 2s, 5m, 1h or 30d")
    try:
        return from_time(as_time(time) + timedelta(seconds=amount))
    except OverflowError as error:
        raise EvaluationError(f"{time!r} plus {duration!r} is no time of the calendar") from error


def _replace(text: str, old: str, new: str) -> str:
    if old == "":
        raise EvaluationError("replace needs a text to look for, not an empty one")
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > MAX_RESULT:
        raise EvaluationError(f"the result of replace is longer than {MAX_RESULT} characters")
    return text.replace(old, new)


def _first(items: list[Any]) -> Any:
    return items[0] if items else None


def _last(items: list[Any]) -> Any:
    return items[-1] if items else None


def _item_or_null(arguments: Sequence[Type]) -> Type:
    [items] = arguments
    return types.union([items.item, NULL]) if isinstance(items, ListOf) else ANY


_SIZED = types.Union((STR, ListOf(ANY), types.Object("map", {}, extra=ANY)))
_SCALAR = types.Union((STR, NUMBER, BOOL))

FUNCTIONS: dict[str, Function] = {
    "size": Function((_SIZED,), INT, len),
    "lower": Function((STR,), STR, str.lower),
    "upper": Function((STR,), STR, str.upper),
    "trim": Function((STR,), STR, str.strip),
    "string": Function((_SCALAR,), STR, as_text),
    "contains": Function((STR, STR), BOOL, lambda text, part: part in text),
    "starts_with": Function((STR, STR), BOOL, str.startswith),
    "ends_with": Function((STR, STR), BOOL, str.endswith),
    "replace": Function((STR, STR, STR), STR, _replace),
    "first": Function((ListOf(ANY),), _item_or_null, _first),
    "last": Function((ListOf(ANY),), _item_or_null, _last),
    "add_duration": Function((TIME, DURATION), TIME, _add_duration),
}
