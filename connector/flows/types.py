"""The types of the flow language, read from the JSON Schema of the models.

Values are plain JSON. `any` accepts and is accepted by everything; it is where checking ends.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from connector.flows.durations import seconds

Kind = Literal["any", "null", "bool", "int", "number", "str"]


@dataclass(frozen=True, slots=True)
class Simple:
    """A type without parts. `format` is JSON Schema's, `words` are the values of an enum."""

    kind: Kind
    format: str | None = None
    words: tuple[Any, ...] | None = None

    def __str__(self) -> str:
        if self.words is not None:
            return " | ".join(repr(word) for word in self.words)
        return {"date-time": "time", "duration": "duration"}.get(self.format or "", self.kind)


@dataclass(frozen=True, slots=True)
class ListOf:
    item: "Type"

    def __str__(self) -> str:
        return f"list[{self.item}]"


@dataclass(frozen=True, slots=True)
class Object:
    """`fields` always has every declared field; `extra` is the type of undeclared ones, None where there are none."""

    name: str
    fields: Mapping[str, "Type"] = field(hash=False)
    required: frozenset[str] = frozenset()
    extra: "Type | None" = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Union:
    """Two members or more, no unions among them."""

    members: tuple["Type", ...]

    def __str__(self) -> str:
        return " | ".join(str(member) for member in self.members)


Type = Simple | ListOf | Object | Union

ANY = Simple("any")
NULL = Simple("null")
BOOL = Simple("bool")
INT = Simple("int")
NUMBER = Simple("number")
STR = Simple("str")
TIME = Simple("str", "date-time")
DURATION = Simple("str", "duration")

_SIMPLE: dict[str, Kind] = {
    "null": "null",
    "boolean": "bool",
    "integer": "int",
    "number": "number",
    "string": "str",
}


def union(members: Iterable[Type]) -> Type:
    """The type of a value that is one of `members`; flat, without repeats, null last."""
    flat: list[Type] = []
    for member in members:
        for part in parts(member):
            if part not in flat:
                flat.append(part)
    if ANY in flat:
        return ANY
    flat.sort(key=lambda part: part == NULL)
    return flat[0] if len(flat) == 1 else Union(tuple(flat))


def parts(kind: Type) -> tuple[Type, ...]:
    return kind.members if isinstance(kind, Union) else (kind,)


def nullable(kind: Type) -> bool:
    """Whether null is among its values; not so for `any`, where nobody knows."""
    return NULL in parts(kind)


def without_null(kind: Type) -> Type:
    rest = [part for part in parts(kind) if part != NULL]
    return union(rest) if rest else NULL


def literal(value: Any) -> Type:
    """The type of a constant: narrow enough to fit an enum that has it."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return Simple("int", words=(value,))
    if isinstance(value, float):
        return NUMBER
    return Simple("str", words=(value,))


def widened(kind: Type) -> Type:
    """Without the words of an enum: what arithmetic and functions see."""
    return Simple(kind.kind, kind.format) if isinstance(kind, Simple) and kind.words is not None else kind


def assignable(source: Type, target: Type) -> bool:
    """Whether every value of `source` is a value of `target`."""
    if source == ANY or target == ANY:
        return True
    if isinstance(source, Union):
        return all(assignable(part, target) for part in source.members)
    if isinstance(target, Union):
        return any(assignable(source, part) for part in target.members)
    if isinstance(source, Simple) and isinstance(target, Simple):
        return _simple_assignable(source, target)
    if isinstance(source, ListOf) and isinstance(target, ListOf):
        return assignable(source.item, target.item)
    if isinstance(source, Object) and isinstance(target, Object):
        return _object_assignable(source, target)
    return False


def _simple_assignable(source: Simple, target: Simple) -> bool:
    if source.kind != target.kind and (source.kind, target.kind) != ("int", "number"):
        return False
    if target.words is not None:
        return source.words is not None and set(source.words) <= set(target.words)
    if target.format and source.format != target.format:
        return source.words is not None and all(_has_format(word, target.format) for word in source.words)
    return True


def _has_format(word: Any, name: str) -> bool:
    if not isinstance(word, str):
        return False
    return is_time(word) if name == "date-time" else seconds(word) is not None


def is_time(text: str) -> bool:
    """Whether `text` is an RFC 3339 time with an offset."""

    try:
        return datetime.fromisoformat(text).tzinfo is not None and len(text) > len("2026-01-01")
    except ValueError:
        return False


def _object_assignable(source: Object, target: Object) -> bool:
    for name in target.required:
        if name not in source.fields or name not in source.required:
            return False
    for name, kind in source.fields.items():
        wanted = target.fields.get(name, target.extra)
        if wanted is None or not assignable(kind, wanted):
            return False
    return source.extra is None or (target.extra is not None and assignable(source.extra, target.extra))


def from_schema(schema: Mapping[str, Any]) -> Type:
    """The type that a JSON Schema describes, as pydantic writes them. What it cannot express is `any`."""
    return _read(schema, schema.get("$defs", {}), ())


def _read(schema: Any, defs: Mapping[str, Any], open_refs: tuple[str, ...]) -> Type:
    if not isinstance(schema, Mapping):
        return ANY
    if (ref := schema.get("$ref")) is not None:
        name = str(ref).removeprefix("#/$defs/")
        return ANY if name in open_refs else _read(defs.get(name), defs, (*open_refs, name))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return union(_read(option, defs, open_refs) for option in schema[key])
    if "const" in schema:
        return literal(schema["const"])
    if "enum" in schema:
        return _enum(schema["enum"])
    return _read_typed(schema, defs, open_refs)


def _enum(words: list[Any]) -> Type:
    texts = tuple(word for word in words if isinstance(word, str))
    others = [literal(word) for word in words if not isinstance(word, str)]
    return union([*([Simple("str", words=texts)] if texts else []), *others])


def _read_typed(schema: Mapping[str, Any], defs: Mapping[str, Any], open_refs: tuple[str, ...]) -> Type:
    name = schema.get("type")
    if isinstance(name, list):
        return union(_read({**schema, "type": one}, defs, open_refs) for one in name)
    if name in _SIMPLE:
        # Other formats (uuid, uri, email) only describe; these two are also compared and added up.
        text_format = schema.get("format")
        return Simple(_SIMPLE[name], text_format if text_format in ("date-time", "duration") else None)
    if name == "array":
        return ListOf(_read(schema.get("items"), defs, open_refs))
    if name == "object":
        return _read_object(schema, defs, open_refs)
    return ANY


def _read_object(schema: Mapping[str, Any], defs: Mapping[str, Any], open_refs: tuple[str, ...]) -> Type:
    fields = {key: _read(value, defs, open_refs) for key, value in schema.get("properties", {}).items()}
    more = schema.get("additionalProperties", not fields)
    extra = None if more is False else ANY if more is True else _read(more, defs, open_refs)
    return Object(schema.get("title", "object"), fields, frozenset(schema.get("required", ())), extra)
