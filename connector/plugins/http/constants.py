"""What the constants of a request decide: what repeating it does, and what its answer looks like."""

from collections.abc import Mapping, Sequence
from typing import Any

from connector.declare import ByConstants, Effect
from connector.errors import ConstantError
from connector.flows import json_schema
from connector.flows.calls import REPEATABLE
from connector.flows.predicates import compile_text
from connector.flows.problems import did_you_mean
from connector.flows.types import ANY, BOOL, INT, STR, ListOf, Object, Type
from connector.plugins.http.target import find_fault

_HEADERS = Object("headers", {}, frozenset(), STR)
_READING = ("GET", "HEAD")
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_LISTS = ("anyOf", "oneOf", "allOf")
_DRAFT = ("type", "properties", "items", "anyOf", "oneOf", "allOf", "enum", "const", "$ref", "$defs")


def names_of(body: Type) -> Mapping[str, Type]:
    """What an expression about an answer sees."""
    return {"status": INT, "headers": _HEADERS, "body": body}


def effect(given: Mapping[str, Any]) -> Effect:
    declared: Effect | None = given.get("effect")
    return declared or ("read" if given.get("method", "GET") in _READING else "once")


def find_unreadable(given: Mapping[str, Any]) -> str | None:
    """Why the request reads no pages: after the first of them, nobody could repeat the others alone."""
    if given.get("paging") and effect(given) not in REPEATABLE:
        return "paging is for requests that may be repeated; add effect: read, or idempotent"
    return None


def output(given: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of the answer. Raises ConstantError for what cannot be used."""
    if isinstance(url := given.get("url"), str) and (fault := find_fault(url)):
        raise ConstantError("url", fault)
    if fault := find_unreadable(given):
        raise ConstantError("paging", fault)
    schema = given.get("output_schema") or {}
    if schema and not any(word in schema for word in _DRAFT):
        raise ConstantError("output_schema", "output_schema is no JSON Schema: write type: object and properties: …")
    if (word := _find_unknown_type(schema)) is not None:
        hint = did_you_mean(word, _TYPES)
        raise ConstantError("output_schema", f"output_schema has the type {word!r}; {hint}")
    _check_expressions(given, schema)
    item = {key: value for key, value in schema.items() if key != "$defs"}
    properties = {
        "status": {"type": "integer"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "body": {"type": "array", "items": item} if given.get("paging") else item,
    }
    return {
        "title": "Answer",
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "$defs": schema.get("$defs", {}),
    }


def _find_unknown_type(schema: Any) -> str | None:
    """A word behind `type`, wherever a schema may stand, that JSON Schema does not have."""
    if not isinstance(schema, Mapping):
        return None
    named = schema.get("type")
    for word in named if isinstance(named, list) else [named] if named is not None else []:
        if word not in _TYPES:
            return str(word)
    parts = [schema.get("items"), *(part for name in _LISTS for part in _parts(schema.get(name)))]
    parts += [part for name in ("properties", "$defs") for part in _parts(schema.get(name))]
    return next((word for part in parts if (word := _find_unknown_type(part)) is not None), None)


def _parts(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return [*value.values()]
    return value if isinstance(value, list) else ()


def _check_expressions(given: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    paging = given.get("paging")
    body = ANY if paging else json_schema.read(schema)
    if isinstance(text := given.get("success"), str):
        _check("success", text, names_of(body), BOOL)
    if isinstance(paging, Mapping):
        for name, wanted in (("items", ListOf(ANY)), ("next", ANY)):
            if isinstance(text := paging.get(name), str):
                _check("paging", text, {**names_of(ANY), "count": INT}, wanted)


def _check(name: str, text: str, names: Mapping[str, Type], wanted: Type) -> None:
    try:
        compile_text(text, names, wanted)
    except ValueError as error:
        raise ConstantError(name, f"{name}: {error}") from None


BY_CONSTANTS = ByConstants(
    names=("method", "url", "body_type", "output_schema", "success", "paging", "effect", "idempotency_header"),
    effect=effect,
    output=output,
)
