"""Says why a condition is false: which part of it, and which values it saw."""

import json
import re
from collections.abc import Iterator
from typing import Any

from connector.flows.expressions import tree
from connector.flows.expressions.evaluation import Scope, closure
from connector.flows.expressions.functions import EvaluationError
from connector.flows.slots import Expression

_MOST_CHARACTERS = 80


def why_false(condition: Expression, scope: Scope) -> str:
    """`steps.contact.created is false`, or `a.b == 'x' is false: a.b is "y"`."""
    explanation = _Explanation(condition)
    part = explanation.false_part(condition.tree, scope)
    text = explanation.text(part)
    values = dict(explanation.values(part, scope))
    if not values or text in values:
        return f"{text} is false"
    return f"{text} is false: {', '.join(f'{path} is {value}' for path, value in values.items())}"


class _Explanation:
    def __init__(self, condition: Expression) -> None:
        self._condition = condition

    def text(self, node: tree.Node) -> str:
        return " ".join(self._condition.text[node.start : node.end].split())

    def false_part(self, node: tree.Node, scope: Scope) -> tree.Node:
        while isinstance(node, tree.Binary) and node.operator == "&&":
            node = node.right if self._value(node.left, scope) else node.left
        return node

    def values(self, node: tree.Node, scope: Scope) -> Iterator[tuple[str, str]]:
        """The text and the value of each path in `node`."""
        if isinstance(node, tree.Macro):
            yield from self._values_of_macro(node, scope)
        elif isinstance(node, (tree.Field, tree.Name, tree.Index)):
            try:
                yield self.text(node), _shortened(json.dumps(self._value(node, scope)))
            except EvaluationError:
                return
        else:
            for child in tree.children(node):
                yield from self.values(child, scope)

    def _values_of_macro(self, node: tree.Macro, scope: Scope) -> Iterator[tuple[str, str]]:
        """Those of the first item that fails `all`; otherwise the list, and what does not depend on its items."""
        name = node.variable.name
        if node.name == "all" and (index := self._failing_item(node, scope)) is not None:
            inner = {**scope, name: self._value(node.items, scope)[index]}
            part, label = self.false_part(node.body, inner), f"{self.text(node.items)}[{index}]"
            yield from ((_named(path, name, label), value) for path, value in self.values(part, inner))
            return
        for part in (node.items, *_independent(node.body, name)):
            yield from self.values(part, scope)

    def _failing_item(self, node: tree.Macro, scope: Scope) -> int | None:
        """The index of the first item for which the body is false; None where it cannot be computed."""
        try:
            items = enumerate(self._value(node.items, scope))
            return next(
                (i for i, item in items if self._value(node.body, {**scope, node.variable.name: item}) is False), None
            )
        except (EvaluationError, TypeError):  # TypeError: no list, in a part that was not evaluated
            return None

    def _value(self, node: tree.Node, scope: Scope) -> Any:
        return closure(node, self._condition.time_comparisons)(scope)


def _named(path: str, variable: str, label: str) -> str:
    """`trigger.pages[1].title` for `p.title`."""
    return re.sub(rf"^{variable}\b", lambda _: label, path)


def _independent(node: tree.Node, name: str) -> Iterator[tree.Node]:
    """The largest parts of `node` that do not depend on `name`."""
    if not tree.reads(node, name):
        yield node
        return
    for child in tree.children(node):
        yield from _independent(child, name)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
