"""What is typed in a form becomes the input that the schema describes."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from connector.errors import InputError
from connector.flows import json_schema
from connector.flows.types import Object
from connector.server.forms import form_of, read_form, write_form


class Address(BaseModel):
    city: str


class Taken(BaseModel):
    name: str
    content: str = ""
    count: int = 5
    share: float | None = None
    colour: Literal["red", "blue"] | None = None
    size: Literal[1, 2] = 1
    loud: bool = False
    active: bool | None = None
    address: Address | None = None
    tags: list[str] = []
    either: str | list[str] | None = None
    body: Any = None


SCHEMA = Taken.model_json_schema()
KIND = json_schema.read(SCHEMA)
assert isinstance(KIND, Object)


def read(**texts: str) -> dict[str, Any]:
    assert isinstance(KIND, Object)
    return {name: value for name, value in read_form(KIND, texts).items() if name != "loud" or value}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", " 3 ", "3"),
        ("name", "null", "null"),
        ("content", " two\r\nlines ", " two\nlines "),
        ("count", "3", 3),
        ("share", "0.5", 0.5),
        ("share", "2", 2),
        ("colour", "red", "red"),
        ("size", "2", 2),
        ("loud", "on", True),
        ("active", "false", False),
        ("address", '{"city": "Paris"}', {"city": "Paris"}),
        ("tags", '["a"]', ["a"]),
        ("either", "a, b", "a, b"),
        ("either", '["a"]', ["a"]),
        ("either", '"[a]"', "[a]"),
        ("body", "3", 3),
        ("body", "three", "three"),
        ("body", '{"a": [1]}', {"a": [1]}),
    ],
)
def test_text_becomes_a_value_of_the_type(name, text, value):
    assert read(**{name: text}) == {name: value}


def test_empty_field_is_not_given_and_empty_checkbox_is_false():
    assert read_form(KIND, dict.fromkeys(Taken.model_fields, "")) == {"loud": False}


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("count", "3.5", "count: expected int, not '3.5'"),
        ("count", "drei", "count: expected int, not 'drei'"),
        ("share", "NaN", "share: this is not read: NaN is no number of JSON"),
        ("colour", "green", "colour: expected 'red' | 'blue' | null, not 'green'"),
        ("active", "on", "active: expected bool | null, not 'on'"),
        ("address", "Paris", "address: expected Address | null as JSON, not 'Paris' ("),
        ("address", '{"town": 1}', "address: Address has no field 'town'"),
        ("address", '{"city": 1}', "address: city is 1, but str is expected; it is JSON"),
        ("tags", '["a", 1]', "tags: [1] is 1, but str is expected; it is JSON"),
        ("either", '["a"', "either: expected str | list[str] | null as JSON, not '[\"a\"' ("),
        ("body", "{" * 5_000, "body: "),
        ("tags", "[" * 5_000, "tags: this is not read: it is nested too deeply"),
        ("<b>", "1", "'<b>' is not known here"),
    ],
)
def test_text_that_does_not_fit_is_one_sentence(name, text, sentence):
    with pytest.raises(InputError) as caught:
        read(**{name: text})
    assert str(caught.value).startswith(sentence)
    assert len(str(caught.value)) < 200


def test_all_wrong_fields_are_named_up_to_three():
    with pytest.raises(InputError) as caught:
        read(count="a", share="b", colour="c", active="d", tags="e")
    assert [part.partition(":")[0] for part in str(caught.value).split("; ")] == [
        "count",
        "share",
        "colour",
        "and 2 more",
    ]


def test_what_could_have_been_typed_is_read_as_the_same_input():
    given = {
        "name": "Ann",
        "content": "[a",
        "count": 0,
        "share": 0.5,
        "colour": "blue",
        "size": 2,
        "loud": True,
        "active": False,
        "address": {"city": "Zürich"},
        "tags": [],
        "either": "[x]",
        "body": "3",
    }
    assert read_form(KIND, write_form(KIND, given)) == given
    assert write_form(KIND, {"share": None, "loud": False, "count": "three"}) == {"count": "three"}


def test_form_has_a_field_for_each_input():
    found = {one.name: one for one in form_of(SCHEMA, {"tags": ["a"]}, {"name": ("count",)})}
    assert {name: one.widget for name, one in found.items()} == {
        "name": "text",
        "content": "long",
        "count": "number",
        "share": "number",
        "colour": "select",
        "size": "select",
        "loud": "checkbox",
        "active": "select",
        "address": "json",
        "tags": "json",
        "either": "json",
        "body": "json",
    }
    assert (found["colour"].options, found["size"].options) == (["red", "blue"], ["1", "2"])
    assert (found["active"].options, found["loud"].options) == (["true", "false"], [])
    assert (found["count"].whole, found["share"].whole) == (True, False)
    assert (found["count"].default, found["size"].default, found["name"].default) == ("5", "1", None)
    assert (found["name"].choices, found["count"].choices, found["tags"].example) == (["count"], None, '["a"]')
