"""Types the operators that compare and compute, from the types of their two sides."""

from connector.flows import types
from connector.flows.expressions import advice, tree
from connector.flows.expressions.complaints import Complaints
from connector.flows.expressions.tree import Node
from connector.flows.problems import did_you_mean, quoted
from connector.flows.types import ANY, BOOL, INT, NUMBER, STR, TIME, ListOf, Object, Type

_ORDER = ("<", "<=", ">", ">=")
CONDITIONS = ("&&", "||", "==", "!=", "in", *_ORDER)

_Side = tuple[Node, Type]
"""One side of a comparison."""


class Operators:
    def __init__(self, complaints: Complaints) -> None:
        self._shown, self._at, self._expect = complaints.shown, complaints.at, complaints.expect
        self.time_comparisons: set[int] = set()
        """The places of the operators that compare times, which do not order as texts do."""

    def type_of(self, node: tree.Binary, left: Type, right: Type) -> Type:
        """The type of `node`, whose sides are of the types `left` and `right`; not for `&&`, `||` and `??`."""
        if node.operator in ("==", "!="):
            self._equality(node, (node.left, left), (node.right, right))
        elif node.operator == "in":
            self._membership(node, left, right)
        else:
            return (self._ordering if node.operator in _ORDER else self._arithmetic)(node, left, right)
        return BOOL

    def _equality(self, node: Node, left: _Side, right: _Side) -> None:
        (left_node, left_type), (right_node, right_type) = left, right
        if isinstance(node, tree.Binary) and _are_times(left_type, right_type):
            self.time_comparisons.add(node.at)
        if types.comparable(left_type, right_type):
            return
        for (word_node, word), (other_node, other) in ((left, right), (right, left)):
            text, words = types.constant(word), types.words_of(other)
            if isinstance(text, str) and words and not isinstance(other_node, tree.Literal):
                message = f"{quoted(text)} is not among the values {types.without_null(other)}"
                self._at(word_node, "comparison", message, did_you_mean(text, words))
                return
        sides = " and ".join(f"{self._shown(side)} is {types.widened(kind)}" for side, kind in (left, right))
        hint = advice.for_comparison(left_node, left_type, right_node, right_type)
        self._at(node, "comparison", f"{sides}: they are never equal", hint)

    def _membership(self, node: tree.Binary, left: Type, right: Type) -> None:
        if isinstance(node.right, tree.ListLiteral) and isinstance(right, ListOf):
            for item in node.right.items:
                if isinstance(item, tree.Literal):
                    self._equality(item, (node.left, left), (item, types.literal(item.value)))
        elif isinstance(right, ListOf):
            if not types.comparable(left, right.item):
                items = f"{self._shown(node.right)} is {types.widened(right)}"
                message = f"{self._shown(node.left)} is {types.widened(left)} and {items}: it is never among them"
                self._at(node, "comparison", message)
        elif isinstance(right, Object):
            self._expect(node.left, left, STR)
        elif right != ANY:
            shown = self._shown(node.right)
            hint = f"write contains({shown}, {self._shown(node.left)})" if types.assignable(right, STR) else None
            message = f"`in` needs a list or an object on its right, but {shown} is {types.widened(right)}"
            self._at(node.right, "type", message, hint)

    def _ordering(self, node: tree.Binary, left: Type, right: Type) -> Type:
        if isinstance(node.left, tree.Binary) and node.left.operator in _ORDER and left != ANY:
            self._at(node, "type", "comparisons do not chain", "write a < b && b < c")
            return ANY
        present = [types.without_null(side) for side in (left, right)]
        if TIME in present:
            self.time_comparisons.add(node.at)
            wanted = TIME
        elif left == ANY or right == ANY:
            return BOOL
        else:
            wanted = STR if types.assignable(present[0], STR) else NUMBER
        fits = self._expect(node.left, left, wanted) and self._expect(node.right, right, wanted)
        return BOOL if fits else ANY

    def _arithmetic(self, node: tree.Binary, left: Type, right: Type) -> Type:
        sides = (types.without_null(left), types.without_null(right))
        if node.operator == "+" and any(side != ANY and types.assignable(side, STR) for side in sides):
            fits = [self._expect(node.left, left, STR), self._expect(node.right, right, STR)]
            return STR if all(fits) else ANY
        return ANY if node.operator == "+" and sides == (ANY, ANY) else self._numeric(node, left, right)

    def _numeric(self, node: tree.Binary, left: Type, right: Type) -> Type:
        fits = [self._expect(node.left, left, NUMBER), self._expect(node.right, right, NUMBER)]
        if not all(fits):
            return ANY
        whole = node.operator != "/" and all(side != ANY and types.assignable(side, INT) for side in (left, right))
        return INT if whole else NUMBER


def _are_times(left: Type, right: Type) -> bool:
    """Whether both are times or null, and not both constants."""
    sides = (types.without_null(left), types.without_null(right))
    return TIME in sides and all(side != ANY and types.assignable(side, TIME) for side in sides)
