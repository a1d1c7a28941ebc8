"""The types of the flow language, read from the JSON Schema of the models.

Values are plain JSON. `any` accepts and is accepted by everything; it is where checking ends.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connector.flows.fits import assignable, comparable, surely_assignable
from connector.flows.formats import is_time
from connector.flows.kinds import (
    ANY,
    BOOL,
    DURATION,
    HOURS,
    INT,
    NEVER,
    NULL,
    NUMBER,
    PATTERN,
    STR,
    TIME,
    ZONE,
    Defined,
    Kind,
    ListOf,
    Object,
    Simple,
    Type,
    Union,
    list_of,
    parts,
    record,
    union,
    unrolled,
)

__all__ = [
    "ANY",
    "BOOL",
    "DURATION",
    "HOURS",
    "INT",
    "NEVER",
    "NULL",
    "NUMBER",
    "PATTERN",
    "STR",
    "TIME",
    "ZONE",
    "Defined",
    "Kind",
    "ListOf",
    "Object",
    "Simple",
    "Type",
    "Union",
    "assignable",
    "comparable",
    "constant",
    "has_words",
    "is_time",
    "list_of",
    "literal",
    "nullable",
    "parts",
    "record",
    "surely_assignable",
    "union",
    "unrolled",
    "widened",
    "without_null",
    "without_nulls",
    "words_of",
]


def nullable(kind: Type) -> bool:
    """Whether null is among its values; not so for `any`, where nobody knows."""
    return NULL in parts(kind)


def without_null(kind: Type) -> Type:
    rest = [part for part in parts(kind) if part != NULL]
    return union(rest) if rest else NULL


def without_nulls(kind: Type) -> Type:
    """As `without_null`, for its fields and items too."""
    if isinstance(kind, Defined):
        return kind.changed("without nulls", without_nulls)
    if isinstance(kind, Union):
        return union(without_nulls(part) for part in kind.members if part != NULL)
    if isinstance(kind, ListOf):
        fixed = kind.positions
        return ListOf(without_nulls(kind.item), fixed and tuple(map(without_nulls, fixed)))
    if isinstance(kind, Object):
        fields = {name: without_nulls(field) for name, field in kind.fields.items()}
        return Object(kind.name, fields, frozenset(fields), kind.extra)
    return kind


def refined(kind: Type, path: Sequence[str | int]) -> Type:
    """`kind` where the value at `path`, through fields of objects, is known not to be null."""
    kind = without_null(kind)
    if not path:
        return kind
    return union(_refined_field(part, path) for part in parts(kind))


def _refined_field(part: Type, path: Sequence[str | int]) -> Type:
    name, *rest = path
    if not isinstance(part, Object) or not isinstance(name, str) or name not in part.fields:
        return part
    fields = {**part.fields, name: refined(part.fields[name], rest)}
    return replace(part, fields=fields, required=part.required | {name})


def literal(value: Any) -> Type:
    """The type of a constant: narrow enough to fit an enum that has it."""
    if value is None:
        return NULL
    if isinstance(value, list):
        return list_of(map(literal, value))
    if isinstance(value, dict):
        return record("object", {name: literal(field) for name, field in value.items()})
    kinds: dict[type, Kind] = {bool: "bool", int: "int", float: "number", str: "str"}
    return Simple(kinds[type(value)], words=(value,)) if type(value) in kinds else ANY


def constant(kind: Type) -> Any:
    """The only value of the type; None where it has more or is null."""
    return kind.words[0] if isinstance(kind, Simple) and kind.words and len(kind.words) == 1 else None


def widened(kind: Type) -> Type:
    """Without the words of enums: what arithmetic and functions see."""
    if isinstance(kind, Simple):
        return Simple(kind.kind, kind.format)
    if isinstance(kind, ListOf):
        return ListOf(widened(kind.item), kind.positions and tuple(map(widened, kind.positions)))
    return union(map(widened, kind.members)) if isinstance(kind, Union) else kind


def has_words(kind: Type) -> bool:
    """Whether it has only values that are listed."""
    return all(isinstance(part, Simple) and part.words is not None for part in parts(kind))


def words_of(kind: Type) -> list[str]:
    """The texts that an enum has."""
    return [word for part in parts(kind) if isinstance(part, Simple) for word in part.words or () if type(word) is str]
