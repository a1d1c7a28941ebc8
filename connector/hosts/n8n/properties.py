"""The form of a node in n8n, from the JSON Schemas of inputs."""

from collections.abc import Iterator, Mapping
from typing import Any

from connector.hosts.javascript.definitions import label_of
from connector.marks import LONG_TEXTS
from connector.profiles import JsonSchema

_PAGE = ("limit", "offset")
_DEFAULTS: Mapping[str, Any] = {"string": "", "boolean": False, "number": 0, "dateTime": "", "options": ""}

Property = dict[str, Any]


def choice(name: str, entries: Mapping[str, Mapping[str, Any]], label: str) -> Property:
    """What the node does, of several."""
    options = [
        {"name": one["title"], "value": key, "description": one["description"], "action": one["title"]}
        for key, one in entries.items()
    ]
    common = {"type": "options", "noDataExpression": True, "options": options, "default": next(iter(entries))}
    return {"displayName": label, "name": name, **common}


def inputs(schema: JsonSchema, lists: Mapping[str, str], shown: Mapping[str, Any]) -> Iterator[Property]:
    """Of a schema in the profile `mcp`: what is required, then the rest in a list to add from.

    `lists` has the search for the values of an input, `shown` where the properties belong.
    """
    fields, required = schema.get("properties", {}), schema.get("required", ())
    is_paged = set(_PAGE) <= fields.keys()
    where = {"displayOptions": {"show": dict(shown)}}
    for name in required:
        yield {**_property(name, fields[name], lists), "required": True, **where}
    if is_paged:
        yield from _paging(fields["limit"], shown)
    rest = [name for name in fields if name not in required and not (is_paged and name == "limit")]
    if rest:
        options = [_property(name, fields[name], lists) for name in rest]
        yield {**_COLLECTION, "options": options, **where}


_COLLECTION: Property = {
    "displayName": "Additional Fields",
    "name": "additional",
    "type": "collection",
    "placeholder": "Add Field",
    "default": {},
}


def _paging(limit: JsonSchema, shown: Mapping[str, Any]) -> Iterator[Property]:
    """The names are those that n8n uses in all its nodes."""
    yield {
        "displayName": "Return All",
        "name": "returnAll",
        "type": "boolean",
        "default": False,
        "description": "Whether to return all results or only up to a given limit",
        "displayOptions": {"show": dict(shown)},
    }
    yield {
        **_property("limit", limit, {}),
        "displayOptions": {"show": {**shown, "returnAll": [False]}},
    }


def _property(name: str, part: JsonSchema, lists: Mapping[str, str]) -> Property:
    described = {"description": part["description"]} if "description" in part else {}
    if name in lists:
        label = label_of(name.removesuffix("_id"))
        return {"displayName": label, "name": name, **_locator(lists[name], label), **described}
    kind = _kind(part)
    return {
        "displayName": label_of(name),
        "name": name,
        "type": kind,
        "default": part.get("default") or _DEFAULTS[kind],
        **described,
        **_details(name, part, kind),
    }


def _kind(part: JsonSchema) -> str:
    if "enum" in part:
        return "options"
    if part.get("format") == "date-time":
        return "dateTime"
    kinds = {"boolean": "boolean", "integer": "number", "number": "number"}
    return kinds.get(str(part.get("type")), "string")


def _details(name: str, part: JsonSchema, kind: str) -> Property:
    if kind == "options":
        return {"options": [{"name": label_of(str(value)), "value": value} for value in part["enum"]]}
    if part.get("type") == "array":
        return {"typeOptions": {"multipleValues": True}, "default": []}
    if name in LONG_TEXTS:
        return {"typeOptions": {"rows": 4}}
    bounds = {"minValue": part.get("minimum"), "maxValue": part.get("maximum")}
    found = {bound: value for bound, value in bounds.items() if kind == "number" and value is not None}
    return {"typeOptions": found} if found else {}


def _locator(search: str, label: str) -> Property:
    """Chosen from a list, or written as an id."""
    return {
        "type": "resourceLocator",
        "default": {"mode": "list", "value": ""},
        "modes": [
            {
                "displayName": "From List",
                "name": "list",
                "type": "list",
                "placeholder": f"Select the {label.lower()}…",
                "typeOptions": {"searchListMethod": search, "searchable": True},
            },
            {"displayName": "By ID", "name": "id", "type": "string"},
        ],
    }
