"""Samples of types, and what may be left out."""

import pytest

from connector.flows import type_texts, types
from connector.flows.formats import has_format
from connector.flows.samples import _TEXTS, sample, with_nulls
from connector.flows.types import INT, NULL, STR, Defined, ListOf, Object
from connector.flows.values import refuse
from connector.registry import operation_of

TREE = Defined("Tree", ("tree",), lambda: Object("Tree", {"name": STR, "inner": ListOf(TREE), "up": MAYBE}))
MAYBE = types.union([TREE, NULL])


def test_sample_of_each_output_is_of_its_type(built_in):
    outputs = [*built_in.triggers.values(), *built_in.actions.values()]
    for one in outputs:
        kind = operation_of(one).output
        assert refuse(sample(kind), kind) is None, one.name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("str | null", "sample x"),
        ("null", None),
        ("int", 1),
        ("number", 1.5),
        ("bool", True),
        ("'b' | 'a'", "b"),
        ("list[time]", ["2026-03-25T12:00:00Z"]),
        ("any", "sample x"),
    ],
)
def test_sample_is_the_same_each_time(text, value):
    assert sample(type_texts.parse(text), "x") == value


def test_text_of_a_field_has_its_name():
    assert sample(types.record("r", {"a": STR, "b": types.record("s", {"c": STR})}), "x") == {
        "a": "sample a",
        "b": {"c": "sample c"},
    }


@pytest.mark.parametrize("name", sorted(_TEXTS))
def test_sample_of_a_format_has_it(name):
    assert has_format(sample(types.Simple("str", name)), name)


@pytest.mark.parametrize("kind", [TREE, MAYBE], ids=["list", "null"])
def test_sample_of_a_type_that_contains_itself_ends(kind):
    assert refuse(sample(kind), kind) is None


ROW = types.record("row", {"id": STR, "note": types.union([STR, NULL])})


@pytest.mark.parametrize(
    ("value", "kind", "filled"),
    [
        ({"id": "a"}, ROW, {"id": "a", "note": None}),
        ({"id": "a", "note": "b"}, types.union([ROW, NULL]), {"id": "a", "note": "b"}),
        ([{"id": "a"}], ListOf(ROW), [{"id": "a", "note": None}]),
        ({"row": {}}, types.record("r", {"row": ROW}), {"row": {"note": None}}),
        ({"id": "a"}, types.union([ROW, INT, types.record("other", {})]), {"id": "a"}),
        (7, ROW, 7),
        (None, types.union([ROW, NULL]), None),
    ],
)
def test_field_that_may_be_null_need_not_be_given(value, kind, filled):
    assert with_nulls(value, kind) == filled
