"""Says why a condition is false: which part of it, and which values it saw."""

import json
from collections.abc import Iterator

from connector.flows.expressions import tree
from connector.flows.expressions.evaluation import Scope, closure
from connector.flows.expressions.functions import EvaluationError
from connector.flows.slots import Expression

_MOST_CHARACTERS = 80


def why_false(condition: Expression, scope: Scope) -> str:
    """`steps.contact.created is false`, or `a.b == 'x' is false: a.b is "y"`."""
    part = _false_part(condition, condition.tree, scope)
    text = condition.text if part is condition.tree else tree.render(part)
    if isinstance(part, tree.Binary) and part is not condition.tree:
        text = text[1:-1]
    values = dict(_values(part, scope))
    if text in values:
        return f"{text} is false"
    shown = ", ".join(f"{path} is {value}" for path, value in values.items())
    return f"{text} is false: {shown}" if shown else f"{text} is false"


def _false_part(condition: Expression, node: tree.Node, scope: Scope) -> tree.Node:
    if isinstance(node, tree.Binary) and node.operator == "&&":
        left_holds = closure(node.left, condition.time_comparisons)(scope)
        return _false_part(condition, node.right if left_holds else node.left, scope)
    return node


def _values(node: tree.Node, scope: Scope) -> Iterator[tuple[str, str]]:
    if isinstance(node, (tree.Field, tree.Name, tree.Index)):
        try:
            yield tree.render(node), _shortened(json.dumps(closure(node)(scope)))
        except EvaluationError:
            return
        return
    for child in tree.children(node):
        yield from _values(child, scope)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
