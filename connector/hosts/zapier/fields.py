"""The fields of a form in Zapier, from the JSON Schema of an input or an output."""

from collections.abc import Iterator, Mapping
from typing import Any

from connector.profiles import JsonSchema

_TYPES = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_LONG = ("content", "system_prompt", "knowledge_base", "welcome_message")
"""Inputs of several lines."""


def input_fields(schema: JsonSchema, dynamic: Mapping[str, str]) -> list[dict[str, Any]]:
    """Of a schema in the profile `mcp`. `dynamic` names for an input what lists its values: `agents.id.name`."""
    required = schema.get("required", ())
    return [
        {**_field(name, part), "required": name in required, **_help(part), **_choices(name, part, dynamic)}
        for name, part in schema.get("properties", {}).items()
    ]


def output_fields(schema: JsonSchema) -> list[dict[str, Any]]:
    """One for each value that an output has, by its path, as Zapier writes it: `agent__name`."""
    return [_field(path, part) for path, part in _leaves(schema, "")]


def _leaves(schema: JsonSchema, path: str) -> Iterator[tuple[str, JsonSchema]]:
    for name, part in schema.get("properties", {}).items():
        inner = _without_null(part)
        if inner.get("properties"):
            yield from _leaves(inner, f"{path}{name}__")
        elif inner.get("type") != "array":
            yield f"{path}{name}", inner


def _without_null(part: JsonSchema) -> JsonSchema:
    others = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    return {**others[0], **{key: value for key, value in part.items() if key != "anyOf"}} if len(others) == 1 else part


def _field(name: str, part: JsonSchema) -> dict[str, Any]:
    kind = "datetime" if part.get("format") == "date-time" else _TYPES.get(str(part.get("type")), "string")
    label = part.get("title", name.rpartition("__")[2].replace("_", " ").title())
    return {"key": name, "label": label, "type": "text" if name in _LONG else kind}


def _help(part: JsonSchema) -> dict[str, str]:
    default = part.get("default")
    written = (
        {} if default is None else {"default": str(default).lower() if isinstance(default, bool) else str(default)}
    )
    return {**({"helpText": part["description"]} if "description" in part else {}), **written}


def _choices(name: str, part: JsonSchema, dynamic: Mapping[str, str]) -> dict[str, Any]:
    if name in dynamic:
        return {"dynamic": dynamic[name]}
    return {"choices": part["enum"]} if "enum" in part else {}
