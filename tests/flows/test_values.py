"""JSON values against types."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from pydantic import BaseModel

from connector.flows import json_schema, types
from connector.flows.types import ANY, BOOL, DURATION, INT, NULL, NUMBER, STR, TIME, ListOf, Object, Type, literal
from connector.flows.values import read_text, refuse
from connector.validation import read

LINE = Object("Line", {"text": STR, "amount": NUMBER}, frozenset({"text"}))
LINES = types.record("Lines", {"lines": ListOf(LINE)})
WORDS = types.union(map(literal, ("gold", "silver")))
COUNTS = Object("map", {}, extra=INT)
CARD = types.record("Card", {"kind": literal("card"), "number": STR})
BANK = types.record("Bank", {"kind": literal("bank"), "iban": STR})
PAIR = types.list_of([INT, STR])
TREE = json_schema.read(
    {
        "$ref": "#/$defs/Tree",
        "$defs": {
            "Tree": {
                "type": "object",
                "title": "Tree",
                "properties": {
                    "left": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"$ref": "#/$defs/Leaf"}]},
                    "n": {"type": "integer"},
                },
            },
            "Leaf": {"type": "object", "title": "Leaf", "properties": {"left": {"$ref": "#/$defs/Tree"}}},
        },
    }
)


def nullable(kind: Type) -> Type:
    return types.union([kind, NULL])


@pytest.mark.parametrize(
    ("value", "kind", "sentence"),
    [
        (1, STR, "expected str, not 1"),
        ("x", nullable(INT), "expected int | null, not 'x'"),
        (True, INT, "expected int, not true"),
        (1.0, INT, "expected int, not 1.0"),
        (1, BOOL, "expected bool, not 1"),
        (None, STR, "expected str, not null"),
        (0, NULL, "expected null, not 0"),
        ("gild", WORDS, "expected 'gold' | 'silver', not 'gild'"),
        (1, literal(True), "expected true, not 1"),
        (1, literal(1.0), "expected 1.0, not 1"),
        ("soon", TIME, "expected time, not 'soon'"),
        ("5", DURATION, "expected duration, not '5'"),
        ({}, ListOf(STR), "expected list[str], not an object"),
        ([], LINE, "expected Line, not an empty list"),
        ([1, 2], COUNTS, "expected map[int], not a list of 2"),
        ([1, "a", 2], ListOf(INT), "[1] is 'a', but int is expected"),
        ([1], PAIR, "expected [int, str], not a list of 1"),
        ([1, 2], PAIR, "[1] is 2, but str is expected"),
        ({"a": "1"}, COUNTS, "a is '1', but int is expected"),
        ({"a b": "1"}, COUNTS, "['a b'] is '1', but int is expected"),
        (
            {"lines": [{"text": "x"}, {"text": "x"}, {"text": "x", "amount": "x"}]},
            LINES,
            "lines[2].amount is 'x', but number is expected",
        ),
        ({"lines": [{"amount": 1}]}, LINES, "lines[0] needs the field 'text' (str)"),
        (
            {"lines": [{"text": "x", "amuont": 1}]},
            LINES,
            "lines[0] (Line) has no field 'amuont'; did you mean 'amount'?",
        ),
        ({}, LINES, "Lines needs the field 'lines' (list[Line])"),
        ({"line": []}, LINES, "Lines has no field 'line'; did you mean 'lines'?"),
        ([{"text": 1}], nullable(ListOf(LINE)), "[0].text is 1, but str is expected"),
        (
            {"kind": "bank", "number": "1"},
            types.union([CARD, BANK]),
            "Bank has no field 'number'; expected iban or kind",
        ),
        ({"kind": "cash"}, types.union([CARD, BANK]), "expected Card | Bank, not an object"),
        ({"number": "1"}, types.union([CARD, BANK]), "expected Card | Bank, not an object"),
        ("x" * 100, INT, f"expected int, not '{'x' * 59}…"),
    ],
)
def test_value_of_another_type_is_refused_with_its_place(value: Any, kind: Type, sentence: str) -> None:
    assert refuse(value, kind) == sentence


def test_whole_value_has_the_name_that_it_is_given() -> None:
    assert refuse("x", INT, "limit") == "limit is 'x', but int is expected"
    assert refuse(["x"], ListOf(INT), "limits") == "limits[0] is 'x', but int is expected"
    assert refuse({"a": {}}, COUNTS, "counts") == "counts.a is an object, but int is expected"
    assert refuse({}, LINES, "order") == "order needs the field 'lines' (list[Line])"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, NUMBER),
        ("gold", WORDS),
        ("2026-03-25T10:30:00Z", nullable(TIME)),
        (None, nullable(TIME)),
        ([], ListOf(INT)),
        ([], types.list_of([])),
        ([1, "a"], PAIR),
        ({}, COUNTS),
        ({"kind": "bank", "iban": "x"}, types.union([CARD, BANK])),
        ({"deep": [{"x": None}]}, ANY),
        ({"left": {"left": {"n": 1}}}, TREE),
    ],
)
def test_value_of_the_type_is_taken(value: Any, kind: Type) -> None:
    assert refuse(value, kind) is None


def test_value_with_a_fault_far_inside_is_refused_soon() -> None:
    """With two alternatives at each of 80 levels, no path may be taken twice."""
    value: Any = {"n": "x"}
    for _ in range(80):
        value = {"left": value}
    assert refuse(value, TREE) is not None


def test_value_nested_without_end_is_refused() -> None:
    value: Any = []
    kind = json_schema.read({"$ref": "#/$defs/A", "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}})
    for _ in range(5_000):
        value = [value]
    assert "is nested too deeply, in more than 100 levels" in (refuse(value, kind) or "")


def test_values_of_models_are_taken_and_those_that_are_refused_are_not_read(
    models: dict[str, tuple[type[BaseModel], type[BaseModel]]], make_value: Callable[[Type, Random], Any]
) -> None:
    random, refused = Random(4), 0  # noqa: S311 - a failing seed must fail again
    inputs = {name: model for name, (model, _) in models.items()}
    kinds = {name: json_schema.read(model.model_json_schema()) for name, model in inputs.items()}
    for name, model in inputs.items():
        for other in kinds.values():
            value = make_value(other, random)
            if other is kinds[name]:
                assert refuse(value, other) is None
            elif refuse(value, kinds[name]) is not None:
                refused += 1
                with pytest.raises(ValueError, match=" "):
                    read(model, value)
    assert refused > 10


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("5", STR, "5"),
        ("null", nullable(STR), "null"),
        ("", STR, ""),
        ("5", types.union([INT, STR]), "5"),
        ('{"a": 1}', ANY, '{"a": 1}'),
        ("5", INT, 5),
        ("-0.5e1", NUMBER, -5.0),
        ("null", nullable(INT), None),
        ("true", BOOL, True),
        (' ["a"]', ListOf(STR), ["a"]),
        ('{"a": 1}', COUNTS, {"a": 1}),
        ("gold", WORDS, "gold"),
        ("null", nullable(WORDS), None),
        ("15m", DURATION, "15m"),
        ("2026-03-25T10:30:00Z", nullable(TIME), "2026-03-25T10:30:00Z"),
    ],
)
def test_text_is_read_by_the_type(text: str, kind: Type, value: Any) -> None:
    assert repr(read_text(text, kind)) == repr(value)


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("x", INT, "expected int, not 'x'"),
        ("", INT, "expected int, not ''"),
        ("05", INT, "expected int, not '05'"),
        ("1.0", INT, "expected int, not '1.0'"),
        ("True", BOOL, "expected bool, not 'True'"),
        ('"gold"', WORDS, "expected 'gold' | 'silver', not '\"gold\"'"),
        ("gild", WORDS, "expected 'gold' | 'silver', not 'gild'"),
        ("soon", TIME, "expected time, not 'soon'"),
        ("[1", ListOf(INT), "expected list[int], not '[1'"),
        ('["a"]', ListOf(INT), "[0] is 'a', but int is expected"),
        ("{}", ListOf(INT), "expected list[int], not an object"),
        ("1e999", NUMBER, "this is not read: the number 1e999 is too large"),
        ("NaN", NUMBER, "this is not read: NaN is no number of JSON"),
    ],
)
def test_text_that_the_type_does_not_take_is_refused(text: str, kind: Type, sentence: str) -> None:
    with pytest.raises(ValueError, match=" ") as caught:
        read_text(text, kind)
    assert str(caught.value) == sentence
