"""Reads types from JSON Schema, as pydantic writes it. What types cannot express is `any`."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from connector.flows import types
from connector.flows.types import ANY, NEVER, STR, Defined, Kind, ListOf, Object, Simple, Type, literal, union

_SIMPLE: dict[str, Kind] = {
    "null": "null",
    "boolean": "bool",
    "integer": "int",
    "number": "number",
    "string": "str",
}
# Other formats (uri, email) only describe. JSON Schema's own `duration` is ISO 8601's, which flows do not write.
_FORMATS = {
    "date-time": "date-time",
    "flow-duration": "duration",
    "date": "date",
    "time": "clock",
    **dict.fromkeys(("uuid", "uuid1", "uuid3", "uuid4", "uuid5"), "uuid"),
}
_DEEPEST = 20  # levels of two types that are read as one


def read(schema: Mapping[str, Any] | bool, *, written: bool = False) -> Type:
    """The type of the values that `schema` describes.

    `written` says that they are dumps of models, in which a field that has a default is always there.
    """
    definitions = schema.get("$defs", {}) if isinstance(schema, Mapping) else {}
    return types.unrolled(_Reader({**definitions, "#": schema}, written=written).type_of(schema))


class _Reader:
    def __init__(self, definitions: Mapping[str, Any], *, written: bool) -> None:
        self._definitions = definitions
        self._written = written
        self._known: dict[str, Type] = {}
        self._references = {name: set(_references(part)) for name, part in definitions.items()}

    def type_of(self, schema: object) -> Type:
        """A value must fit all that the schema says, so what it says is read part by part."""
        if not isinstance(schema, Mapping):
            return NEVER if schema is False else ANY
        kind: Type = ANY
        for told in self._told(schema):
            kind = _both(kind, told)
        wanted = _FORMATS.get(schema.get("format", ""))
        return _with_format(kind, wanted) if wanted else kind

    def _told(self, schema: Mapping[str, Any]) -> Iterator[Type]:
        if "$ref" in schema:
            yield self._defined(_name(schema["$ref"]))
        if "const" in schema:
            yield literal(schema["const"])
        if "enum" in schema:
            yield union(map(literal, schema["enum"]))
        for key in ("anyOf", "oneOf"):
            if key in schema:
                tag = _map(schema.get("discriminator")).get("propertyName")
                kinds = map(self.type_of, _list(schema[key]))
                yield union(_needing(kind, tag) for kind in kinds) if tag else union(kinds)
        yield from map(self.type_of, _list(schema.get("allOf")))
        if "type" in schema:
            names = schema["type"]
            yield union(self._typed(name, schema) for name in (names if isinstance(names, list) else [names]))

    def _defined(self, name: str) -> Type:
        """Each definition is read once; one that contains itself is read when it is looked up."""
        reachable = self._reachable(name)
        if name not in reachable:
            return self._resolved(name)
        definition = self._definitions[name]
        shown = definition.get("title") or ("object" if name == "#" else name)
        meaning = (json.dumps([self._definitions[part] for part in sorted(reachable)]), str(self._written))
        return Defined(shown, (name, *meaning), lambda: self._resolved(name))

    def _resolved(self, name: str) -> Type:
        if name not in self._known:
            self._known[name] = ANY  # for a definition that needs itself to be read
            self._known[name] = self.type_of(self._definitions.get(name))
        return self._known[name]

    def _reachable(self, name: str) -> set[str]:
        """The definitions to which the one of that name leads; itself only where it contains itself."""
        found: set[str] = set()
        pending = [name]
        while pending:
            new = self._references.get(pending.pop(), set()) - found
            found |= new
            pending += new
        return found

    def _typed(self, name: object, schema: Mapping[str, Any]) -> Type:
        if name == "array":
            return self._list(schema)
        if name == "object":
            return self._object(schema)
        return Simple(_SIMPLE[name]) if isinstance(name, str) and name in _SIMPLE else ANY

    def _list(self, schema: Mapping[str, Any]) -> Type:
        first = [self.type_of(item) for item in _list(schema.get("prefixItems"))]
        if schema.get("items") is False or (first and schema.get("maxItems") == len(first)):
            least = schema.get("minItems", 0)
            return union(types.list_of(first[:number]) for number in range(least, len(first) + 1))
        return ListOf(union([*first, self.type_of(schema.get("items"))]))

    def _object(self, schema: Mapping[str, Any]) -> Type:
        declared, patterns = schema.get("properties", {}), _map(schema.get("patternProperties"))
        required = {*schema.get("required", ())}
        if self._written:
            required |= {name for name, field in declared.items() if "default" in field}
        more = schema.get("additionalProperties", not (declared or patterns))
        others = [*map(self.type_of, patterns.values()), *([self.type_of(more)] if more is not False else [])]
        extra = union(others) if others else None
        fields = {name: self.type_of(field) for name, field in declared.items()}
        named = self._looked_up(schema.get("propertyNames"))
        if extra is not None and ("enum" in named or "const" in named):
            fields = dict.fromkeys(named.get("enum", [named.get("const")]), extra) | fields
            extra = None
        # What is required but not declared can be anything.
        fields.update(dict.fromkeys(sorted(required - fields.keys()), ANY))
        return Object(schema.get("title", "object"), fields, frozenset(required), extra)

    def _looked_up(self, schema: object) -> Mapping[str, Any]:
        """The schema, or what it refers to."""
        named = self._definitions.get(_name(str(_map(schema).get("$ref", ""))))
        return _map(named or schema)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _name(reference: str) -> str:
    return reference.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")


def _references(schema: object) -> Iterator[str]:
    """The names of the definitions to which a schema refers itself."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield _name(schema["$ref"])
        # The definitions are schemas of their own.
        schema = [part for key, part in schema.items() if key != "$defs"]
    for part in schema if isinstance(schema, list) else ():
        yield from _references(part)


def _needing(kind: Type, tag: str) -> Type:
    """The kind of an object that is told by a field, which must then be there even where it has a default."""
    if isinstance(kind, Defined):
        return kind.changed(f"needs {tag}", lambda meant: _needing(meant, tag))
    if isinstance(kind, types.Union):
        return union(_needing(part, tag) for part in kind.members)
    if isinstance(kind, Object):
        return Object(kind.name, kind.fields, kind.required | {tag}, kind.extra)
    return kind


def _with_format(kind: Type, wanted: str) -> Type:
    return union(Simple("str", wanted) if part == STR else part for part in types.parts(kind))


def _both(left: Type, right: Type, depth: int = 0) -> Type:
    """The type of the values that are of both types."""
    if left == right or right == ANY:
        return left
    if left == ANY:
        return right
    if depth > _DEEPEST:
        return ANY
    found = (_both_parts(one, other, depth) for one in types.parts(left) for other in types.parts(right))
    return union(part for part in found if part != NEVER)


def _both_parts(left: Type, right: Type, depth: int) -> Type:
    if isinstance(left, Object) and isinstance(right, Object):
        return _both_objects(left, right, depth)
    if isinstance(left, ListOf) and isinstance(right, ListOf):
        return _both_lists(left, right, depth)
    if left == ANY:
        return right
    if types.assignable(left, right):
        return left
    if types.assignable(right, left):
        return right
    if isinstance(left, Simple) and isinstance(right, Simple) and left.words and right.words:
        return union(literal(word) for word in left.words if word in right.words and left.kind == right.kind)
    return NEVER


def _both_lists(left: ListOf, right: ListOf, depth: int) -> Type:
    if left.positions is None and right.positions is None:
        return ListOf(_both(left.item, right.item, depth + 1))
    sides: Iterable[tuple[Type, Type]] = (
        (left.positions[n] if left.positions else left.item, right.positions[n] if right.positions else right.item)
        for n in range(len(left.positions or right.positions or ()))
    )
    return types.list_of(_both(one, other, depth + 1) for one, other in sides)


def _both_objects(left: Object, right: Object, depth: int) -> Type:
    fields = {**left.fields, **right.fields}
    for name in left.fields.keys() & right.fields.keys():
        fields[name] = _both(left.fields[name], right.fields[name], depth + 1)
    extra = None if left.extra is None or right.extra is None else _both(left.extra, right.extra, depth + 1)
    return Object(left.name if left.name != "object" else right.name, fields, left.required | right.required, extra)
