"""What `--arg` makes of texts, by the type of the input."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from connector.cli.arguments import read_arguments
from connector.cli.exits import UsageError
from connector.flows import json_schema


class Address(BaseModel):
    city: str
    floor: int | None = None


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str | None = None
    number: int | None = None
    share: float = 0.5
    sure: bool = False
    names: list[str] = []
    address: Address | None = None
    more: dict[str, int] = {}
    free: Any = None


GIVEN = json_schema.read(Given.model_json_schema())


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param(["text=5"], {"text": "5"}, id="text"),
        pytest.param(["text=null"], {"text": "null"}, id="text that is called null"),
        pytest.param(["text=a=b"], {"text": "a=b"}, id="equals sign"),
        pytest.param(["text="], {"text": ""}, id="empty text"),
        pytest.param(["number=-5"], {"number": -5}, id="int"),
        pytest.param(["number=null"], {"number": None}, id="null"),
        pytest.param(["share=1e-1"], {"share": 0.1}, id="float"),
        pytest.param(["sure=true"], {"sure": True}, id="bool"),
        pytest.param(['names=["a"]'], {"names": ["a"]}, id="list"),
        pytest.param(["address.city=5", "address.floor=5"], {"address": {"city": "5", "floor": 5}}, id="dotted"),
        pytest.param(['address={"city": "x"}'], {"address": {"city": "x"}}, id="object"),
        pytest.param(["more.a=1", "more.b=2"], {"more": {"a": 1, "b": 2}}, id="map"),
        pytest.param(["free=5", "sure=false"], {"free": "5", "sure": False}, id="any is text"),
    ],
)
def test_argument_becomes_what_the_input_says(arguments, given):
    assert repr(read_arguments(GIVEN, arguments)) == repr(given)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["text"], "--arg 'text': expected NAME=VALUE, such as text=…", id="no value"),
        pytest.param(["note"], "--arg 'note': expected NAME=VALUE, such as text=…", id="no value and no field"),
        pytest.param([".=1"], "--arg '.=1': expected NAME=VALUE", id="no name"),
        pytest.param(["tekst=a"], "--arg tekst: there is no such field; did you mean 'text'?", id="field"),
        pytest.param(["address.zip=a"], "--arg address.zip: there is no such field; expected", id="inside"),
        pytest.param(["text.a=1"], "--arg text.a: text is str and has no fields; write text=JSON", id="leaf"),
        pytest.param(["number=1.5"], "--arg number=1.5: expected int | null, not '1.5'", id="int"),
        pytest.param(["sure=yes"], "--arg sure=yes: expected bool, not 'yes'", id="bool"),
        pytest.param(["names={}"], "--arg names={}: expected list[str], not an object", id="list"),
        pytest.param(["names=[1]"], "--arg names=[1]: [0] is 1, but str is expected", id="inside a list"),
        pytest.param(["names=["], "--arg names=[: expected list[str], not '['", id="not JSON"),
        pytest.param(["text=a", "text=b"], "--arg text: it is given twice", id="twice"),
        pytest.param(["free=a", "free.b.c=b"], "--arg free.b.c: it is given twice", id="inside text"),
        pytest.param(["number=" + "9" * 5000], "too many digits, 5,000", id="digits"),
        pytest.param(
            ["share=1e999"], "--arg share=1e999: this is not read: the number 1e999 is too large", id="infinite"
        ),
        pytest.param(['more={"a": 1, "a": 2}'], "the key 'a' is there twice", id="key twice"),
        pytest.param(["names=" + "[" * 100_000], "this is not read: it is nested too", id="deep value"),
        pytest.param(["free" + ".a" * 5000 + "=1"], "it is nested too deeply", id="deep name"),
        pytest.param(["x" * 5000], "expected NAME=VALUE", id="long argument"),
        pytest.param(["x" * 5000 + "=1"], "there is no such field", id="long field"),
        pytest.param(["sure=" + "x" * 5000], "expected bool", id="long value"),
        pytest.param(["text." + "x" * 5000 + "=1"], "has no fields", id="long name inside text"),
        pytest.param(["more." + "x" * 5000 + "=1.5"], "expected int", id="long name of a value"),
        pytest.param(["more." + "x" * 5000 + "=1"] * 2, "it is given twice", id="long name twice"),
    ],
)
def test_argument_that_does_not_fit_gets_a_short_sentence(arguments, sentence):
    with pytest.raises(UsageError) as raised:
        read_arguments(GIVEN, arguments)
    assert sentence in str(raised.value)
    assert len(str(raised.value)) < 300
