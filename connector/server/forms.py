"""The form of an input: its fields from the schema, and what was typed as the input that the schema describes.

An empty field is as not given. A checkbox that is not ticked is false, as browsers send nothing for it.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from connector.errors import InputError
from connector.flows import types
from connector.flows.json_text import RefusedJSONError, read_json
from connector.flows.parameters import Parameters
from connector.flows.problems import quoted
from connector.flows.schema_fields import SchemaField, read_fields
from connector.flows.types import Object, Simple, Type
from connector.flows.values import read_text, refuse
from connector.marks import LONG_TEXTS

PREFIX = "input."
"""Before the name of an input in a form, which has fields of its own too."""
Widget = Literal["text", "long", "number", "checkbox", "select", "json"]
_MOST_FAULTS = 3
_BEGINS_JSON = ("{", "[", '"')


class FormField(BaseModel):
    name: str
    widget: Widget = Field(description="How a form asks for it.")
    type: str
    required: bool
    default: str | None = Field(description="What it is where it is not given, as it could be typed.")
    description: str
    options: list[str] = Field(description="The texts of which one is chosen.")
    example: str = Field(description="What could be typed.")
    whole: bool = Field(description="Whether a number has no fraction.")
    choices: list[str] | None = Field(
        description="The inputs on which depends what there is to choose from; null where nothing lists values."
    )


def form_of(
    schema: Mapping[str, Any], example: Mapping[str, Any], choices: Mapping[str, tuple[str, ...]]
) -> list[FormField]:
    """One for each field of the input's JSON Schema. `choices` has what those of a field depend on."""
    found = [field for field in read_fields(schema, written=False) if field.level == 1]
    return [_form_field(field, example, choices) for field in found]


def _form_field(field: SchemaField, example: Mapping[str, Any], choices: Mapping[str, tuple[str, ...]]) -> FormField:
    return FormField(
        name=field.name,
        widget=_widget(field.name, field.type),
        type=field.words,
        required=field.required,
        default=None if field.default is None else text_of(field.default),
        description=field.description,
        options=_options(field.type),
        example=text_of(example[field.name]) if example.get(field.name) is not None else "",
        whole=types.without_null(field.type) == types.INT,
        choices=[*choices[field.name]] if field.name in choices else None,
    )


def form_of_parameters(parameters: Parameters) -> list[FormField]:
    """One for each parameter, such as those of an approval's form."""
    return [
        FormField(
            name=name,
            widget=_widget(name, one.type),
            type=str(one.type),
            required=one.required,
            default=None if one.required or one.default is None else text_of(one.default),
            description=one.description,
            options=_options(one.type),
            example="",
            whole=types.without_null(one.type) == types.INT,
            choices=None,
        )
        for name, one in parameters.items()
    ]


def _widget(name: str, kind: Type) -> Widget:
    if kind == types.BOOL:
        return "checkbox"
    if _options(kind):
        return "select"
    plain = types.without_null(kind)
    if plain in (types.INT, types.NUMBER):
        return "number"
    if not isinstance(plain, Simple) or plain.kind != "str":
        return "json"
    return "long" if name in LONG_TEXTS and plain == types.STR else "text"


def _options(kind: Type) -> list[str]:
    """Of an enum, and of a bool that may be null, which a checkbox cannot say."""
    plain = types.without_null(kind)
    if plain == types.BOOL:
        return ["true", "false"] if types.nullable(kind) else []
    words = [word for part in types.parts(plain) if isinstance(part, Simple) for word in part.words or ()]
    return [text_of(word) for word in words] if types.has_words(plain) else []


def read_form(kind: Object, texts: Mapping[str, str]) -> dict[str, Any]:
    """The input that was typed, by its type. Raises InputError, which names each field that does not fit."""
    given: dict[str, Any] = {}
    faults = [f"{quoted(name)} is not known here" for name in texts if name not in kind.fields]
    for name, field in kind.fields.items():
        try:
            given |= _read_field(name, field, texts.get(name, ""))
        except ValueError as error:
            faults.append(f"{name}: {error}")
    if faults:
        more = f"; and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
        raise InputError("; ".join(faults[:_MOST_FAULTS]) + more)
    return given


def _read_field(name: str, kind: Type, text: str) -> dict[str, Any]:
    """The field with its value, or nothing. Raises ValueError."""
    widget = _widget(name, kind)
    if widget == "checkbox":
        return {name: bool(text)}
    whole = text.replace("\r\n", "\n") if widget == "long" else text.strip()  # browsers end each line so
    if not whole:
        return {}
    return {name: _read_json(kind, whole) if widget == "json" else read_text(whole, kind)}


def _read_json(kind: Type, text: str) -> Any:
    if not text.startswith(_BEGINS_JSON) and _takes_text(kind):
        return text if kind != types.ANY else _json_or_text(text)
    try:
        value = read_json(text)
    except RefusedJSONError as error:
        raise ValueError(f"this is not read: {error}") from error
    except ValueError as error:
        raise ValueError(f"expected {kind} as JSON, not {quoted(text)} ({error})") from error
    if (reason := refuse(value, kind)) is not None:
        raise ValueError(f"{reason}; it is JSON")
    return value


def _takes_text(kind: Type) -> bool:
    return any(part in (types.ANY, types.STR) for part in types.parts(kind))


def _json_or_text(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        return text


def write_form(kind: Object, given: Mapping[str, Any]) -> dict[str, str]:
    """What could have been typed for an input; what does not fit is as JSON."""
    written = {name: _write_field(name, kind.fields.get(name, types.ANY), value) for name, value in given.items()}
    return {name: text for name, text in written.items() if text}


def _write_field(name: str, kind: Type, value: Any) -> str:
    if kind == types.BOOL:
        return "on" if value else ""
    if value is None:
        return ""
    text = text_of(value)
    return json.dumps(value, ensure_ascii=False) if _is_read_otherwise(name, kind, text, value) else text


def _is_read_otherwise(name: str, kind: Type, text: str, value: Any) -> bool:
    """Such as the text `3` where a number fits too."""
    try:
        return _widget(name, kind) == "json" and _read_field(name, kind, text) != {name: value}
    except ValueError:
        return True


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def typed(given: Mapping[str, Any]) -> dict[str, str]:
    """The inputs among the fields of a form."""
    return {name.removeprefix(PREFIX): str(text) for name, text in given.items() if name.startswith(PREFIX)}
