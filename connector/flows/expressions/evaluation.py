"""Turns the tree of an expression into a closure over plain JSON.

A field is a dict lookup, never an attribute; nothing is converted; nothing is evaluated twice.
"""

from collections.abc import Collection
from typing import Any

from connector.flows import types
from connector.flows.expressions import tree
from connector.flows.expressions.functions import FUNCTIONS, MAX_RESULT, EvaluationError, as_time, shown
from connector.flows.expressions.operators import binary, truth, unary
from connector.flows.expressions.tree import Node
from connector.flows.expressions.work import PER_VALUE, Evaluate, Scope, metered, spend
from connector.flows.types import Type

__all__ = ["Evaluate", "Scope", "closure", "held_to", "metered"]


def closure(node: Node, time_comparisons: Collection[int] = ()) -> Evaluate:
    """The function from a scope to the value of `node`. It raises EvaluationError and nothing else.

    `time_comparisons` are the places of the operators whose texts are times, which do not order as texts do.
    """

    def make(part: Node) -> Evaluate:
        return closure(part, time_comparisons)

    match node:
        case tree.Literal(value):
            return lambda _scope: value
        case tree.ListLiteral(items):
            return _list([make(item) for item in items])
        case tree.Name(name):
            return _name(name)
        case tree.Field(target, name, optional):
            return _field(make(target), name, optional=optional)
        case tree.Index(target, index):
            return _index(make(target), make(index))
        case tree.Unary(sign, operand):
            return unary(sign, make(operand))
        case tree.Binary(sign, left, right, at):
            sides = [_time(make(side)) if at in time_comparisons else make(side) for side in (left, right)]
            return binary(sign, *sides)
        case tree.Conditional(condition, then, otherwise):
            return _conditional(make(condition), make(then), make(otherwise))
        case tree.Call(name, arguments):
            return _call(name, [make(argument) for argument in arguments])


def held_to(evaluate: Evaluate, wanted: Type, text: str) -> Evaluate:
    """`evaluate` where the checker knows only `any`: another value than `wanted` is an EvaluationError."""
    kinds = _python_types(wanted)

    def checked(scope: Scope) -> Any:
        if type(value := evaluate(scope)) not in kinds:
            raise EvaluationError(f"{text} is {shown(value)}, but {wanted} is expected")
        return value

    return checked


def _python_types(kind: Type) -> frozenset[type]:
    found: set[type] = set()
    for part in types.parts(kind):
        if isinstance(part, types.Simple):
            found |= _OF_KIND[part.kind]
        else:
            found.add(list if isinstance(part, types.ListOf) else dict)
    return frozenset(found)


_OF_KIND: dict[str, frozenset[type]] = {
    "any": frozenset({type(None), bool, int, float, str, list, dict}),
    "null": frozenset({type(None)}),
    "bool": frozenset({bool}),
    "int": frozenset({int}),
    "number": frozenset({int, float}),
    "str": frozenset({str}),
}


def _list(items: list[Evaluate]) -> Evaluate:
    def evaluate(scope: Scope) -> list[Any]:
        values = [item(scope) for item in items]
        if _size(scope, values) > MAX_RESULT:
            raise EvaluationError(f"the list is longer than {MAX_RESULT} characters")
        return values

    return evaluate


def _size(scope: Scope, value: Any) -> int:
    """About the number of characters of `value` as JSON; no more exact beyond the limit."""
    total, pending = 0, [value]
    while pending and total <= MAX_RESULT:
        value = pending.pop()
        spend(scope, PER_VALUE)
        total += len(value) if isinstance(value, str) else 4
        if isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            pending += value
    return total


def _name(name: str) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        try:
            return scope[name]
        except KeyError:
            raise EvaluationError(f"there is no {name!r}") from None

    return evaluate


def _field(target: Evaluate, name: str, *, optional: bool) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        value = target(scope)
        if type(value) is dict:
            return value.get(name)
        if value is None and optional:
            return None
        raise EvaluationError(f"{shown(value)} has no field {name!r}")

    return evaluate


def _index(target: Evaluate, index: Evaluate) -> Evaluate:
    """Null where there is no such element."""

    def evaluate(scope: Scope) -> Any:
        value, key = target(scope), index(scope)
        if type(value) is dict and type(key) is str:
            return value.get(key)
        if type(value) is list and type(key) is int:
            return value[key] if 0 <= key < len(value) else None
        raise EvaluationError(f"{shown(value)} has no element {shown(key)}")

    return evaluate


def _conditional(condition: Evaluate, then: Evaluate, otherwise: Evaluate) -> Evaluate:
    return lambda scope: then(scope) if truth(condition(scope)) else otherwise(scope)


def _time(operand: Evaluate) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        value = operand(scope)
        return None if value is None else as_time(value)

    return evaluate


def _call(name: str, arguments: list[Evaluate]) -> Evaluate:
    function = FUNCTIONS[name]
    call = function.call
    checked = list(zip(arguments, map(_python_types, function.parameters), strict=True))

    def evaluate(scope: Scope) -> Any:
        values = []
        for argument, kinds in checked:
            if type(value := argument(scope)) not in kinds:
                raise EvaluationError(f"{name} cannot be applied to {shown(value)}")
            values.append(value)
            if type(value) is str:
                spend(scope, len(value))
        result = call(*values)
        if type(result) is str:
            spend(scope, len(result))
            if len(result) > MAX_RESULT:
                raise EvaluationError(f"the result of {name} is longer than {MAX_RESULT} characters")
        return result

    return evaluate
