"""Complaints about an expression, with the texts of its parts."""

from collections.abc import Callable

from connector.flows import types
from connector.flows.expressions import advice
from connector.flows.expressions.tree import Node
from connector.flows.problems import Rule, shortened
from connector.flows.types import Type

Complain = Callable[[int, int, Rule, str, str | None], None]
"""(start, end, rule, message, hint)"""


class Complaints:
    """What is wrong with one expression. `text` is its source; `complain` receives what is wrong."""

    def __init__(self, text: str, complain: Complain) -> None:
        self.text = text
        self.add = complain

    def expect(self, node: Node, actual: Type, wanted: Type, described: str = "", *, is_whole: bool = False) -> bool:
        """Complain unless `actual` fits `wanted`, which messages call `described`."""
        if types.assignable(actual, wanted):
            return True
        shown, described = self.shown(node), described or str(wanted)
        if wanted in (types.ZONE, types.PATTERN, types.HOURS):
            self.at(node, "type", *advice.for_written_out(shown, actual, wanted))
        elif types.nullable(actual) and types.assignable(types.without_null(actual), wanted):
            hint = advice.for_null(shown, node, actual, wanted, is_whole=is_whole)
            self.at(node, "nullable", f"{shown} may be null, but {described} is expected", hint)
        else:
            message = f"{shown} is {types.widened(actual)}, but {described} is expected"
            self.at(node, "type", message, advice.for_type(shown, node, actual, wanted))
        return False

    def shown(self, node: Node) -> str:
        return shortened(self.text[node.start : node.end])

    def at(self, node: Node, rule: Rule, message: str, hint: str | None = None) -> None:
        self.add(node.start, node.end, rule, message, hint)
