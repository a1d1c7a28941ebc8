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
    text = _text(condition, part)
    values = dict(_values(condition, part, scope))
    if not values or text in values:
        return f"{text} is false"
    return f"{text} is false: {', '.join(f'{path} is {value}' for path, value in values.items())}"


def _text(condition: Expression, node: tree.Node) -> str:
    return " ".join(condition.text[node.start : node.end].split())


def _false_part(condition: Expression, node: tree.Node, scope: Scope) -> tree.Node:
    while isinstance(node, tree.Binary) and node.operator == "&&":
        left_holds = closure(node.left, condition.time_comparisons)(scope)
        node = node.right if left_holds else node.left
    return node


def _values(condition: Expression, node: tree.Node, scope: Scope) -> Iterator[tuple[str, str]]:
    if isinstance(node, (tree.Field, tree.Name, tree.Index)):
        try:
            yield _text(condition, node), _shortened(json.dumps(closure(node)(scope)))
        except EvaluationError:
            return
        return
    for child in tree.children(node):
        yield from _values(condition, child, scope)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
