"""The operators of the expression language as closures over plain JSON. Nothing is converted."""

import math
import operator
from collections.abc import Callable
from typing import Any

from connector.flows.expressions.values import MAX_RESULT, EvaluationError, shown, too_long
from connector.flows.expressions.work import PER_VALUE, Evaluate, Scope, spend

_LARGEST_INT = 2**63


def binary(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    """The closure that computes `left sign right`; it evaluates `right` only where it needs it."""
    lazy: dict[str, Evaluate] = {
        "&&": lambda scope: truth(left(scope)) and truth(right(scope)),
        "||": lambda scope: truth(left(scope)) or truth(right(scope)),
        "??": lambda scope: right(scope) if (value := left(scope)) is None else value,
        "==": lambda scope: _equal(scope, left(scope), right(scope)),
        "!=": lambda scope: not _equal(scope, left(scope), right(scope)),
        "in": lambda scope: _contains(scope, right(scope), left(scope)),
    }
    if sign in lazy:
        return lazy[sign]
    return _compare(sign, left, right) if sign in _ORDER else _arithmetic(sign, left, right)


def unary(sign: str, operand: Evaluate) -> Evaluate:
    """The closure that computes `sign operand`."""
    if sign == "!":
        return lambda scope: not truth(operand(scope))

    def negative(scope: Scope) -> Any:
        value = operand(scope)
        if not _is_number(value):
            raise EvaluationError(f"- needs a number, not {shown(value)}")
        return -value

    return negative


def compared_with(operand: Evaluate, constant: Any, *, equal: bool) -> Evaluate:
    """The closure that compares with a constant without parts, as `_equal` does."""
    if constant is None:
        return (lambda scope: operand(scope) is None) if equal else (lambda scope: operand(scope) is not None)
    kinds = (int, float) if _is_number(constant) else (type(constant),)

    def evaluate(scope: Scope) -> bool:
        value = operand(scope)
        return (type(value) in kinds and value == constant) is equal

    return evaluate


def truth(value: Any) -> bool:
    """`value` where it is true or false; other values are neither."""
    if value is True or value is False:
        return bool(value)
    raise EvaluationError(f"{shown(value)} is neither true nor false")


def _equal(scope: Scope, a: Any, b: Any) -> bool:
    """JSON's equality: true is not 1, and 1 is 1.0."""
    pending = [(a, b)]  # no recursion: what the other side sends may be nested deeply
    while pending:
        a, b = pending.pop()
        spend(scope, PER_VALUE)
        if type(a) is not type(b) and not (_is_number(a) and _is_number(b)):
            return False
        if type(a) is list and len(a) == len(b):
            pending += zip(a, b, strict=True)
        elif type(a) is dict and a.keys() == b.keys():
            pending += [(value, b[key]) for key, value in a.items()]
        elif type(a) in (list, dict) or a != b:
            return False
    return True


def _contains(scope: Scope, container: Any, item: Any) -> bool:
    if type(container) is dict and type(item) is str:
        return item in container
    if type(container) is list:
        return any(_equal(scope, item, other) for other in container)
    raise EvaluationError(f"`in` needs a list on its right, not {shown(container)}")


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
        raise EvaluationError(f"{shown(a)} and {shown(b)} have no order")

    return evaluate


def _arithmetic(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    compute = _ARITHMETIC[sign]

    def evaluate(scope: Scope) -> Any:
        a, b = left(scope), right(scope)
        if sign == "+" and type(a) is type(b) is str:
            return _joined(scope, a, b)
        if not (_is_number(a) and _is_number(b)):
            raise EvaluationError(f"{shown(a)} {sign} {shown(b)} needs two numbers")
        try:
            return _bounded(compute(a, b))
        except (ZeroDivisionError, OverflowError, ValueError) as error:
            raise EvaluationError(f"{shown(a)} {sign} {shown(b)} has no value") from error

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


def _bounded(number: int | float) -> int | float:
    if abs(number) < (_LARGEST_INT if isinstance(number, int) else math.inf):
        return number
    raise OverflowError


def _joined(scope: Scope, a: str, b: str) -> str:
    spend(scope, len(a) + len(b))
    if len(a) + len(b) > MAX_RESULT:
        raise too_long("the text")
    return a + b


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float
