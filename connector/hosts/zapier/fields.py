"""The fields of a form in Zapier, from the JSON Schema of an input or an output."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.hosts.javascript.definitions import label_of
from connector.marks import LONG_TEXTS
from connector.profiles import JsonSchema

_TYPES = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class Dropdown:
    """What lists the values of an input, as Zapier writes it: `agents.id.name`, and the inputs it depends on."""

    dynamic: str
    needs: Sequence[str]


def input_fields(schema: JsonSchema, dropdowns: Mapping[str, Dropdown]) -> list[dict[str, Any]]:
    """Of a schema in the profile `mcp`."""
    required = schema.get("required", ())
    return [
        {
            **_field(name, part),
            **({"type": "text"} if name in LONG_TEXTS else {}),
            "required": name in required,
            **_help(part),
            **(_dropdown(dropdowns[name]) if name in dropdowns else _choices(part)),
        }
        for name, part in schema.get("properties", {}).items()
    ]


def output_fields(schema: JsonSchema) -> list[dict[str, Any]]:
    """One for each value that an output has, by its path, as Zapier writes it: `agent__name`.

    An output that begins with a list has the fields of its entries, as a search gives them one by one.
    """
    first: JsonSchema = next(iter(schema.get("properties", {}).values()), {})
    shown = _without_null(first.get("items", {})) if first.get("type") == "array" else schema
    return [_field(path, part) for path, part in _leaves(shown, "")]


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
    return {"key": name, "label": label_of(name.rpartition("__")[2]), "type": kind}


def _help(part: JsonSchema) -> dict[str, str]:
    default = part.get("default")
    written = (
        {} if default is None else {"default": str(default).lower() if isinstance(default, bool) else str(default)}
    )
    return {**({"helpText": part["description"]} if "description" in part else {}), **written}


def _dropdown(dropdown: Dropdown) -> dict[str, Any]:
    return {"dynamic": dropdown.dynamic, **({"dependsOn": [*dropdown.needs]} if dropdown.needs else {})}


def _choices(part: JsonSchema) -> dict[str, Any]:
    return {"choices": part["enum"]} if "enum" in part else {}
