"""The keywords of JSON Schema: which of them restrict values, and what another value of one means."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from connector.validation import quoted

Kind = Literal["breaking", "addition", "wording"]

ABSENT = ("absent",)
"""The value of a keyword that is not there; no value of JSON equals it."""
_LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "multipleOf", "format", "uniqueItems")
_NARROWING = {
    *("not", "allOf", "contains", "propertyNames", "dependentRequired", "dependentSchemas", "dependencies"),
    *("contentEncoding", "contentMediaType", "contentSchema"),
}
"""Without them, more values are valid; how two values of one relate, nobody looks."""
_SHAPING = {
    *("prefixItems", "additionalItems", "unevaluatedItems", "minContains", "maxContains"),
    *("patternProperties", "unevaluatedProperties", "if", "then", "else"),
    *("$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"),
}
"""Which values they allow depends on what stands beside them."""
_TYPING = {
    *("type", "enum", "const", "$ref", "anyOf", "oneOf"),
    *("items", "properties", "required", "additionalProperties"),
}
"""Mostly told by the types; where not, each is treated as one of `_SHAPING`."""
RULES = {*_LOWEST, *_HIGHEST, *_EXACT, *_NARROWING, *_SHAPING, *_TYPING}
"""What restricts values, of the drafts 7 to 2020-12. All else describes them, such as title and unknown keywords."""
_TYPE_FORMATS = ("date-time", "flow-duration")  # which the types of the flow language have
_BY_NAME = ("properties", "patternProperties", "dependentSchemas", "dependencies")
_LITERAL = ("enum", "const", "default", "required", "dependentRequired")


def told_by_types(schema: Mapping[str, Any]) -> set[str]:
    """The keywords of a schema that `connector.flows.json_schema` reads, or need not read."""
    for key in ("$ref", "const", "enum"):
        if key in schema:
            return {key, "type"}
    if "type" in schema:
        names = schema.get("propertyNames")
        named = {"propertyNames"} if isinstance(names, Mapping) and ("enum" in names or "const" in names) else set()
        return {"type", "items", "properties", "required", "additionalProperties", *named}
    return {"anyOf"} if "anyOf" in schema else {"oneOf"}


def meaning_of(key: str, value: Any, definitions: Mapping[str, Any]) -> Any:
    """The value of a keyword to compare: references resolved, and without what only describes."""
    if key not in _NARROWING | _SHAPING | _TYPING:
        return value
    return _rules({key: value}, definitions, ())[key]


def _rules(value: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_rules(part, definitions, inside) for part in value]
    if not isinstance(value, Mapping):
        return value
    name = str(value.get("$ref", "")).removeprefix("#/$defs/")
    if name not in inside and isinstance(definition := definitions.get(name), Mapping):
        value = {**definition, **{key: part for key, part in value.items() if key != "$ref"}}
        inside = (*inside, name)
    found = {}
    for key in value.keys() & (RULES | {"default"}):
        if key in _BY_NAME and isinstance(value[key], Mapping):
            found[key] = {field: _rules(part, definitions, inside) for field, part in value[key].items()}
        else:
            found[key] = value[key] if key in _LITERAL else _rules(value[key], definitions, inside)
    return found


def kind_of(key: str, was: Any, now: Any, given: bool) -> Kind | None:
    """What another value of a keyword means to those who write an input or read an output; None: the types tell."""
    if key in _SHAPING | _TYPING:
        return "breaking"
    if key in _NARROWING:
        return "addition" if (now if given else was) == ABSENT else "breaking"
    return _kind_of_input(key, was, now) if given else "wording"


def _kind_of_input(key: str, was: Any, now: Any) -> Kind | None:
    if key == "default":
        # Who leaves it out gets something else. That it is needed, or no longer, is told elsewhere.
        return None if ABSENT in (was, now) else "breaking"
    if key in _LOWEST or key in _HIGHEST:
        narrower = now != ABSENT and (was == ABSENT or (now > was if key in _LOWEST else now < was))
        return "breaking" if narrower else "addition"
    if key == "format" and (was in _TYPE_FORMATS or now in _TYPE_FORMATS):
        return None
    if key in _EXACT:
        return "addition" if now == ABSENT else "breaking"
    return "wording"


def describe(key: str, was: Any, now: Any) -> str:
    """The change in words; schemas are too long to be shown."""
    if key in _NARROWING | _SHAPING | _TYPING:
        return f"the {key} {'is new' if was == ABSENT else 'is gone' if now == ABSENT else 'changed'}"
    return f"the {key} is now {_shown(now)}, was {_shown(was)}"


def _shown(value: object) -> str:
    return "none" if value == ABSENT else quoted(value) if isinstance(value, str) else json.dumps(value)
