import enum
from datetime import datetime
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel
from typing_extensions import TypedDict

from connector.flows import json_schema, types
from connector.flows.catalogue import Operation
from connector.flows.types import ANY, BOOL, DURATION, INT, NEVER, NULL, NUMBER, STR, TIME, ListOf, Object, Simple, Type


def words(*values: Any) -> Type:
    return types.union(map(types.literal, values))


CLOSED = types.record("Closed", {"a": STR})
LOOSE = Object("Loose", {"a": STR, "b": INT}, frozenset({"a"}))
OPEN = Object("Open", {"a": STR}, frozenset({"a"}), ANY)
DATE, CLOCK, UUID = (Simple("str", name) for name in ("date", "clock", "uuid"))
COUNTS = Object("map", {}, extra=INT)
ANYTHING = Object("map", {}, extra=ANY)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (INT, NUMBER),
        (types.literal(1), INT),
        (types.literal(1), NUMBER),
        (types.literal(True), BOOL),
        (words("a"), words("a", "b")),
        (words("a", "b"), STR),
        (words("a", 1), types.union([STR, INT])),
        (words("2026-03-25T10:30:00Z"), TIME),
        (words("15m", "500ms"), DURATION),
        (TIME, STR),
        (NULL, types.union([STR, NULL])),
        (types.union([INT, NULL]), types.union([STR, NUMBER, NULL])),
        (ANY, INT),
        (INT, ANY),
        (ListOf(INT), ListOf(NUMBER)),
        (ListOf(NEVER), ListOf(STR)),
        (CLOSED, LOOSE),
        (CLOSED, OPEN),
        (LOOSE, OPEN),
        (LOOSE, ANYTHING),
        (COUNTS, ANYTHING),
        (OPEN, OPEN),
        (types.record("o", {"n": INT}), COUNTS),
        (types.list_of([INT, STR]), types.list_of([NUMBER, STR])),
        (types.list_of([INT, INT]), ListOf(INT)),
        (ListOf(NEVER), types.list_of([])),
        (STR, DATE),
        (words("2026-03-25"), DATE),
        (words("09:30", "09:30:00.5Z"), CLOCK),
        (words("2f1c0e9a-7a53-4a2e-9f0e-0c1d2e3f4a5b"), UUID),
    ],
    ids=str,
)
def test_value_of_narrower_type_fits(source: Type, target: Type) -> None:
    assert types.assignable(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (NUMBER, INT),
        (BOOL, INT),
        (INT, BOOL),
        (types.literal(True), types.literal(1)),
        (types.literal(1), types.literal(1.0)),
        (BOOL, types.literal(True)),
        (words("a", "c"), words("a", "b")),
        (STR, words("a", "b")),
        (STR, TIME),
        (words("2026-03-25T10:30:00Z", "soon"), TIME),
        (words("15 m"), DURATION),
        (TIME, DURATION),
        (types.union([STR, NULL]), STR),
        (ListOf(types.union([STR, NULL])), ListOf(STR)),
        (ListOf(STR), STR),
        (LOOSE, CLOSED),
        (OPEN, CLOSED),
        (COUNTS, Object("o", {"a": STR}, frozenset(), ANY)),
        (COUNTS, CLOSED),
        (OPEN, Object("o", {"a": INT}, frozenset(), ANY)),
        (Object("o", {"a": STR}), CLOSED),
        (ANYTHING, CLOSED),
        (CLOSED, ListOf(STR)),
        (types.list_of([INT]), types.list_of([INT, INT])),
        (types.list_of([INT, INT]), types.list_of([INT, STR])),
        (ListOf(INT), types.list_of([INT, INT])),
        (TIME, DATE),
        (words("2026-02-30"), DATE),
        (words("25:00"), CLOCK),
        (words("card-1"), UUID),
    ],
    ids=str,
)
def test_value_of_another_type_does_not_fit(source: Type, target: Type) -> None:
    assert not types.assignable(source, target)


@pytest.mark.parametrize(
    ("members", "shown"),
    [
        ([STR, STR], "str"),
        ([NULL, STR], "str | null"),
        ([types.union([STR, NULL]), INT], "str | int | null"),
        ([words("a"), words("b", "a")], "'a' | 'b'"),
        ([words("a"), INT, words(1)], "'a' | int"),
        ([words("a"), TIME], "'a' | time"),
        ([TIME, STR], "str"),
        ([INT, NUMBER], "number"),
        ([words(True), words(1)], "true | 1"),
        ([STR, ANY], "any"),
        ([ListOf(NEVER), ListOf(STR)], "list[str]"),
        ([ListOf(NEVER)], "list[nothing]"),
        ([], "nothing"),
        ([words(*"abcdefghij")], "'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | …"),
        ([types.record(f"o{number}", {}) for number in range(200)], "any"),
    ],
    ids=str,
)
def test_union_is_flat_and_without_repeats(members: list[Type], shown: str) -> None:
    assert str(types.union(members)) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-25T10:30:00Z", True),
        ("2026-03-25t10:30:00.123456z", True),
        ("2026-03-25 10:30:00+02:00", True),
        ("2026-03-25T10:30:00", False),
        ("2026-03-25", False),
        ("2026-02-30T10:30:00Z", False),
        ("2026-W13-3T10:30:00Z", False),
        ("20260325T103000Z", False),
        ("٢٠٢٦-03-25T10:30:00Z", False),
    ],
)
def test_time_is_rfc_3339_with_offset(text: str, expected: bool) -> None:
    assert types.is_time(text) is expected


class Stage(enum.Enum):
    NEW = "new"
    WON = "won"


class Partial(TypedDict, total=False):
    note: str


class Leaf(BaseModel):
    children: "list[Leaf]" = Field(default_factory=list)


class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    text_or_null: str | None = None
    count: int = 3
    ratio: float
    flag: bool
    when: datetime
    stage: Stage
    kind: Literal["a", 1, True, None]
    items: list[int | None]
    counts: dict[str, int]
    data: dict[str, Any]
    thing: Any
    pair: tuple[int, str]
    partial: Partial
    leaf: Leaf
    made: list[str] = Field(default_factory=list)


EVERYTHING = {
    "text": "str",
    "text_or_null": "str | null",
    "count": "int",
    "ratio": "number",
    "flag": "bool",
    "when": "time",
    "stage": "'new' | 'won'",
    "kind": "'a' | 1 | true | null",
    "items": "list[int | null]",
    "counts": "map[int]",
    "data": "map[any]",
    "thing": "any",
    "pair": "[int, str]",
    "partial": "Partial",
    "leaf": "Leaf",
    # Its default is not in the schema, so nobody knows that a dump has it.
    "made": "list[str] | null",
}


@pytest.mark.parametrize(("field", "shown"), EVERYTHING.items(), ids=EVERYTHING.keys())
def test_field_of_model_has_type_for_readers(field: str, shown: str) -> None:
    kind = json_schema.read(Everything.model_json_schema(mode="serialization"), written=True)
    assert isinstance(kind, Object)
    assert str(kind.read(field)) == shown


def test_default_makes_input_optional() -> None:
    kind = json_schema.read(Everything.model_json_schema())
    assert isinstance(kind, Object)
    assert kind.required.isdisjoint({"text_or_null", "count", "made"})
    assert {"text", "thing"} <= kind.required
    assert kind.extra is None


def test_missing_key_of_partial_object_is_null() -> None:
    kind = json_schema.read(Everything.model_json_schema(mode="serialization"), written=True)
    assert isinstance(kind, Object)
    partial = kind.read("partial")
    assert isinstance(partial, Object)
    assert str(partial.read("note")) == "str | null"


def test_schema_of_many_shared_definitions_is_read_once() -> None:
    """Without sharing, reading this takes 2 to the power of 60 steps."""
    definitions = {
        f"d{n}": {
            "type": "object",
            "properties": {side: {"$ref": f"#/$defs/d{n + 1}"} for side in ("left", "right")},
        }
        for n in range(60)
    }
    assert isinstance(json_schema.read({"$ref": "#/$defs/d0", "$defs": definitions}), Object)


STR_OR_NULL = types.union([STR, NULL])
A_FIELD = {"type": "object", "title": "A", "properties": {"a": {"type": "string"}}, "required": ["a"]}
BOTH = Object("A", {"a": STR, "b": NULL}, frozenset({"a"}))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, ANY),
        ({"type": "strange"}, ANY),
        ({"$ref": "#/$defs/missing"}, ANY),
        ({"type": ["string", "null"]}, types.union([STR, NULL])),
        ({"type": "string", "anyOf": [{"minLength": 1}, {"maxLength": 0}]}, STR),
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, types.union([INT, NULL])),
        ({"enum": [1, 2.5, "x", None]}, types.union([words(1, 2.5, "x"), NULL])),
        ({"type": "string", "format": "email"}, STR),
        ({"type": "array"}, ListOf(ANY)),
        ({"type": "object"}, Object("object", {}, extra=ANY)),
        (False, NEVER),
        ({"type": "string", "format": "uuid4"}, UUID),
        ({"type": "string", "format": "date"}, DATE),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "format": "date-time"}, types.union([TIME, NULL])),
        ({"const": {"a": [1]}}, types.record("object", {"a": types.list_of([words(1)])})),
        ({"type": "array", "prefixItems": [{"type": "string"}], "minItems": 1, "maxItems": 1}, types.list_of([STR])),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "null"}}, ListOf(STR_OR_NULL)),
        ({"type": "array", "items": False}, types.list_of([])),
        (
            {"type": "object", "patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": False},
            Object("object", {}, extra=STR),
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}, "propertyNames": {"enum": ["a", "b"]}},
            Object("object", {"a": INT, "b": INT}),
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}, "propertyNames": {"$ref": "#/$defs/Name"}},
            Object("object", {"new": INT}),
        ),
        ({"$ref": "#/$defs/Name", "description": "beside"}, words("new")),
        ({"$ref": "#/$defs/Name", "anyOf": [{"type": "string"}, {"type": "null"}]}, words("new")),
        ({"allOf": [{"$ref": "#/$defs/Name"}], "default": "new"}, words("new")),
        ({"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", 1]}]}, words("b")),
        ({"allOf": [{"type": "integer"}, {"type": "string"}]}, NEVER),
        ({"allOf": [{"type": "integer"}, {"type": "number"}]}, INT),
        ({"allOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "array"}]}, ListOf(INT)),
        ({"allOf": [A_FIELD, {"properties": {"b": {"type": "null"}}, "type": "object"}]}, BOTH),
    ],
    ids=str,
)
def test_schema_is_read_as_type(schema: dict[str, Any], expected: Type) -> None:
    definitions = {"Name": {"enum": ["new"]}}
    assert json_schema.read(schema and {**schema, "$defs": definitions}) == expected


def test_operation_without_object_is_refused() -> None:
    class Text(RootModel[str]):
        pass

    nothing = {"type": "object"}
    with pytest.raises(TypeError, match="an input must be an object, not str"):
        Operation.of(Text.model_json_schema(), nothing)
    with pytest.raises(TypeError, match="an output must be an object, not str"):
        Operation.of(nothing, Text.model_json_schema())


def test_type_without_nulls_has_none_inside() -> None:
    inner = types.record("Inner", {"a": types.union([STR, NULL])})
    kind = types.without_nulls(types.union([ListOf(types.union([inner, NULL])), NULL]))
    assert isinstance(kind, ListOf)
    assert isinstance(kind.item, Object)
    assert kind.item.read("a") == STR


def test_words_of_enum_are_its_texts() -> None:
    assert types.words_of(types.union([words("a", "b", 1), NULL])) == ["a", "b"]
    assert types.constant(Simple("str", words=("a", "b"))) is None
    assert types.constant(types.literal("a")) == "a"
