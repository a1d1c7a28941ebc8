import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hostile import TEXTS
from hypothesis import given
from hypothesis import strategies as st

from connector.flows import document, types
from connector.flows.expressions.functions import MAX_RESULT, EvaluationError
from connector.flows.expressions.narrowing import Known
from connector.flows.problems import Report
from connector.flows.slots import Slots, Template
from connector.flows.types import ANY, BOOL, INT, NUMBER, STR, ListOf

PERSON = types.record("Person", {"name": STR})
TRIGGER = types.record(
    "Trigger", {"s": STR, "i": INT, "n": NUMBER, "b": BOOL, "l": ListOf(STR), "p": PERSON, "any": ANY}
)
KNOWN = Known({"trigger": TRIGGER, "run": types.record("run", {"id": STR})})
SCOPE = {
    "trigger": {"s": "Ann", "i": 3, "n": 2.5, "b": True, "l": ["a"], "p": {"name": "Ann"}, "any": {"a": None}},
    "run": {"id": "r1"},
}


def read(text: str) -> tuple[Template, list[str]]:
    """The template of the value `text` of a YAML file, and its problems."""
    report = Report("f")
    source = document.decode(f"key: {text}\n", report)
    root = document.parse(source, report)
    assert root is not None
    template = Slots(source, report).template(root.entries["key"].value, KNOWN)
    return template, [f"{problem.column}: {problem.message}; {problem.hint}" for problem in report.problems()]


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("plain", "plain", "'plain'"),
        ("12", 12, "12"),
        ("true", True, "true"),
        ("", None, "null"),
        ("'12'", "12", "'12'"),
        ("${{ trigger.s }}", "Ann", "str"),
        ("${{trigger.i}}", 3, "int"),
        ('"${{ trigger.b }}"', True, "bool"),
        ("${{ trigger.l }}", ["a"], "list[str]"),
        ("${{ trigger.any }}", {"a": None}, "any"),
        ("${{ trigger.any.a }}", None, "any"),
        ("${{ '}}' }}", "}}", "'}}'"),
        ('" ${{ trigger.i }}"', " 3", "str"),
        ("${{ trigger.i }}${{ trigger.i }}", "33", "str"),
        ("${{ trigger.s }} is ${{ trigger.i }}", "Ann is 3", "str"),
        ("${{ trigger.n }}/${{ 1 / 4 }}/${{ trigger.b }}", "2.5/0.25/true", "str"),
        ("|\n  ${{ trigger.i }}\n", 3, "int"),
        (">-\n  ${{ trigger.i\n  + 1 }}\n", 4, "int"),
        ("|\n  ${{ trigger.i }} \n  x\n", "3 \nx\n", "str"),
        ("$ {{ x }} $${{ trigger.i }}", "$ {{ x }} $3", "str"),
        ("it's ${{ trigger.s }}'s", "it's Ann's", "str"),
        ("${{ trigger.i }} }}", "3 }}", "str"),
        ("[a, \"${{ trigger.i }}\", [null]]", ["a", 3, [None]], "list['a' | int | list[null]]"),
        ("[]", [], "list[nothing]"),
        ("{a: 1, b: \"${{ trigger.s }}!\"}", {"a": 1, "b": "Ann!"}, "object"),
        ("{}", {}, "object"),
    ],
)  # fmt: skip
def test_value_is_rendered_with_its_type(text: str, value: Any, shown: str) -> None:
    template, problems = read(text)
    assert problems == []
    assert str(template.type) == shown
    rendered = template.render(SCOPE)
    assert rendered == value
    assert type(rendered) is type(value)


@pytest.mark.parametrize("written", TEXTS, ids=ascii)
def test_what_a_visitor_wrote_stays_as_it_is(written: str) -> None:
    scope = {"trigger": {"s": written, "any": {"a": [written]}}}
    assert read("${{ trigger.s }}")[0].render(scope) == written
    assert read("<${{ trigger.s }}>")[0].render(scope) == f"<{written}>"
    assert read("${{ trigger.s }}${{ trigger.any.a[0] }}")[0].render(scope) == written + written
    assert read('{a: ["${{ trigger.any }}"]}')[0].render(scope) == {"a": [{"a": [written]}]}


@given(written=st.text(st.characters()))
def test_any_text_stays_as_it_is(written: str) -> None:
    assert read("a ${{ trigger.s + trigger.s }} b")[0].render({"trigger": {"s": written}}) == f"a {written}{written} b"


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_is_passed_on_as_it_is(value: Any) -> None:
    rendered = read("${{ trigger.any }}")[0].render({"trigger": {"any": value}})
    assert json.dumps(rendered) == json.dumps(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a ${{ trigger.l }}", "12: trigger.l is list[str], which has no form as text; pick a field of it"),
        ("a ${{ trigger.p }}", "12: trigger.p is Person, which has no form as text; pick a field of it"),
        ("${{ trigger.i", "6: this `${{` is never closed; add `}}` after the expression"),
        ("${{ trigger.i }", "6: this `${{` is never closed; add `}}` after the expression"),
        ("${{ trigger.i }} ${{", "23: this `${{` is never closed; add `}}` after the expression"),
        ("${{ }}", "9: there is no expression here; write one, such as trigger.agent_id"),
        ("${{ it's }}", "12: a text is not closed; add ' at its end"),
        ("{'${{ trigger.s }}': 1}", "8: a key is no place for an expression; write the key out"),
        ("trigger.s", "6: this is the text 'trigger.s', not its value; write ${{ trigger.s }}"),
        (
            "'trigger.s.lower()'",
            "7: this is the text 'trigger.s.lower()', not its value; write ${{ trigger.s.lower() }}",
        ),
        ("[trigger.s]", "7: this is the text 'trigger.s', not its value; write ${{ trigger.s }}"),
        ("'{{ trigger.s }}'", "7: '{{ trigger.s }}' is only text; write ${{ trigger.s }}"),
        ("a {{trigger.s}} ${{ run.id }}", "8: '{{trigger.s}}' is only text; write ${{ trigger.s }}"),
        ("${{ run.id }} ${trigger.s}", "20: '${trigger.s}' is only text; write ${{ trigger.s }}"),
        ("'a $trigger.s b'", "9: '$trigger.s' is only text; write ${{ trigger.s }}"),
        ("'{trigger.s}'", "7: '{trigger.s}' is only text; write ${{ trigger.s }}"),
    ],
)
def test_wrong_value_has_its_problem(text: str, problem: str) -> None:
    assert read(text)[1] == [problem]


@pytest.mark.parametrize(
    "text",
    [
        "trigger",
        "trigger.nothing",
        "run.log",
        "other.s",
        "See trigger.s",
        "{{ name }}",
        "'{{ customer.name }}'",
        "$5",
        "${HOME}",
        "${{ '{{ trigger.s }}' }}",
    ],
)
def test_text_that_only_looks_like_an_expression_is_text(text: str) -> None:
    assert read(f'"{text}"')[1] == []


@pytest.mark.parametrize(
    ("text", "scope", "message"),
    [
        ("a ${{ trigger.any }}", {"any": None}, "trigger.any is null inside a text"),
        ("a ${{ trigger.any }}", {"any": {}}, "trigger.any is not a text inside a text"),
        ("${{ trigger.any.a }}", {"any": "x"}, "'x' has no field 'a'"),
        ("a${{ trigger.s }}", {"s": "a" * MAX_RESULT}, "the text is longer than 1000000 characters"),
        (f"'{'${{ trigger.s }}' * 200}'", {"s": "a" * MAX_RESULT}, "the text is longer than 1000000 characters"),
    ],
)  # fmt: skip
def test_value_that_cannot_be_rendered_raises_evaluation_error(text: str, scope: Any, message: str) -> None:
    with pytest.raises(EvaluationError) as raised:
        read(text)[0].render({"trigger": scope})
    assert str(raised.value) == message


def test_rendered_value_is_new_each_time() -> None:
    template, _ = read("{a: [1]}")
    template.render(SCOPE)["a"].append(2)
    assert template.render(SCOPE) == {"a": [1]}


@pytest.mark.parametrize(("holes", "problems"), [(200, 0), (201, 1)])
def test_text_has_at_most_200_expressions(holes: int, problems: int) -> None:
    assert len(read(f"'{'${{ run.id }} ' * holes}'")[1]) == problems


def expression(text: str, wanted: types.Type = BOOL) -> Callable[[Any], Any] | list[str]:
    """What evaluates the bare expression `text`, or its problems."""
    report = Report("f")
    source = document.decode(f"key: {text}\n", report)
    root = document.parse(source, report)
    assert root is not None
    found = Slots(source, report).expression(root.entries["key"].value, KNOWN, wanted)
    return found.evaluate if found else [f"{p.column}: {p.message}; {p.hint}" for p in report.problems()]


@pytest.mark.parametrize("text", ["trigger.i > 2", "'trigger.i > 2'", ">-\n  trigger.i\n  > 2", "true"])
def test_bare_expression_is_computed(text: str) -> None:
    evaluate = expression(text)
    assert callable(evaluate)
    assert evaluate(SCOPE) is True


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "5: there is no expression here; write one, such as trigger.agent_id"),
        ("[trigger.b]", "6: expected an expression; put it in quotes; it is a text, such as trigger.agent_id"),
        ("{a: 1}", "6: expected an expression; put it in quotes; it is a text, such as trigger.agent_id"),
        ("${{ trigger.b }}", "6: an expression stands here by itself, without `${{ }}`; write it bare: trigger.b"),
        ("1 < ${{ run.id }}", "10: an expression stands here by itself, without `${{ }}`; write it bare: 1 < run.id"),
        ("${{ trigger.b", "6: an expression stands here by itself, without `${{ }}`; write it bare: trigger.b"),
        ("trigger.s", "6: trigger.s is str, but bool is expected; write trigger.s != ''"),
    ],
)  # fmt: skip
def test_wrong_bare_expression_has_its_problem(text: str, problem: str) -> None:
    assert expression(text) == [problem]


def test_expression_that_starts_with_a_quote_is_read_from_quotes() -> None:
    written = yaml.safe_dump({"key": "'a' in trigger.l"}).removeprefix("key: ").strip()
    evaluate = expression(written)
    assert callable(evaluate)
    assert evaluate(SCOPE) is True
