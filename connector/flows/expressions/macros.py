"""The macros as closures: `exists`, `all`, `filter` and `map` over the items of a list."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from connector.flows.expressions.operators import truth
from connector.flows.expressions.values import MAX_RESULT, EvaluationError, shown, too_long
from connector.flows.expressions.work import Evaluate, Scope, measured, spend


def macro(name: str, items: Evaluate, variable: str, body: Evaluate, cost: int) -> Evaluate:
    """The closure of `name`. `cost` is the work of evaluating `body` once, in characters."""

    def results(scope: Scope) -> Iterator[tuple[Any, Any]]:
        """Each item and the value of the body for it."""
        if type(values := items(scope)) is not list:
            raise EvaluationError(f"{name} cannot be applied to {shown(values)}")
        inner = dict(scope)  # once: the items take turns in it
        for item in values:
            spend(scope, cost)
            inner[variable] = item
            yield item, body(inner)

    def mapped(scope: Scope) -> list[Any]:
        found = [value for _, value in results(scope)]
        if measured(partial(spend, scope), found) > MAX_RESULT:
            raise too_long("the result of map")
        return found

    made: dict[str, Evaluate] = {
        "exists": lambda scope: any(truth(value) for _, value in results(scope)),
        "all": lambda scope: all(truth(value) for _, value in results(scope)),
        "filter": lambda scope: [item for item, value in results(scope) if truth(value)],
        "map": mapped,
    }
    return made[name]
