"""The triggers and actions in the schema: which there are, and what each takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.declare import Action, Trigger
from connector.flow_schema.values import COMPUTED, Schema
from connector.flows import durations
from connector.registry import schemas_of

_ANNOTATIONS = ("title", "description", "default", "examples", "deprecated")
_SCHEMAS = ("items", "additionalProperties")
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
_MAPS_OF_SCHEMAS = ("properties", "patternProperties")


@dataclass(frozen=True, slots=True)
class Offer:
    """A trigger or an action. `input` is the JSON Schema of what it takes, as pydantic writes it."""

    title: str
    description: str
    input: Mapping[str, Any]

    @property
    def told(self) -> str:
        return f"{self.title}. {self.description}"


def offers(declared: Mapping[str, Action] | Mapping[str, Trigger]) -> dict[str, Offer]:
    """What plugins declare, by full name."""
    return {name: Offer(one.title, one.description, schemas_of(one)[0]) for name, one in declared.items()}


def uses(what: str, offered: Mapping[str, Offer]) -> Schema:
    """The names, each with its description."""
    return {
        "description": what,
        "enum": [*offered],
        "enumDescriptions": [offer.told.partition("\n\n")[0] for offer in offered.values()],
    }


def given(kind: str, offered: Mapping[str, Offer]) -> list[Schema]:
    """For each name in `uses`: what stands under `with`."""
    return [
        {
            "if": {"properties": {"uses": {"const": name}}, "required": ["uses"]},
            "then": {
                "properties": {"with": {"$ref": f"#/$defs/{_definition(kind, name)}"}},
                "required": ["with"] if offer.input.get("required") else [],
            },
        }
        for name, offer in offered.items()
    ]


def definitions(kind: str, offered: Mapping[str, Offer]) -> dict[str, Schema]:
    """The schemas of `with` to which `given` refers."""
    return {_definition(kind, name): _input(_definition(kind, name), offer) for name, offer in offered.items()}


def _definition(kind: str, name: str) -> str:
    return f"{kind} {name}".replace(" ", "-")


def _input(definition: str, offer: Offer) -> Schema:
    """`with` may be left empty where nothing is required."""
    opened = _opened(offer.input, f"#/$defs/{definition}/$defs/")
    empty = {} if offer.input.get("required") else {"type": ["object", "null"]}
    return {**opened, **empty, "title": f"Input of {offer.title}", "description": offer.told}


def _opened(schema: Any, place: str) -> Any:
    """The schema with `${{ … }}` allowed for each value in it; `place` is where its definitions are."""
    if not isinstance(schema, Mapping):
        return schema
    opened = {key: value for key, value in schema.items() if key != "discriminator"}
    if "$ref" in schema:
        opened["$ref"] = schema["$ref"].replace("#/$defs/", place)
    for key in _MAPS_OF_SCHEMAS:
        if key in schema:
            # Their titles are made of their names.
            opened[key] = {name: _without(_or_computed(part, place), "title") for name, part in schema[key].items()}
    for key in _SCHEMAS:
        if key in schema:
            opened[key] = _or_computed(schema[key], place)
    for key in _LISTS_OF_SCHEMAS:
        if key in schema:
            opened[key] = [
                _or_computed(part, place) if key == "prefixItems" else _opened(part, place) for part in schema[key]
            ]
    if "$defs" in schema:
        opened["$defs"] = {name: _opened(part, place) for name, part in schema["$defs"].items()}
    return _readable(opened)


def _readable(schema: Schema) -> Schema:
    """What pydantic writes in a way of its own, as other readers know it."""
    if schema.get("format") == "flow-duration":
        return {
            **_without(schema, "format"),
            "pattern": f"^{durations.PATTERN}$",
            "patternErrorMessage": durations.EXPECTED,
        }
    if "oneOf" in schema:  # several of them may fit where what tells them apart is computed
        return {**_without(schema, "oneOf"), "anyOf": schema["oneOf"]}
    if all([*part] == ["type"] for part in schema.get("anyOf", [{}])):
        return {**_without(schema, "anyOf"), "type": [part["type"] for part in schema["anyOf"]]}
    return schema


def _without(schema: Any, key: str) -> Any:
    return {name: value for name, value in schema.items() if name != key} if isinstance(schema, dict) else schema


def _or_computed(schema: Any, place: str) -> Any:
    opened = _opened(schema, place)
    if not isinstance(opened, dict) or _takes_any_text(opened):
        return opened
    told = {key: opened[key] for key in _ANNOTATIONS if key in opened}
    rest = {key: value for key, value in opened.items() if key not in _ANNOTATIONS}
    others = rest["anyOf"] if [*rest] == ["anyOf"] else [rest]
    return {**told, "anyOf": [*others, COMPUTED]}


def _takes_any_text(schema: Schema) -> bool:
    rest = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
    if [*rest] == ["anyOf"]:
        return any(_takes_any_text(part) for part in rest["anyOf"])
    return not rest or ([*rest] == ["type"] and "string" in (rest["type"], *rest["type"]))
