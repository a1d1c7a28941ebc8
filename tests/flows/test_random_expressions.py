"""An expression that checks clean has a value of its type, whatever the scope.

Expressions are made at random, most of them with tempting mistakes; those that check clean are evaluated with
values made from the declared types. A failing seed is in the message. Whatever checks stays within its limits.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

import pytest
from flows.made_expressions import ROOT, Maker

from connector.flows import types
from connector.flows.document import Scalar, Source
from connector.flows.expressions import syntax, tree
from connector.flows.expressions.functions import FUNCTIONS, EvaluationError
from connector.flows.expressions.narrowing import Known
from connector.flows.expressions.values import MAX_RESULT
from connector.flows.problems import Report
from connector.flows.slots import Expression, Slots
from connector.flows.types import ANY, TIME, ListOf, Object, Type, Union

TESTS = Path(__file__).parents[1]
SECONDS_OF_ONE = 0.2  # of the processor, with reading and checking; 0.04 where it was measured
MakeValue = Callable[[Type, Random], Any]

# Reasons that lie in a value, not in its type.
ALLOWED = ("has no value", "is longer than", "no time of the calendar")


KNOWN = Known({"r": ROOT, "run": types.record("run", {"started_at": TIME})})


def is_of(value: Any, kind: Type) -> bool:
    """Whether the JSON value is one of the type: exactly, so that true is no int."""
    if isinstance(kind, Union):
        return any(is_of(value, member) for member in kind.members)
    if isinstance(kind, ListOf):
        return type(value) is list and all(is_of(item, kind.item) for item in value)
    if isinstance(kind, Object):
        if type(value) is not dict or not kind.required <= value.keys():
            return False
        return all(is_of(item, kind.fields.get(name, kind.extra or types.NEVER)) for name, item in value.items())
    if kind.words is not None:
        return any(type(word) is type(value) and word == value for word in kind.words)
    if kind == TIME:
        return type(value) is str and types.is_time(value)
    kinds = {"null": (type(None),), "bool": (bool,), "int": (int,), "number": (int, float), "str": (str,)}
    return kind == ANY or type(value) in kinds[kind.kind]


def assert_rendered_reads_as_the_same(expression: Expression) -> None:
    """What is rendered from a tree has the same tree, but for places."""
    again = syntax.parse(tree.render(expression.tree))
    assert without_places(again) == without_places(expression.tree), expression.text


def without_places(node: tree.Node) -> Any:
    own = {field.name: getattr(node, field.name) for field in fields(node)}
    bare = {name: value for name, value in own.items() if type(value) in (bool, float, str) or name == "value"}
    variable = node.variable.name if isinstance(node, tree.Macro) else None
    return type(node), bare, variable, [without_places(child) for child in tree.children(node)]


def try_expression(seed: int, make_value: MakeValue) -> str | None:
    """The expression of this seed where it checks clean; then it was evaluated with several scopes."""
    random = Random(seed)  # noqa: S311 - a failing seed must fail again
    text = Maker(random).make("any", 3)
    report, source = Report("f"), Source(text)
    expression = Slots(source, report).expression(Scalar(text, text, None, 0, len(text)), KNOWN, ANY)
    assert (expression is None) == bool(report.problems())
    if expression is None:
        return None
    assert_rendered_reads_as_the_same(expression)
    for _ in range(5):
        scope = {"r": make_value(ROOT, random), "run": {"started_at": "2026-03-25T10:30:00Z"}}
        try:
            value = expression.evaluate(scope)
        except EvaluationError as error:
            if not any(reason in str(error) for reason in ALLOWED):
                raise AssertionError(f"seed {seed}: {text} with {scope}: {error}") from error
        else:
            assert is_of(value, expression.type), f"seed {seed}: {text} is {value!r}, not {expression.type}"
            json.dumps(value)
    return text


def test_random_expressions_that_check_have_values_of_their_types(make_value: MakeValue) -> None:
    checked = [text for seed in range(3_000) if (text := try_expression(seed, make_value))]
    assert len(checked) > 1_000
    assert {*FUNCTIONS, *tree.MACROS} <= set(re.findall(r"(\w+)\(", " ".join(checked)))


@pytest.mark.torture
@pytest.mark.parametrize("hundred_thousand", [1, 2, 3])
def test_many_random_expressions_that_check_have_values_of_their_types(
    hundred_thousand: int, make_value: MakeValue
) -> None:
    seeds = range(100_000 * hundred_thousand, 100_000 * (hundred_thousand + 1))
    assert sum(try_expression(seed, make_value) is not None for seed in seeds) > 30_000


def assert_limited(first: int, count: int) -> None:
    """Let a process with limits of memory and time evaluate the expressions of these seeds."""
    command = [sys.executable, "-m", "flows.evaluate_many", str(first), str(count)]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=1_000, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    assert found["code"] == []
    assert found["longest"] <= MAX_RESULT
    assert found["seconds"] < SECONDS_OF_ONE, found["slowest"]
    assert found["evaluated"] > count / 2


def test_expression_of_hostile_values_keeps_to_its_limits() -> None:
    assert_limited(0, 1_000)


@pytest.mark.torture
@pytest.mark.parametrize("quarter", [1, 2, 3, 4])
def test_hundred_thousand_expressions_of_hostile_values_keep_to_their_limits(quarter: int) -> None:
    assert_limited(25_000 * quarter, 25_000)
