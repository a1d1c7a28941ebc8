"""Limits the work of one evaluation, so that no text of a visitor makes an expression slow."""

from collections.abc import Callable, Mapping
from typing import Any

from connector.flows.expressions.values import MAX_RESULT, EvaluationError

Scope = Mapping[str, Any]
Evaluate = Callable[[Scope], Any]
Spend = Callable[[int], None]
"""Counts so many characters of work."""

MAX_WORK = 10_000_000
"""Characters that an evaluation may read and write; measured, some 25 ms."""
PER_VALUE = 200
"""Visiting one value of a list or an object takes as long as so many characters."""
PER_PART = 40
"""Evaluating one part of an expression takes as long as so many characters."""

_METER = ""  # no name of an expression


def metered(evaluate: Evaluate) -> Evaluate:
    """`evaluate` with all its work counted: beyond the limit it raises EvaluationError."""
    return lambda scope: evaluate({**scope, _METER: [MAX_WORK]})


def spend(scope: Scope, characters: int) -> None:
    """Count work in an evaluation that is metered."""
    if (meter := scope.get(_METER)) is not None:
        meter[0] -= characters
        if meter[0] < 0:
            raise EvaluationError("the expression has too much to read")


def measured(spend: Spend, value: Any) -> int:
    """About the number of characters of `value` as JSON; no more exact beyond the limit of a result."""
    total, pending = 0, [value]
    while pending and total <= MAX_RESULT:
        value = pending.pop()
        spend(PER_VALUE)
        total += len(value) if isinstance(value, str) else 4
        if isinstance(value, dict):
            pending += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            pending += value
    return total
