"""The fields of an object as people read them, from its JSON Schema: in a table, or as those of a form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.flows import json_schema, types
from connector.flows.types import ListOf, Object, Type

_DEEPEST = 4
"""Levels of fields that are shown."""
_Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SchemaField:
    """`level` is 1 for a field of the object itself, 2 for one of what that holds."""

    level: int
    name: str
    type: Type
    words: str
    """The type in the notation of flows; `secret` for a text that is one."""
    required: bool
    default: Any
    """None where it has none, or where that is null."""
    description: str
    schema: _Schema


def read_fields(schema: _Schema, *, written: bool) -> Iterator[SchemaField]:
    """Each field before those inside it. `written`: see `json_schema.read`; such a field has no default."""
    return _read(schema, schema.get("$defs", {}), written, 1)


def _read(schema: _Schema, definitions: _Schema, written: bool, level: int) -> Iterator[SchemaField]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        kind = json_schema.read({**field, "$defs": definitions}, written=written)
        yield SchemaField(
            level=level,
            name=name,
            type=kind,
            words=str(kind).replace("str", "secret") if _is_secret(field) else str(kind),
            required=not written and name in required,
            default=None if written else field.get("default"),
            description=" ".join(field.get("description", "").split()),
            schema=field,
        )
        inner = _object_in(field, definitions)
        if inner is not None and level < _DEEPEST and _has_fields(kind):
            yield from _read(inner, definitions, written, level + 1)


def _is_secret(field: _Schema) -> bool:
    return any(part.get("writeOnly") for part in (field, *field.get("anyOf", ())))


def _has_fields(kind: Type) -> bool:
    inner = types.without_null(kind)
    for _ in range(_DEEPEST):  # a list may contain itself
        if isinstance(inner, ListOf):
            inner = types.without_null(inner.item)
    return isinstance(inner, Object) and bool(inner.fields)


def _object_in(field: _Schema, definitions: _Schema, level: int = 0) -> _Schema | None:
    """The schema with fields that is the field's type, that of its items, or the one beside null."""
    if level > 2 * _DEEPEST:
        return None
    if "$ref" in field:
        return _object_in(definitions.get(field["$ref"].removeprefix("#/$defs/"), {}), definitions, level + 1)
    if "properties" in field:
        return field
    inner = field.get("items") or next((part for part in field.get("anyOf", ()) if part.get("type") != "null"), None)
    return _object_in(inner, definitions, level + 1) if isinstance(inner, Mapping) else None
