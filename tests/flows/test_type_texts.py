"""Types as people write them in flows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.flows import types
from connector.flows.type_texts import MAX_CHARACTERS, TypeTextProblem, parse
from connector.flows.types import ANY, BOOL, DURATION, INT, NULL, NUMBER, STR, TIME, ListOf, Object, Type, literal


def map_of(kind: Type) -> Type:
    return Object("map", {}, extra=kind)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("str", STR),
        ("  int ", INT),
        ("number", NUMBER),
        ("bool", BOOL),
        ("time", TIME),
        ("duration", DURATION),
        ("any", ANY),
        ("null", NULL),
        ("str | null", types.union([STR, NULL])),
        ("null|str", types.union([STR, NULL])),
        ("list[str]", ListOf(STR)),
        ("map [ int ]", map_of(INT)),
        ("list[map[list[time] | null]]", ListOf(map_of(types.union([ListOf(TIME), NULL])))),
        ("'gold' | 'silver'", types.union(map(literal, ("gold", "silver")))),
        ('"it\'s"', literal("it's")),
        (r"'it\'s \\ \x41\u00e9\U0001f600\n'", literal("it's \\ A\u00e9\U0001f600\n")),
        ("'a|b]'", literal("a|b]")),
        ("1 | -2.5 | true", types.union(map(literal, (1, -2.5, True)))),
        ("'a' | str", STR),
        ("str | any", ANY),
    ],
)
def test_text_is_read_as_type(text: str, expected: Type) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "marked", "message", "hint"),
    [
        ("", "", "there is no type here", "write one, such as str"),
        ("string", "string", "there is no type 'string'", "did you mean 'str'?"),
        ("Integer", "Integer", "there is no type 'Integer'", "did you mean 'int'?"),
        ("list[text]", "text", "there is no type 'text'", "did you mean 'str'?"),
        ("boolean | null", "boolean", "there is no type 'boolean'", "did you mean 'bool'?"),
        ("str | float", "float", "there is no type 'float'", "did you mean 'number'?"),
        ("datetime", "datetime", "there is no type 'datetime'", "did you mean 'time'?"),
        ("object", "object", "there is no type 'object'", "did you mean 'map'?"),
        ("array", "array", "there is no type 'array'", "did you mean 'list'?"),
        ("str | None", "None", "there is no type 'None'", "did you mean 'null'?"),
        ("numbr", "numbr", "there is no type 'numbr'", "did you mean 'number'?"),
        ("Str", "Str", "there is no type 'Str'", "did you mean 'str'?"),
        ("gold | silver", "gold", "there is no type 'gold'", "for a word write it in quotes: 'gold'"),
        ("optional[str]", "optional", "there is no type 'optional'", "write T | null"),
        ("list", "list", "list needs the type of its items", "write list[str] or list[any]"),
        ("map | null", "map", "map needs the type of its values", "write map[str]"),
        ("list(str)", "list", "list needs the type of its items", "in square brackets: list[str]"),
        ("list[]", "]", "list needs the type of its items", "write list[str]"),
        ("list[str", "[", "this [ is never closed", "add ]"),
        ("str]", "]", "this ] was never opened", "remove it"),
        ("str[]", "[", "str takes no brackets", "write list[str]"),
        ("[str]", "[", "expected a type before [", "write list[str]"),
        ("{str}", "{", "expected a type, not {", "write map[str]"),
        ("map[str, int]", ",", "map has one type, that of its values", "write map[int]; its keys are texts"),
        ("list[str, int]", ",", "expected | between two types, not ,", "write | for 'or'"),
        ("str?", "?", "? is no part of a type", "write str | null"),
        ("str or null", "or", "expected | between two types, not or", "write | for 'or'"),
        ("str null", "null", "expected | or the end of the type", "write str | …"),
        ("str |", "", "expected a type after |", "expected str, int"),
        ("| str", "|", "expected a type", "expected str, int"),
        ("'gold", "'", "this quote is never closed", "add ' after the word"),
        (r"'\q'", r"'\q'", "this word has an unknown escape", r"write \\ for"),
        (r"'\Uffffffff'", r"'\Uffffffff'", "this word has an unknown escape", r"write \\ for"),
        ("007", "007", "'007' is no number of JSON", ""),
        ("1e999", "1e999", "this number is too large", ""),
        ("list[" * 11 + "str" + "]" * 11, "list", "types stand in each other more than 10 times", "write any inside"),
        ("x" * (MAX_CHARACTERS + 1), "x" * (MAX_CHARACTERS + 1), "the type has 1001 characters", "write any"),
    ],
)
def test_text_that_is_no_type_says_what_was_meant(text: str, marked: str, message: str, hint: str) -> None:
    with pytest.raises(TypeTextProblem) as caught:
        parse(text)
    problem = caught.value
    assert text[problem.start : problem.end] == marked
    assert problem.end > problem.start
    assert problem.message.startswith(message)
    assert hint in (problem.hint or "")


WORDS = st.one_of(
    st.text(max_size=8), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
).map(literal)
SIMPLE = st.sampled_from([STR, INT, NUMBER, BOOL, TIME, DURATION, NULL, ANY])
TYPES = st.recursive(
    SIMPLE | WORDS,
    lambda inner: st.one_of(
        inner.map(ListOf), inner.map(map_of), st.lists(inner, min_size=2, max_size=4).map(types.union)
    ),
    max_leaves=6,
)


@given(TYPES)
def test_type_is_read_as_it_is_written(kind: Type) -> None:
    assert parse(str(kind)) == kind


def parsed(text: str) -> Type | TypeTextProblem:
    try:
        return parse(text)
    except TypeTextProblem as problem:
        return problem


@given(st.text(alphabet="strinulmapli[]|'\" \\x,?0", max_size=20))
def test_any_text_is_a_type_or_has_a_placed_problem(text: str) -> None:
    found = parsed(text)
    if isinstance(found, TypeTextProblem):
        assert 0 <= found.start < found.end <= len(text) + 1
    else:
        assert parse(str(found)) == found
