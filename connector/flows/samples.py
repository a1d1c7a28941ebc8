"""Values made from types: samples of what a step may give, and what people leave out because it is null."""

from collections.abc import Mapping
from typing import Any

from connector.flows import types
from connector.flows.types import ANY, NULL, ListOf, Object, Simple, Type

_DEEPEST = 6
"""Levels of a sample; below them what may be null or empty is so, as a type may contain itself."""
_TEXTS: Mapping[str, str] = {
    "date-time": "2026-03-25T12:00:00Z",
    "duration": "1m",
    "date": "2026-03-25",
    "clock": "12:00:00",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "time-zone": "UTC",
    "time-pattern": "%Y-%m-%d",
    "hours": "Mon-Fri 09:00-17:00",
}
"""By the formats of `formats`."""
_NOTHING: Mapping[str, Any] = {"null": None, "bool": False, "int": 0, "number": 0}
_VALUES: Mapping[str, Any] = {"null": None, "bool": True, "int": 1, "number": 1.5}


def sample(kind: Type, name: str = "value") -> Any:
    """A value of the type, the same one each time.

    What may be null is not, a list has one item, an enum its first word, a bool is true, and a text is `sample NAME`,
    with the name of its field.
    """
    return _sample(kind, name, 0)


def stand_in(kind: Type) -> Any:
    """A value of the type that says nothing: what may be left out is, what may be null is, and a text is `unknown`."""
    possible = types.parts(kind)
    part = NULL if NULL in possible else possible[0]
    if isinstance(part, Object):
        return {field: stand_in(one) for field, one in part.fields.items() if field in part.required}
    if isinstance(part, ListOf):
        return [stand_in(one) for one in part.positions or ()]
    if isinstance(part, Simple) and part.words is None and part.format is None:
        return "unknown" if part.kind in ("str", "any") else _NOTHING[part.kind]
    return _sample(part, "value", 0)


def _sample(kind: Type, name: str, depth: int) -> Any:
    possible = types.parts(kind)
    if depth > _DEEPEST and NULL in possible:
        return None
    part = next((one for one in possible if one != NULL), NULL)
    if isinstance(part, Simple):
        return _simple(part, name)
    if isinstance(part, Object):
        wanted = {field: one for field, one in part.fields.items() if depth <= _DEEPEST or field in part.required}
        return {field: _sample(one, field, depth + 1) for field, one in wanted.items()}
    if not isinstance(part, ListOf):
        return None
    if part.positions is not None:
        return [_sample(one, name, depth + 1) for one in part.positions]
    return [] if depth > _DEEPEST or part.item == types.NEVER else [_sample(part.item, name, depth + 1)]


def _simple(part: Simple, name: str) -> Any:
    if part.words is not None:
        return part.words[0]
    if part.format is not None:
        return _TEXTS[part.format]
    return f"sample {name}" if part.kind in ("str", "any") else _VALUES[part.kind]


def with_nulls(value: Any, kind: Type) -> Any:
    """The value with null for each field that is not given and may be null; what does not fit stays as it is."""
    possible = [part for part in types.parts(kind) if part not in (NULL, ANY)]
    part = possible[0] if len(possible) == 1 else None
    if isinstance(part, ListOf) and isinstance(value, list):
        return [with_nulls(item, part.item) for item in value]
    if not isinstance(part, Object) or not isinstance(value, dict):
        return value
    given = {name: with_nulls(one, part.fields[name]) if name in part.fields else one for name, one in value.items()}
    left = {name: None for name, one in part.fields.items() if name not in value and types.nullable(one)}
    return {**given, **left}
