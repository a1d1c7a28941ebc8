"""Reads types from JSON Schema, as pydantic writes it. What types cannot express is `any`."""

from collections.abc import Mapping
from typing import Any

from connector.flows.types import ANY, Kind, ListOf, Object, Simple, Type, literal, union

_SIMPLE: dict[str, Kind] = {
    "null": "null",
    "boolean": "bool",
    "integer": "int",
    "number": "number",
    "string": "str",
}
# Other formats (uuid, uri, email) only describe; these two are also compared and added up. JSON Schema's own
# `duration` is ISO 8601's, which flows do not write.
_FORMATS = {"date-time": "date-time", "flow-duration": "duration"}


def read(schema: Mapping[str, Any], *, written: bool = False) -> Type:
    """The type of the values that `schema` describes.

    `written` says that they are dumps of models, in which a field that has a default is always there.
    """
    return _Reader(schema.get("$defs", {}), written=written).type_of(schema)


class _Reader:
    def __init__(self, definitions: Mapping[str, Any], *, written: bool) -> None:
        self._definitions = definitions
        self._written = written
        self._known: dict[str, Type] = {}

    def type_of(self, schema: object) -> Type:
        if not isinstance(schema, Mapping):
            return ANY
        if "$ref" in schema:
            return self._defined(str(schema["$ref"]).removeprefix("#/$defs/"))
        if "const" in schema:
            return literal(schema["const"])
        if "enum" in schema:
            return union(map(literal, schema["enum"]))
        for key in ("anyOf", "oneOf"):
            if key in schema and "type" not in schema:
                return union(map(self.type_of, schema[key]))
        return self._typed(schema)

    def _defined(self, name: str) -> Type:
        """Each definition is read once; where it contains itself, it is `any`."""
        if name not in self._known:
            self._known[name] = ANY
            self._known[name] = self.type_of(self._definitions.get(name))
        return self._known[name]

    def _typed(self, schema: Mapping[str, Any]) -> Type:
        name = schema.get("type")
        if isinstance(name, list):
            return union(self.type_of({**schema, "type": one}) for one in name)
        if name in _SIMPLE:
            return Simple(_SIMPLE[name], _FORMATS.get(schema.get("format", "")))
        if name == "array":
            return ListOf(self.type_of(schema.get("items")))
        return self._object(schema) if name == "object" else ANY

    def _object(self, schema: Mapping[str, Any]) -> Type:
        declared = schema.get("properties", {})
        required = {*schema.get("required", ())}
        if self._written:
            required |= {name for name, field in declared.items() if "default" in field}
        more = schema.get("additionalProperties", not declared)
        extra = None if more is False else ANY if more is True else self.type_of(more)
        fields = {name: self.type_of(field) for name, field in declared.items()}
        # What is required but not declared can be anything.
        fields.update(dict.fromkeys(required - fields.keys(), ANY))
        return Object(schema.get("title", "object"), fields, frozenset(required), extra)
