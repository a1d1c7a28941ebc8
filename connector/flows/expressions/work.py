"""Limits the work of one evaluation, so that no text of a visitor makes an expression slow."""

from collections.abc import Callable, Mapping
from typing import Any

from connector.flows.expressions.functions import EvaluationError

Scope = Mapping[str, Any]
Evaluate = Callable[[Scope], Any]

MAX_WORK = 10_000_000
"""Characters that an evaluation may read and write; measured, some 25 ms."""
PER_VALUE = 200
"""Visiting one value of a list or an object takes as long as so many characters."""

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
