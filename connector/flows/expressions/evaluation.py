"""Turns the tree of an expression into a closure over plain JSON.

A field is a dict lookup, never an attribute; nothing is converted; nothing is evaluated twice.
"""

import math
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from connector.flows.expressions import tree
from connector.flows.expressions.functions import FUNCTIONS, MAX_RESULT, EvaluationError, as_time
from connector.flows.expressions.tree import Node

Scope = Mapping[str, Any]
Evaluate = Callable[[Scope], Any]

_LARGEST_INT = 2**63


def closure(node: Node, time_comparisons: Collection[Node] = ()) -> Evaluate:  # noqa: C901 - one case for each kind
    """The function from a scope to the value of `node`. It raises EvaluationError and nothing else."""

    def make(node: Node) -> Evaluate:
        match node:
            case tree.Literal(value):
                return lambda _scope: value
            case tree.ListLiteral(items):
                evaluators = [make(item) for item in items]
                return lambda scope: [evaluate(scope) for evaluate in evaluators]
            case tree.Name(name):
                return _name(name)
            case tree.Field(target, name, optional):
                return _field(make(target), name, optional=optional)
            case tree.Index(target, index):
                return _index(make(target), make(index))
            case tree.Unary("!", operand):
                return _not(make(operand))
            case tree.Unary(_, operand):
                return _arithmetic("-", lambda _scope: 0, make(operand))
            case tree.Binary(sign, left, right):
                if node in time_comparisons:
                    return _compare(sign, _time(make(left)), _time(make(right)))
                return _binary(sign, make(left), make(right))
            case tree.Conditional(condition, then, otherwise):
                return _conditional(make(condition), make(then), make(otherwise))
            case tree.Call(name, arguments):
                return _call(name, [make(argument) for argument in arguments])

    return make(node)


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
        raise EvaluationError(f"{_shown(value)} has no field {name!r}")

    return evaluate


def _index(target: Evaluate, index: Evaluate) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        value, key = target(scope), index(scope)
        if type(value) is dict and type(key) is str:
            return value.get(key)
        if type(value) is list and type(key) is int:
            return value[key] if -len(value) <= key < len(value) else None
        raise EvaluationError(f"{_shown(value)} has no element {_shown(key)}")

    return evaluate


def _not(operand: Evaluate) -> Evaluate:
    def evaluate(scope: Scope) -> bool:
        return not _bool(operand(scope))

    return evaluate


def _conditional(condition: Evaluate, then: Evaluate, otherwise: Evaluate) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        return then(scope) if _bool(condition(scope)) else otherwise(scope)

    return evaluate


def _time(operand: Evaluate) -> Evaluate:
    def evaluate(scope: Scope) -> Any:
        value = operand(scope)
        return as_time(value) if type(value) is str else value

    return evaluate


def _binary(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    lazy: dict[str, Evaluate] = {
        "&&": lambda scope: _bool(left(scope)) and _bool(right(scope)),
        "||": lambda scope: _bool(left(scope)) or _bool(right(scope)),
        "??": lambda scope: right(scope) if (value := left(scope)) is None else value,
        "==": lambda scope: equal(left(scope), right(scope)),
        "!=": lambda scope: not equal(left(scope), right(scope)),
        "in": lambda scope: _contains(right(scope), left(scope)),
    }
    if sign in lazy:
        return lazy[sign]
    return _compare(sign, left, right) if sign in _ORDER else _arithmetic(sign, left, right)


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compare(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    compare = _ORDER[sign]

    def evaluate(scope: Scope) -> bool:
        a, b = left(scope), right(scope)
        if type(a) is type(b) and type(a) not in (bool, list, dict, type(None)):
            return compare(a, b)
        if _is_number(a) and _is_number(b):
            return compare(a, b)
        raise EvaluationError(f"{_shown(a)} and {_shown(b)} have no order")

    return evaluate


def _arithmetic(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    compute = _ARITHMETIC[sign]

    def evaluate(scope: Scope) -> Any:
        a, b = left(scope), right(scope)
        if sign == "+" and type(a) is type(b) is str:
            return _bounded(a, b)
        if not (_is_number(a) and _is_number(b)):
            raise EvaluationError(f"{_shown(a)} {sign} {_shown(b)} needs two numbers")
        try:
            return _checked(compute(a, b))
        except (ZeroDivisionError, OverflowError, ValueError) as error:
            raise EvaluationError(f"{_shown(a)} {sign} {_shown(b)} has no value") from error

    return evaluate


def _remainder(a: Any, b: Any) -> Any:
    """With the sign of the dividend, as JSON's own language has it."""
    if type(a) is type(b) is int:
        rest = abs(a) % abs(b)
        return rest if a >= 0 else -rest
    return math.fmod(a, b)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": _remainder,
}


def _checked(number: int | float) -> int | float:
    if isinstance(number, float) and not math.isfinite(number):
        raise OverflowError
    if isinstance(number, int) and abs(number) >= _LARGEST_INT:
        raise OverflowError
    return number


def _bounded(a: str, b: str) -> str:
    if len(a) + len(b) > MAX_RESULT:
        raise EvaluationError(f"the text is longer than {MAX_RESULT} characters")
    return a + b


def _call(name: str, arguments: list[Evaluate]) -> Evaluate:
    function = FUNCTIONS[name].call

    def evaluate(scope: Scope) -> Any:
        values = [argument(scope) for argument in arguments]
        try:
            return function(*values)
        except (TypeError, AttributeError) as error:
            # Only values that the checker knows as `any` come here with a wrong type.
            raise EvaluationError(f"{name} cannot be applied to {', '.join(map(_shown, values))}") from error

    return evaluate


def _contains(container: Any, item: Any) -> bool:
    if type(container) is dict and type(item) is str:
        return item in container
    if type(container) is list:
        return any(equal(item, other) for other in container)
    raise EvaluationError(f"`in` needs a list on its right, not {_shown(container)}")


def equal(a: Any, b: Any) -> bool:
    """JSON's equality: true is not 1, and 1 is 1.0."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if type(a) is type(b) is list:
        return len(a) == len(b) and all(map(equal, a, b))
    if type(a) is type(b) is dict:
        return a.keys() == b.keys() and all(equal(value, b[key]) for key, value in a.items())
    return bool(a == b)


def _bool(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise EvaluationError(f"{_shown(value)} is neither true nor false")


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
