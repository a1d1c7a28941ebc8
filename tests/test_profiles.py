"""JSON Schemas as hosts take them, and the samples that are made of them, for every declared operation."""

from typing import Annotated, Any

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict

from connector import registry
from connector.errors import UnknownOperationError
from connector.examples import example_of
from connector.marks import PERSONAL, PersonalText
from connector.profiles import convert, keep


class Part(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str
    email: PersonalText = None
    inner: "Part | None" = None


class Whole(BaseModel):
    parts: list[Part]
    one: Part | None = None
    either: int | str | None = None
    data: Annotated[dict[str, Any], PERSONAL] = {}
    by_name: dict[str, Part] = {}


SCHEMA = Whole.model_json_schema()
VALUE = {
    "parts": [{"id": "1", "email": "a@example.com", "unknown": 1, "inner": {"id": "2", "email": "b@example.com"}}],
    "one": {"id": "3", "email": None},
    "either": "x",
    "data": {"a": 1},
    "by_name": {"x": {"id": "4", "email": "c@example.com"}},
}


WITHOUT_NULL = VALUE | {"one": {"id": "3"}}


def keys_of(schema: object) -> set[str]:
    if isinstance(schema, list):
        return {key for part in schema for key in keys_of(part)}
    return {*schema, *keys_of([*schema.values()])} if isinstance(schema, dict) else set()


@pytest.mark.parametrize("profile", ["plain", "mcp"])
def test_converted_schema_stands_alone_and_takes_the_same(profile):
    made = convert(SCHEMA, profile)
    jsonschema.Draft202012Validator.check_schema(made)
    assert not {"$ref", "$defs", "x-personal"} & keys_of(made)
    jsonschema.validate(VALUE if profile == "plain" else WITHOUT_NULL, made)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"parts": [{"id": 1}]}, made)
    assert keep(VALUE, made) == VALUE


def test_profile_that_there_is_not_is_refused():
    with pytest.raises(UnknownOperationError, match="there is no profile 'openai'; expected plain or mcp"):
        convert(SCHEMA, "openai")


def test_mcp_has_no_null_where_a_field_may_be_left_out():
    made = convert(SCHEMA, "mcp")["properties"]
    assert made["one"]["type"] == "object"
    assert made["one"]["properties"]["email"] == {"type": "string", "title": "Email"}
    assert made["either"] == {"anyOf": [{"type": "integer"}, {"type": "string"}], "title": "Either"}
    plain = convert(SCHEMA, "plain")["properties"]
    assert [part["type"] for part in plain["one"]["anyOf"]] == ["object", "null"]


def test_nothing_about_a_person_is_left_where_it_is_not_wanted():
    made = convert(SCHEMA, "mcp", personal=False)
    kept = keep(VALUE, made)
    assert kept == {
        "parts": [{"id": "1", "inner": {"id": "2"}}],
        "one": {"id": "3"},
        "either": "x",
        "by_name": {"x": {"id": "4"}},
    }
    jsonschema.validate(kept, made)
    assert "email" not in str(made)


class Contact(BaseModel):
    email: PersonalText = None


class Nested(BaseModel):
    contact: Contact
    by_name: dict[str, Part] | None
    pair: tuple[Part, int]
    email: PersonalText | None = None
    emails: list[Annotated[str, PERSONAL]] = []
    notes: dict[str, Any] | None = None


@pytest.mark.parametrize("profile", ["plain", "mcp"])
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"contact": {"email": "a@example.com"}}, {"contact": {}}),
        ({"by_name": {"x": {"id": "1", "email": "a@example.com"}}}, {"by_name": {"x": {"id": "1"}}}),
        ({"pair": [{"id": "1", "email": "a@example.com"}, 2]}, {"pair": [{"id": "1"}, 2]}),
        ({"email": "a@example.com"}, {}),
        ({"emails": ["a@example.com"]}, {}),
        ({"notes": {"email": "a@example.com"}}, {"notes": {}}),
    ],
    ids=["nothing but that", "a map or null", "a pair", "a mark in a union", "a mark of items", "an open map or null"],
)
def test_nothing_about_a_person_is_left_wherever_it_stands(profile, given, kept):
    whole = {"contact": {}, "by_name": {}, "pair": [{"id": "1"}, 2]}
    made = convert(Nested.model_json_schema(), profile, personal=False)
    found = keep(whole | given, made)
    assert found == whole | kept
    jsonschema.validate(found, made)


def test_nothing_about_a_person_is_left_however_deep_it_stands():
    value: dict[str, Any] = {"id": "1", "email": "a@example.com"}
    for _ in range(20):
        value = {"id": "1", "email": "a@example.com", "inner": value}
    made = convert(Part.model_json_schema(), "mcp", personal=False)
    found = keep(value, made)
    jsonschema.validate(found, made)
    assert "email" not in str(found)


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "array", "maxItems": 0}, []),
        ({"type": "string", "default": "x"}, "x"),
        ({"const": "x"}, "x"),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ({"type": ["null", "string"], "format": "date"}, "2026-03-25"),
    ],
)
def test_example_fits_what_a_schema_asks_for(schema, example):
    assert example_of(schema) == example


def test_every_operation_has_schemas_in_each_profile_and_a_sample_that_fits(built_in):
    for declared in (*built_in.actions.values(), *built_in.triggers.values()):
        for schema in registry.schemas_of(declared):
            for profile in ("plain", "mcp"):
                made = convert(schema, profile)
                jsonschema.Draft202012Validator.check_schema(made)
                assert made["type"] == "object", declared.name
                assert "$ref" not in keys_of(made)
        sample = example_of(made)
        jsonschema.validate(sample, made)
        declared.output.model_validate(sample)
