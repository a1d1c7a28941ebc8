from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from connector.validation import read, refuse, sentence


class Colour(Enum):
    RED = "red"


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = "x"
    count: int = 0
    price: float = 0.0
    flag: bool = False
    at: datetime | None = None
    colour: Colour = Colour.RED
    anything: dict[str, Any] = Field(default_factory=dict)
    names: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _no_secret_orders(self) -> "Order":
        if self.text == "secret":
            raise ValueError("Orders must\nnot be secret.")
        if self.text == "URL":
            raise AssertionError("URL is no text")
        return self


def fault(value: dict[str, Any], **options: bool) -> str:
    with pytest.raises(ValidationError) as caught:
        read(Order, value)
    return sentence(caught.value, **options)


@pytest.mark.parametrize(
    ("field", "given", "read_as"),
    [
        pytest.param("at", "2026-03-25T10:30:00Z", datetime(2026, 3, 25, 10, 30, tzinfo=UTC), id="time"),
        pytest.param("colour", "red", Colour.RED, id="enum"),
        pytest.param("price", 3, 3.0, id="whole number for a number"),
        pytest.param("text", "+4917012345", "+4917012345", id="text like a number"),
        pytest.param("text", "a\ud800\x00\udc00b", "a\ud800\x00\udc00b", id="lone surrogates and NUL"),
        pytest.param("text", "😀", "😀", id="astral"),
        pytest.param("names", ["\udfff"], ["\udfff"], id="lone surrogate in a list"),
        pytest.param("anything", {"a": {"b": ["\ud800", 1]}}, {"a": {"b": ["\ud800", 1]}}, id="surrogate inside any"),
    ],
)
def test_value_is_read_as_it_is(field, given, read_as):
    assert getattr(read(Order, {field: given}), field) == read_as


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"count": "42"}, "count: input should be a valid integer, not '42'", id="text for a number"),
        pytest.param({"count": 4.0}, "count: input should be a valid integer, not 4.0", id="float for an integer"),
        pytest.param({"text": 42}, "text: input should be a valid string, not 42", id="number for a text"),
        pytest.param({"flag": "true"}, "flag: input should be a valid boolean, not 'true'", id="text for a boolean"),
        pytest.param({"flag": 1}, "flag: input should be a valid boolean, not 1", id="number for a boolean"),
        pytest.param(
            {"count": "42", "text": "\ud800"},
            "count: input should be a valid integer, not '42'",
            id="a lone surrogate makes nothing less strict",
        ),
    ],
)
def test_nothing_is_converted(value, expected):
    assert fault(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"colr": "red"}, "colr is not known here", id="unknown"),
        pytest.param({"a\nb\x1b[31m": 1}, r"a\nb\x1b[31m is not known here", id="hostile name"),
        pytest.param({"names": ["a", 2]}, "names.1: input should be a valid string, not 2", id="place in a list"),
        pytest.param({"names": "x\n\x1b"}, r"names: input should be a valid array, not 'x\n\x1b'", id="hostile value"),
        pytest.param(
            {"count": "9" * 100}, f"count: input should be a valid integer, not '{'9' * 59}…", id="long values are cut"
        ),
        pytest.param(
            {"count": "9" * 58}, f"count: input should be a valid integer, not '{'9' * 58}'", id="long enough"
        ),
        pytest.param({"text": "secret"}, "orders must not be secret", id="sentence of a validator"),
        pytest.param({"text": "URL"}, "URL is no text", id="capitals stay"),
        pytest.param(
            {"a": 1, "b": 1, "c": 1}, "a is not known here; b is not known here; c is not known here", id="three"
        ),
        pytest.param(
            {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1},
            "a is not known here; b is not known here; c is not known here; and 2 more",
            id="many",
        ),
    ],
)
def test_fault_is_one_sentence(value, expected):
    assert fault(value) == expected


def test_strict_model_takes_lone_surrogates_beside_a_time():
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)

        text: str
        at: datetime

    assert read(Strict, {"text": "\ud800", "at": "2026-03-25T10:30:00Z"}).at.year == 2026


def test_missing_field_is_named():
    class Named(BaseModel):
        name: str

    with pytest.raises(ValidationError) as caught:
        read(Named, {})
    assert sentence(caught.value) == "name is missing"


def test_values_that_may_be_secret_are_not_quoted():
    assert fault({"count": "canary"}, quote=False) == "count: input should be a valid integer"


CIRCLE: dict[str, Any] = {}
CIRCLE["anything"] = CIRCLE
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"at": datetime(2026, 3, 25, tzinfo=UTC)}, id="Python's time"),
        pytest.param({"price": float("nan")}, id="NaN"),
        pytest.param({"anything": {(1, 2): 3}}, id="key that is no text"),
        pytest.param(CIRCLE, id="circle"),
        pytest.param({"anything": {"deep": DEEP}}, id="too deep"),
    ],
)
def test_value_that_json_does_not_have_is_refused(value):
    assert fault(value).startswith("expected plain JSON, with times as ISO 8601 text (")


class _Cat(BaseModel):
    type: Literal["cat"]


class _Dog(BaseModel):
    type: Literal["dog"]


class _Owner(BaseModel):
    pet: _Cat | _Dog = Field(discriminator="type")


@pytest.mark.parametrize(
    ("pet", "sentence"),
    [({"type": "cow"}, "pet.type: expected one of 'cat', 'dog', not 'cow'"), ({}, "pet.type is missing")],
)
def test_kind_of_an_object_that_is_none_is_named_with_the_kinds(pet, sentence):
    assert refuse(_Owner, {"pet": pet}) == ("pet", sentence)


def test_very_many_faults_are_counted_and_not_listed():
    class Numbers(BaseModel):
        numbers: list[int]

    with pytest.raises(ValidationError) as caught:
        Numbers.model_validate({"numbers": ["x"] * 1_001})
    assert sentence(caught.value) == "1,001 values are not what is expected"
