"""An example of what fits a JSON Schema, for hosts that show what an action gives before it has ever run."""

from collections.abc import Mapping
from typing import Any

_TEXTS = {"date-time": "2026-03-25T10:30:00Z", "date": "2026-03-25", "uri": "https://example.com/", "time": "10:30:00"}

_BY_NAME = {"email": "john@example.com", "name": "John Smith", "phone": "480-555-1234", "url": "https://example.com/"}
"""By the last word of a field's name."""


def example_of(schema: Mapping[str, Any], name: str = "value") -> Any:
    """For a schema without `$ref`, as `profiles.convert` gives it. Its own examples and defaults go first."""
    for given in ("const", "default"):
        if schema.get(given) is not None:
            return schema[given]
    for listed in ("examples", "enum"):
        if schema.get(listed):
            return schema[listed][0]
    for parts in ("anyOf", "oneOf", "allOf"):
        if parts in schema:
            return example_of(next((one for one in schema[parts] if one.get("type") != "null"), {}), name)
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return _of_kind(next((one for one in kinds if one != "null"), None), schema, name)


def _of_kind(kind: object, schema: Mapping[str, Any], name: str) -> Any:
    match kind:
        case "object":
            return {field: example_of(part, field) for field, part in schema.get("properties", {}).items()}
        case "array":
            return [example_of(schema.get("items", {}), name.removesuffix("s"))] if schema.get("maxItems") != 0 else []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "string":
            return _TEXTS.get(str(schema.get("format"))) or _BY_NAME.get(name.rpartition("_")[2], name)
        case _:
            return None
