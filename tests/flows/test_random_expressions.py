"""An expression that checks clean has a value of its type, whatever the scope (L3).

Expressions are made at random, most of them with tempting mistakes; those that check clean are evaluated with
values made from the declared types. A failing seed is in the message.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

import pytest

from connector.flows import types
from connector.flows.document import Scalar, Source
from connector.flows.expressions.functions import EvaluationError
from connector.flows.expressions.narrowing import Known
from connector.flows.problems import Report
from connector.flows.slots import Slots
from connector.flows.types import ANY, BOOL, INT, NULL, NUMBER, STR, TIME, ListOf, Object, Simple, Type, Union

MakeValue = Callable[[Type, Random], Any]

# Reasons that lie in a value, not in its type.
ALLOWED = ("has no value", "is longer than", "needs a text to look for", "no time of the calendar")


def nullable(kind: Type) -> Type:
    return types.union([kind, NULL])


WORDS = Simple("str", words=("new", "old", "won"))
ITEM = Object("Item", {"name": STR, "qty": INT, "tag": nullable(STR), "maybe": STR}, frozenset({"name", "qty", "tag"}))
CARD = types.record("Card", {"k": Simple("str", words=("a",)), "x": INT, "both": STR})
BANK = types.record("Bank", {"k": Simple("str", words=("b",)), "y": nullable(STR), "both": nullable(INT)})
ROOT = types.record(
    "Root",
    {
        "s": STR,
        "sn": nullable(STR),
        "i": INT,
        "inn": nullable(INT),
        "n": NUMBER,
        "b": BOOL,
        "bn": nullable(BOOL),
        "yes": Simple("bool", words=(True,)),
        "one": Simple("int", words=(1, 2)),
        "t": TIME,
        "tn": nullable(TIME),
        "e": WORDS,
        "en": nullable(WORDS),
        "ls": ListOf(STR),
        "lsn": nullable(ListOf(nullable(STR))),
        "o": ITEM,
        "on": nullable(ITEM),
        "lo": ListOf(ITEM),
        "m": Object("map", {}, extra=INT),
        "mn": nullable(Object("map", {}, extra=nullable(STR))),
        "u": types.union([CARD, BANK]),
        "un": types.union([CARD, BANK, NULL]),
        "si": types.union([STR, INT]),
    },
)


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


class Maker:
    """Makes expressions that are likely to be of a wanted kind."""

    LEAVES: Mapping[str, tuple[str, ...]] = {
        "bool": ("r.b", "r.bn == true", "(r.bn ?? false)", "true", "r.yes", "r.bn"),
        "str": ("r.s", "(r.sn ?? '')", "'new'", "r.e", "r.sn", "(r.ls[0] ?? 'x')", "''"),
        "num": ("r.i", "r.n", "1", "(r.inn ?? 0)", "r.one", "0", "2.5", "r.inn"),
        "time": ("r.t", "'2026-03-25T10:30:00Z'", "(r.tn ?? r.t)", "add_duration(r.t, '15m')"),
        "list": ("r.ls", "(r.lsn ?? [])", "['a', r.s]", "[1, r.sn]", "r.lo", "[]"),
    }

    def __init__(self, random: Random) -> None:
        self.random = random

    def path(self) -> str:
        """Fields and items from the root, nullable ones with and without `?.`."""
        text, owner = "r", ROOT
        while True:
            name = self.random.choice([*owner.fields, "zz"])
            dot = self.random.choice((".", ".", "?."))
            text += f"['{name}']" if self.random.random() < 0.1 else f"{dot}{name}"
            kind = owner.fields.get(name, owner.extra or NULL)
            while lists := [part for part in types.parts(kind) if isinstance(part, ListOf)]:
                text, kind = f"{text}[{self.random.choice(('0', '1', 'r.i', 'size(r.ls) - 1'))}]", lists[0].item
            objects = [part for part in types.parts(kind) if isinstance(part, Object)]
            if not objects or self.random.random() < 0.3:
                return text
            owner = self.random.choice(objects)

    def make(self, kind: str, depth: int) -> str:
        if kind == "any":
            kind = self.random.choice(("bool", "str", "num", "time", "list", "path"))
        if kind == "path" or self.random.random() < 0.1:
            return self.path()
        if depth <= 0 or self.random.random() < 0.25:
            return self.random.choice(self.LEAVES[kind])
        return self.random.choice(list(getattr(self, f"_{kind}")(depth - 1, self.path())))

    def _bool(self, depth: int, path: str) -> Iterator[str]:
        left, right = self.make("bool", depth), self.make("bool", depth)
        test = self.random.choice(("!= null", "== null", "== 'new'", "== 1", "== true"))
        yield f"({left} && {right})"
        yield f"({left} || {right})"
        yield f"!{left}"
        yield f"({self.make('str', depth)} == {self.make('str', depth)})"
        yield f"({self.make('num', depth)} {self.random.choice(('<', '>=', '=='))} {self.make('num', depth)})"
        yield f"({self.make('time', depth)} {self.random.choice(('<', '>=', '=='))} {self.make('time', depth)})"
        yield f"({self.make('str', depth)} in {self.make('list', depth)})"
        yield f"({self.path()} == {self.path()})"
        for use in (f"{path}.lower() == 'x'", f"{path} > 0", f"size({path}) > 0", f"{path}.name == 'a'", path):
            yield f"({path} {test} && {use})"
            yield f"({path} {test} || {use})"
            yield f"(!({path} {test}) && {use})"

    def _str(self, depth: int, path: str) -> Iterator[str]:
        yield f"({self.make('str', depth)} + {self.make('str', depth)})"
        yield f"lower({self.make('str', depth)})"
        yield f"string({self.make('num', depth)})"
        yield f"replace({self.make('str', depth)}, 'a', {self.make('str', depth)})"
        yield f"first({self.make('list', depth)})"
        yield from self._choice("str", depth, path)

    def _num(self, depth: int, path: str) -> Iterator[str]:
        yield f"({self.make('num', depth)} {self.random.choice('+-*/%')} {self.make('num', depth)})"
        yield f"-{self.make('num', depth)}"
        yield f"size({self.make('list', depth)})"
        yield f"size({self.make('str', depth)})"
        yield from self._choice("num", depth, path)

    def _time(self, depth: int, path: str) -> Iterator[str]:
        yield f"add_duration({self.make('time', depth)}, '1d')"
        yield from self._choice("time", depth, path)

    def _list(self, depth: int, path: str) -> Iterator[str]:
        yield f"[{self.make('any', depth)}, {self.make('str', depth)}]"
        yield from self._choice("list", depth, path)

    def _choice(self, kind: str, depth: int, path: str) -> Iterator[str]:
        other = self.make(kind, depth)
        yield f"({path} ?? {other})"
        yield f"({self.make('bool', depth)} ? {self.make(kind, depth)} : {other})"
        yield f"({path} != null ? {path} : {other})"
        yield f"({path} == null ? {other} : {path})"


def try_expression(seed: int, make_value: MakeValue) -> bool:
    """Whether the expression of this seed checks clean; then it was evaluated with several scopes."""
    random = Random(seed)  # noqa: S311 - a failing seed must fail again
    text = Maker(random).make("any", 3)
    report, source = Report("f"), Source(text)
    expression = Slots(source, report).expression(Scalar(text, text, None, 0, len(text)), Known({"r": ROOT}), ANY)
    assert (expression is None) == bool(report.problems())
    if expression is None:
        return False
    for _ in range(5):
        scope = {"r": make_value(ROOT, random)}
        try:
            value = expression.evaluate(scope)
        except EvaluationError as error:
            if not any(reason in str(error) for reason in ALLOWED):
                raise AssertionError(f"seed {seed}: {text} with {scope}: {error}") from error
        else:
            assert is_of(value, expression.type), f"seed {seed}: {text} is {value!r}, not {expression.type}"
            json.dumps(value)
    return True


def test_random_expressions_that_check_have_values_of_their_types(make_value: MakeValue) -> None:
    assert sum(try_expression(seed, make_value) for seed in range(3_000)) > 1_000


@pytest.mark.torture
@pytest.mark.parametrize("hundred_thousand", [1, 2, 3])
def test_many_random_expressions_that_check_have_values_of_their_types(
    hundred_thousand: int, make_value: MakeValue
) -> None:
    seeds = range(100_000 * hundred_thousand, 100_000 * (hundred_thousand + 1))
    assert sum(try_expression(seed, make_value) for seed in seeds) > 30_000
