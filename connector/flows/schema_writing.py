"""Types of the flow language as JSON Schema, for those who do not speak it."""

from typing import Any

from connector.flows.kinds import Defined, ListOf, Object, Simple, Type, Union

JsonSchema = dict[str, Any]

_KINDS = {"null": "null", "bool": "boolean", "int": "integer", "number": "number", "str": "string"}
_DEEPEST = 8
"""Levels of a type that contains itself; further down anything fits."""


def write(kind: Type, depth: int = 0) -> JsonSchema:
    """The schema of the type's values, without `$ref`."""
    if isinstance(kind, Defined):
        return write(kind.resolve(), depth + 1) if depth < _DEEPEST else {}
    if isinstance(kind, Union):
        return {"anyOf": [write(part, depth + 1) for part in kind.members]} if kind.members else {"not": {}}
    if isinstance(kind, ListOf):
        return {"type": "array", "items": write(kind.item, depth + 1)}
    if isinstance(kind, Object):
        return _object(kind, depth)
    return _simple(kind)


def _object(kind: Object, depth: int) -> JsonSchema:
    return {
        "type": "object",
        "properties": {name: write(part, depth + 1) for name, part in kind.fields.items()},
        "required": sorted(kind.required),
        "additionalProperties": write(kind.extra, depth + 1) if kind.extra is not None else False,
    }


def _simple(kind: Simple) -> JsonSchema:
    if kind.words is not None:
        return {"enum": [*kind.words]}
    schema: JsonSchema = {"type": _KINDS[kind.kind]} if kind.kind in _KINDS else {}
    return {**schema, "format": kind.format} if kind.format else schema
