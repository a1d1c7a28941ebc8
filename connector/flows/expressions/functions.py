"""The functions of the expression language and their types.

Each is pure, bounded by the size of its arguments, and called only with values of the declared types.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connector.flows import types
from connector.flows.expressions import texts, times, urls
from connector.flows.expressions.values import MAX_RESULT, EvaluationError, as_text, as_time, from_time
from connector.flows.types import (
    ANY,
    BOOL,
    DURATION,
    HOURS,
    INT,
    NULL,
    NUMBER,
    PATTERN,
    STR,
    TIME,
    ZONE,
    ListOf,
    Object,
    Type,
)

__all__ = ["FUNCTIONS", "MAX_RESULT", "OTHER_WORDS", "EvaluationError", "Function", "as_text", "as_time", "from_time"]


@dataclass(frozen=True, slots=True)
class Function:
    parameters: tuple[Type, ...]
    result: Type | Callable[[Sequence[Type]], Type]
    """The type of the result, or a function from the types of the arguments to it."""
    call: Callable[..., Any]
    required: int = -1
    """How many of its parameters must be given; -1 stands for all."""
    counts: bool = False
    """Whether its first argument counts its work, where that is more than the length of its texts."""
    reads: tuple[str, str] | None = None
    """A name and a field of it in the scope, whose value is one more argument."""
    looks_for: int | None = None
    """The argument that is looked for in a text, and is a mistake where it is empty."""
    cost: int = 200
    """Its work with short texts, in characters."""

    def fits(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        return len(self.parameters) >= count >= (self.required if self.required >= 0 else len(self.parameters))

    def result_of(self, arguments: Sequence[Type]) -> Type:
        return self.result(arguments) if callable(self.result) else self.result


def _item_or_null(arguments: Sequence[Type]) -> Type:
    [lists] = arguments
    return types.union([*(part.item if isinstance(part, ListOf) else ANY for part in types.parts(lists)), NULL])


def _int_or_null(arguments: Sequence[Type]) -> Type:
    return INT if _is_number(arguments[0]) else types.union([INT, NULL])


def _number_or_null(arguments: Sequence[Type]) -> Type:
    return types.widened(arguments[0]) if _is_number(arguments[0]) else types.union([NUMBER, NULL])


def _is_number(kind: Type) -> bool:
    return kind != ANY and types.assignable(kind, NUMBER)


def default_type(arguments: Sequence[Type]) -> Type:
    """The type of `value ?? other`."""
    value, other = arguments
    return types.union([types.without_null(value), other]) if value != NULL else other


def _default(value: Any, other: Any) -> Any:
    return other if value is None else value


_SIZED = types.Union((STR, ListOf(ANY), Object("map", {}, extra=ANY)))
_SCALAR = types.Union((STR, NUMBER, BOOL))
_TEXT_OR_NUMBER = types.Union((STR, NUMBER))
_STR_OR_NULL = types.Union((STR, NULL))

FUNCTIONS: dict[str, Function] = {
    "size": Function((_SIZED,), INT, len),
    "lower": Function((STR,), STR, str.lower),
    "upper": Function((STR,), STR, str.upper),
    "trim": Function((STR,), STR, str.strip),
    "string": Function((_SCALAR,), STR, as_text),
    "int": Function((_TEXT_OR_NUMBER,), _int_or_null, texts.to_int, cost=400),
    "number": Function((_TEXT_OR_NUMBER,), _number_or_null, texts.to_number, cost=400),
    "contains": Function((STR, STR), BOOL, str.__contains__),
    "starts_with": Function((STR, STR), BOOL, str.startswith),
    "ends_with": Function((STR, STR), BOOL, str.endswith),
    "split": Function((STR, STR), ListOf(STR), texts.split, counts=True, looks_for=1, cost=600),
    "join": Function((ListOf(_SCALAR), STR), STR, texts.join, counts=True, cost=800),
    "replace": Function((STR, STR, STR), STR, texts.replace, looks_for=1),
    "first": Function((ListOf(ANY),), _item_or_null, lambda items: items[0] if items else None),
    "last": Function((ListOf(ANY),), _item_or_null, lambda items: items[-1] if items else None),
    "default": Function((ANY, ANY), default_type, _default),
    "json": Function((ANY,), STR, texts.to_json, counts=True, cost=1_200),
    "url_encode": Function((STR,), STR, urls.encode, counts=True, cost=800),
    "url_host": Function((STR,), _STR_OR_NULL, urls.host, counts=True, cost=1_000),
    "url_path": Function((STR,), _STR_OR_NULL, urls.path, counts=True, cost=1_000),
    "url_query": Function((STR,), Object("map", {}, extra=STR), urls.query, counts=True, cost=1_000),
    "add_duration": Function((TIME, DURATION), TIME, times.add_duration, cost=2_000),
    "format_time": Function((TIME, PATTERN, ZONE), STR, times.format_time, required=2, cost=3_000),
    "within": Function((TIME, HOURS, ZONE), BOOL, times.within, cost=1_600),
    "age": Function((TIME,), INT, times.age, reads=("run", "started_at"), cost=2_000),
}

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
    "startswith": "starts_with",
    "endswith": "ends_with",
    "parseint": "int",
    "toint": "int",
    "float": "number",
    "parsefloat": "number",
    "tonumber": "number",
    "double": "number",
    "stringify": "json",
    "tojson": "json",
    "encodeuricomponent": "url_encode",
    "strftime": "format_time",
    "any": "exists",
    "some": "exists",
    "every": "all",
    "select": "filter",
    "where": "filter",
    "foreach": "map",
}
"""What people who know other languages write, in lower case and without `_`."""
