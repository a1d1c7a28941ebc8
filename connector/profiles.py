"""JSON Schemas as hosts take them: each profile is what one kind of host reads.

plain   JSON Schema 2020-12 of its own, without `$ref`
mcp     as plain, and a field that may be left out does not take null as well
"""

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any, Literal, get_args

from connector.errors import UnknownOperationError
from connector.marks import ABOUT_A_PERSON
from connector.validation import quoted

Profile = Literal["plain", "mcp"]
JsonSchema = dict[str, Any]

_OURS = "x-"
_NULL = {"type": "null"}
_CLOSED = {"additionalProperties": False, "items": False}
_DEEPEST = 12
"""Levels of a schema that contains itself; further down it is open, and without personal data closed."""


def convert(schema: Mapping[str, Any], profile: Profile, *, personal: bool = True) -> JsonSchema:
    """The schema in that profile; without `personal`, what tells about a person is not in it.

    What is left out is fine in a value, so a value without it is what `keep` gives. Raises UnknownOperationError where
    there is no such profile.
    """
    if profile not in get_args(Profile):
        raise UnknownOperationError(f"there is no profile {quoted(profile)}; expected {' or '.join(get_args(Profile))}")
    return _convert(schema, schema.get("$defs", {}), profile, personal, 0)


def _convert(schema: Any, defs: Mapping[str, Any], profile: Profile, personal: bool, depth: int) -> JsonSchema:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return {} if personal else {**_CLOSED}
    schema = _resolve(schema, defs)

    def inner(part: Any) -> JsonSchema:
        return _convert(part, defs, profile, personal, depth + 1)

    made = {name: part for name, part in schema.items() if name != "$defs" and not name.startswith(_OURS)}
    if isinstance(fields := schema.get("properties"), Mapping):
        shown = {name: part for name, part in fields.items() if personal or not _is_personal(part, defs)}
        made["properties"] = {name: inner(part) for name, part in shown.items()}
        made["required"] = [name for name in schema.get("required", ()) if name in shown]
        if profile == "mcp":
            made["properties"] |= {
                name: _flat(part) for name, part in made["properties"].items() if name not in made["required"]
            }
        if not made["required"]:
            del made["required"]
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), Mapping):
            made[name] = inner(schema[name])
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if name in schema:
            made[name] = [inner(part) for part in schema[name]]
    if not personal and made.get("additionalProperties") is True:
        made["additionalProperties"] = False
    return made


def _resolve(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """With what `$ref` stands for in its place; what stands beside it goes first."""
    while "$ref" in schema:
        beside = {name: part for name, part in schema.items() if name != "$ref"}
        schema = {**defs.get(str(schema["$ref"]).rpartition("/")[2], {}), **beside}
    return schema


def _is_personal(part: Any, defs: Mapping[str, Any]) -> bool:
    """Whether it tells about a person, also where only one form of it is marked, or its items are."""
    if not isinstance(part, Mapping):
        return False
    schema = _resolve(part, defs)
    inner = [schema.get("items"), schema.get("additionalProperties"), *_forms(schema)]
    return bool(schema.get(ABOUT_A_PERSON)) or any(_is_personal(one, {}) for one in inner)


def _flat(schema: JsonSchema) -> JsonSchema:
    """A field that may be left out without null: leaving it out says the same, and some clients take one type only."""
    others = [part for part in schema.get("anyOf", ()) if part != _NULL]
    beside = {key: part for key, part in schema.items() if key not in ("anyOf", "default")}
    if schema.get("default", "") is not None or len(others) == len(schema.get("anyOf", ())):
        return schema
    return {**others[0], **beside} if len(others) == 1 else {**beside, "anyOf": others}


def keep(value: Any, schema: Mapping[str, Any]) -> Any:
    """The part of a value that a converted schema names."""
    if isinstance(value, list):
        return [keep(item, part) for item, part in zip(value, _items(schema), strict=False)]
    if not isinstance(value, dict):
        return value
    fields, others = dict(_fields(schema)), _others(schema)
    known = {name: fields.get(name, others) for name in value}
    return {name: keep(value[name], part) for name, part in known.items() if part is not None}


def _forms(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schemas of which a value fits one."""
    for name in ("anyOf", "oneOf", "allOf"):
        yield from schema.get(name, ())


def _parts(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema itself, its forms, and theirs."""
    yield schema
    for part in _forms(schema):
        yield from _parts(part)


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for part in _parts(schema):
        yield from part.get("properties", {}).items()


def _others(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a field that the schema does not name has to fit; None where there may be none."""
    objects = [part for part in _parts(schema) if "properties" in part or "additionalProperties" in part]
    found = [part.get("additionalProperties", False) for part in objects]
    described = next((one for one in found if isinstance(one, Mapping)), None)
    return {} if described is None and (True in found or not objects) else described


def _items(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What the items of a list have to fit, one after the other."""
    lists = (part for part in _parts(schema) if "items" in part or "prefixItems" in part)
    found = next(lists, {})
    yield from found.get("prefixItems", ())
    if (others := found.get("items", {})) is not False:
        yield from repeat(others)
