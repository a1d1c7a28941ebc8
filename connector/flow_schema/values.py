"""The schemas of single values: expressions, texts, durations, names."""

from collections.abc import Sequence
from typing import Any

from connector.flows import durations
from connector.flows.keys import WORD

Schema = dict[str, Any]
"""JSON Schema, draft 2020-12, with `patternErrorMessage` and `enumDescriptions`, which yaml-language-server reads."""

HOLE = r"\$\{\{"
_NO_HOLE = rf"^(?![\s\S]*{HOLE})"

COMPUTED: Schema = {
    "type": "string",
    "pattern": HOLE,
    "patternErrorMessage": "expected a value of the type that is taken here, or ${{ … }}",
    "description": "A text with `${{ … }}`, computed when the flow runs.",
}
"""What may stand in the place of each value of an input."""


def expression(description: str, example: str) -> Schema:
    """A bare expression. YAML reads some as another scalar than text, such as `true`, `3` and `null`."""
    return {
        "description": f"{description} An expression, such as `{example}`.",
        "type": ["string", "boolean", "number", "null"],
        "pattern": _NO_HOLE,
        "patternErrorMessage": "an expression stands here by itself, without ${{ }}",
    }


def text(description: str) -> Schema:
    """A text in which `${{ … }}` may stand."""
    return {"description": f"{description} `${{{{ … }}}}` may stand in it.", "type": "string"}


def constant(description: str) -> Schema:
    """A text without expressions."""
    return {
        "description": description,
        "type": "string",
        "pattern": _NO_HOLE,
        "patternErrorMessage": "this is no place for an expression; write it out",
    }


def word(description: str, pattern: str, expected: str) -> Schema:
    return {
        "description": description,
        "type": "string",
        "pattern": f"^{pattern}$",
        "patternErrorMessage": f"expected {expected}",
    }


def duration(description: str) -> Schema:
    """Longer than none."""
    told = f"{description} A duration, such as `30s`, `5m`, `1h` or `1d`."
    return word(told, f"(?!0+[a-z]){durations.PATTERN}", durations.EXPECTED.removeprefix("expected "))


def boolean(description: str, *, default: bool) -> Schema:
    return {"description": description, "type": "boolean", "default": default}


def integer(description: str, most: int, default: int | None = None) -> Schema:
    told = {} if default is None else {"default": default}
    return {"description": description, "type": "integer", "minimum": 1, "maximum": most, **told}


def choice(description: str, words: Sequence[str], default: str) -> Schema:
    return {"description": description, "enum": [*words], "default": default}


def mapping(description: str, properties: dict[str, Schema], required: Sequence[str] = (), **more: Any) -> Schema:
    """Keys that are known, and no others."""
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": [*required],
        "additionalProperties": False,
        **more,
    }


def named(description: str, each: Schema) -> Schema:
    """Values under names that the flow chooses."""
    return {
        "description": description,
        "type": "object",
        "propertyNames": {"pattern": f"^{WORD}$", "patternErrorMessage": "expected lower-case letters, digits and _"},
        "additionalProperties": each,
    }
