"""Turns the tree of an expression into a closure over plain JSON.

A field is a dict lookup, never an attribute; nothing is converted; nothing is evaluated twice.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from connector.flows import types
from connector.flows.expressions import tree
from connector.flows.expressions.functions import FUNCTIONS, Function
from connector.flows.expressions.macros import macro
from connector.flows.expressions.operators import binary, compared_with, truth, unary
from connector.flows.expressions.tree import Node
from connector.flows.expressions.values import MAX_RESULT, EvaluationError, as_time, shown, too_long
from connector.flows.expressions.work import PER_PART, PER_VALUE, Evaluate, Scope, measured, metered, spend
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
        case tree.Name() | tree.Field() | tree.Index():
            return _read(node, make)
        case tree.Unary(sign, operand):
            return unary(sign, make(operand))
        case tree.Binary():
            return _binary(node, make, is_of_times=node.at in time_comparisons)
        case tree.Conditional(condition, then, otherwise):
            return _conditional(make(condition), make(then), make(otherwise))
        case tree.Call("default", (value, other)):
            return binary("??", make(value), make(other))
        case tree.Call(name, arguments):
            return _call(name, FUNCTIONS[name], [make(argument) for argument in arguments])
        case tree.Macro(name, items, variable, body):
            return macro(name, make(items), variable.name, make(body), PER_VALUE + _cost(body))


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


def _cost(node: Node) -> int:
    """The work of one evaluation of `node`, without that of reading values, in characters."""
    if isinstance(node, tree.Macro):
        return PER_PART + _cost(node.items)  # what it does with each item it counts itself
    own = FUNCTIONS[node.name].cost if isinstance(node, tree.Call) else PER_PART
    return own + sum(map(_cost, tree.children(node)))


def _list(items: list[Evaluate]) -> Evaluate:
    def evaluate(scope: Scope) -> list[Any]:
        values = [item(scope) for item in items]
        if measured(partial(spend, scope), values) > MAX_RESULT:
            raise too_long("the list")
        return values

    return evaluate


def _read(node: tree.Name | tree.Field | tree.Index, make: Callable[[Node], Evaluate]) -> Evaluate:
    match node:
        case tree.Name(name):
            return _name(name)
        case tree.Field(tree.Name(owner), name, False):
            return _field_of_name(owner, name)
        case tree.Field(target, name, optional):
            return _field(make(target), name, optional=optional)
        case tree.Index(target, index):
            return _index(make(target), make(index))


def _name(name: str) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        try:
            return scope[name]
        except KeyError:
            raise EvaluationError(f"there is no {name!r}") from None

    return evaluate


def _field_of_name(owner: str, name: str) -> Evaluate:
    """`owner.name`, the most frequent of all: in one step."""
    evaluate_owner = _name(owner)

    def evaluate(scope: Scope) -> Any:
        if type(value := scope.get(owner)) is dict:
            return value.get(name)
        raise EvaluationError(f"{shown(evaluate_owner(scope))} has no field {name!r}")

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


def _binary(node: tree.Binary, make: Callable[[Node], Evaluate], *, is_of_times: bool) -> Evaluate:
    sides = (node.left, node.right)
    if is_of_times:
        return binary(node.operator, *(_time(make(side)) for side in sides))
    for side, other in (sides, sides[::-1]):
        if isinstance(other, tree.Literal) and node.operator in ("==", "!="):
            return compared_with(make(side), other.value, equal=node.operator == "==")
    return binary(node.operator, make(node.left), make(node.right))


def _conditional(condition: Evaluate, then: Evaluate, otherwise: Evaluate) -> Evaluate:
    return lambda scope: then(scope) if truth(condition(scope)) else otherwise(scope)


def _time(operand: Evaluate) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        value = operand(scope)
        return None if value is None else as_time(value)

    return evaluate


def _call(name: str, function: Function, arguments: list[Evaluate]) -> Evaluate:
    kinds = [_python_types(kind) for kind in function.parameters[: len(arguments)]]
    if function.reads:
        arguments = [*arguments, _field(_name(function.reads[0]), function.reads[1], optional=False)]
        kinds.append(frozenset({str}))
    call, counts = function.call, function.counts
    checked = list(zip(arguments, kinds, strict=True))

    def evaluate(scope: Scope) -> Any:
        values = []
        for argument, allowed in checked:
            if type(value := argument(scope)) not in allowed:
                raise EvaluationError(f"{name} cannot be applied to {shown(value)}")
            values.append(value)
            if type(value) is str:
                spend(scope, len(value))
        result = call(partial(spend, scope), *values) if counts else call(*values)
        if type(result) is str:
            spend(scope, len(result))
            if len(result) > MAX_RESULT:
                raise too_long(f"the result of {name}")
        return result

    return evaluate
