"""Finds the type of an expression and what is wrong with it."""

from collections.abc import Callable, Sequence

from connector.flows import types
from connector.flows.expressions import advice, tree
from connector.flows.expressions.functions import FUNCTIONS, NOT_YET
from connector.flows.expressions.narrowing import Known, path_of
from connector.flows.expressions.tree import Node
from connector.flows.problems import Rule, did_you_mean, quoted, shortened
from connector.flows.types import ANY, BOOL, INT, NULL, NUMBER, STR, TIME, ListOf, Object, Simple, Type

_ORDER = ("<", "<=", ">", ">=")
_CONDITIONS = ("&&", "||", "==", "!=", "in", *_ORDER)

Complain = Callable[[int, int, Rule, str, str | None], None]
"""(start, end, rule, message, hint)"""
_Side = tuple[Node, Type]
"""One side of a comparison."""


class Inference:
    """Types one expression. `text` is its source, for messages; `complain` receives what is wrong.

    After a complaint the type is `any`, so that one mistake is reported once.
    """

    def __init__(self, text: str, complain: Complain) -> None:
        self._text = text
        self._complain = complain
        self.time_comparisons: set[int] = set()
        """The places of the operators that compare times, which do not order as texts do."""

    def type_of(self, node: Node, known: Known) -> Type:
        match node:
            case tree.Literal():
                return types.literal(node.value)
            case tree.ListLiteral():
                items = [self.type_of(item, known) for item in node.items]
                return ListOf(types.union(items))
            case tree.Name():
                return self._name(node, known)
            case tree.Field():
                return self._field(node, known)
            case tree.Index():
                return self._index(node, known)
            case tree.Unary():
                return self._unary(node, known)
            case tree.Binary():
                return self._binary(node, known)
            case tree.Conditional():
                return self._conditional(node, known)
            case tree.Call():
                return self._call(node, known)

    def expect(self, node: Node, actual: Type, wanted: Type, described: str = "", *, is_whole: bool = False) -> bool:
        """Complain unless `actual` fits `wanted`, which messages call `described`."""
        if types.assignable(actual, wanted):
            return True
        shown, described = self._shown(node), described or str(wanted)
        if types.nullable(actual) and types.assignable(types.without_null(actual), wanted):
            hint = advice.for_null(shown, node, wanted, is_whole=is_whole)
            self._at(node, "nullable", f"{shown} may be null, but {described} is expected", hint)
        else:
            message = f"{shown} is {types.widened(actual)}, but {described} is expected"
            self._at(node, "type", message, advice.for_type(shown, node, actual, wanted))
        return False

    def _shown(self, node: Node) -> str:
        return shortened(self._text[node.start : node.end])

    def _at(self, node: Node, rule: Rule, message: str, hint: str | None = None) -> None:
        self._complain(node.start, node.end, rule, message, hint)

    def _name(self, node: tree.Name, known: Known) -> Type:
        if (kind := known.names.get(node.name)) is not None:
            return self._narrowed(node, kind, known)
        rule: Rule = "not-yet" if node.name in advice.NAMES_NOT_YET else "unknown-name"
        message = f"there is no {quoted(node.name)} here"
        if rule == "not-yet":
            message = f"this version has no {quoted(node.name)} yet"
        self._at(node, rule, message, advice.for_name(node.name, known))
        return ANY

    def _narrowed(self, node: Node, kind: Type, known: Known) -> Type:
        return types.without_null(kind) if types.nullable(kind) and path_of(node) in known.not_null else kind

    def _field(self, node: tree.Field, known: Known) -> Type:
        target = self.type_of(node.target, known)
        if types.nullable(target) and not node.optional:
            shown = self._shown(node.target)
            hint = advice.for_null_field(shown, path_of(node.target), node.name)
            self._at(node, "nullable", f"{shown} may be null", hint)
            return ANY
        members = [part for part in types.parts(target) if part != NULL]
        found = [self._member(node, node.target, node.name, part, (node.at, node.end)) for part in members]
        kind = types.union([*found, *([NULL] if types.nullable(target) else [])])
        return self._narrowed(node, kind, known)

    def _member(self, node: Node, target: Node, name: str, owner: Type, place: tuple[int, int]) -> Type:
        """The type of the field `name` of `owner`, which is the type of `target`."""
        if owner == ANY:
            return ANY
        if isinstance(owner, Object):
            if (kind := owner.read(name)) is not None:
                return kind
            if owner.extra is not None and (not owner.fields or isinstance(node, tree.Index)):
                return types.union([owner.extra, NULL])
        rule, message, hint = advice.for_field(self._shown(target), path_of(target), name, owner)
        self._complain(*place, rule, message, hint)
        return ANY

    def _index(self, node: tree.Index, known: Known) -> Type:
        target, index = self.type_of(node.target, known), self.type_of(node.index, known)
        if types.nullable(target):
            shown = self._shown(node.target)
            lists = any(isinstance(part, ListOf) for part in types.parts(target))
            otherwise = f", or write ({shown} ?? [])[{self._shown(node.index)}]" if lists else ""
            self._at(node, "nullable", f"{shown} may be null", f"add the condition {shown} != null{otherwise}")
            return ANY
        kind = types.union(self._element(node, part, index) for part in types.parts(target))
        return self._narrowed(node, kind, known)

    def _element(self, node: tree.Index, owner: Type, index: Type) -> Type:
        if owner == ANY:
            return ANY
        key = types.constant(index)
        if isinstance(owner, ListOf) and self.expect(node.index, index, INT):
            if key is not None and key < 0:
                hint = f"write last({self._shown(node.target)}) for the last one"
                self._at(node.index, "type", f"a list has no element {key}; they count from 0", hint)
            return types.union([owner.item, NULL])
        if isinstance(owner, Object) and self.expect(node.index, index, STR):
            if key is not None:
                return self._member(node, node.target, key, owner, (node.index.start, node.index.end))
            return owner.element
        if isinstance(owner, Simple):
            self.expect(node.target, owner, ListOf(ANY), "a list or an object")
        return ANY

    def _unary(self, node: tree.Unary, known: Known) -> Type:
        operand = self.type_of(node.operand, known)
        fits = self.expect(node.operand, operand, BOOL if node.operator == "!" else NUMBER)
        if node.operator == "!":
            return BOOL
        return types.widened(operand) if fits else ANY

    def _binary(self, node: tree.Binary, known: Known) -> Type:
        if node.operator == "??":
            return self._default(node, known)
        left = self.type_of(node.left, known)
        if node.operator in ("&&", "||"):
            inner = known.given(node.left, when=node.operator == "&&")
            return self._logical(node, left, self.type_of(node.right, inner))
        right = self.type_of(node.right, known)
        if node.operator in ("==", "!="):
            self._equality(node, (node.left, left), (node.right, right))
        elif node.operator == "in":
            self._membership(node, left, right)
        else:
            return (self._ordering if node.operator in _ORDER else self._arithmetic)(node, left, right)
        return BOOL

    def _logical(self, node: tree.Binary, left: Type, right: Type) -> Type:
        if node.operator == "||" and not any(
            types.assignable(types.without_null(side), BOOL) for side in (left, right)
        ):
            hint = f"for a default write {self._shown(node.left)} ?? {self._shown(node.right)}"
            self._at(node, "type", f"{self._shown(node.left)} is {types.widened(left)}, but bool is expected", hint)
            return ANY
        self.expect(node.left, left, BOOL)
        self.expect(node.right, right, BOOL)
        return BOOL

    def _is_condition(self, node: Node) -> bool:
        """Whether it is a comparison or the like without brackets."""
        return isinstance(node, tree.Binary) and node.operator in _CONDITIONS and self._text[node.start] != "("

    def _default(self, node: tree.Binary, known: Known) -> Type:
        hint = "?? binds loosest of all: put brackets around it and its default"
        if self._is_condition(node.left):
            self._at(node, "type", f"{self._shown(node.left)} is never null", hint)
            return ANY
        left = self.type_of(node.left, known)
        if self._is_condition(node.right) and not types.assignable(types.without_null(left), BOOL):
            self._at(node, "type", f"the default of {self._shown(node.left)} is a condition", hint)
            return ANY
        right = self.type_of(node.right, known)
        return types.union([types.without_null(left), right]) if left != NULL else right

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
            self.expect(node.left, left, STR)
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
        fits = self.expect(node.left, left, wanted) and self.expect(node.right, right, wanted)
        return BOOL if fits else ANY

    def _arithmetic(self, node: tree.Binary, left: Type, right: Type) -> Type:
        sides = (types.without_null(left), types.without_null(right))
        if node.operator == "+" and any(side != ANY and types.assignable(side, STR) for side in sides):
            fits = [self.expect(node.left, left, STR), self.expect(node.right, right, STR)]
            return STR if all(fits) else ANY
        return ANY if node.operator == "+" and sides == (ANY, ANY) else self._numeric(node, left, right)

    def _numeric(self, node: tree.Binary, left: Type, right: Type) -> Type:
        fits = [self.expect(node.left, left, NUMBER), self.expect(node.right, right, NUMBER)]
        if not all(fits):
            return ANY
        whole = node.operator != "/" and all(side != ANY and types.assignable(side, INT) for side in (left, right))
        return INT if whole else NUMBER

    def _conditional(self, node: tree.Conditional, known: Known) -> Type:
        self.expect(node.condition, self.type_of(node.condition, known), BOOL)
        then = self.type_of(node.then, known.given(node.condition, when=True))
        otherwise = self.type_of(node.otherwise, known.given(node.condition, when=False))
        return types.union([then, otherwise])

    def _call(self, node: tree.Call, known: Known) -> Type:
        end_of_name = node.at + len(node.name)
        if node.name in NOT_YET:
            message = f"this version has no function {quoted(node.name)} yet"
            self._complain(node.at, end_of_name, "not-yet", message, advice.for_function(node.name))
            return ANY
        arguments = [self.type_of(argument, known) for argument in node.arguments]
        if (function := FUNCTIONS.get(node.name)) is None:
            message = f"there is no function {quoted(node.name)}"
            self._complain(node.at, end_of_name, "unknown-function", message, advice.for_function(node.name))
            return ANY
        wanted = function.parameters
        if len(arguments) != len(wanted):
            message = f"{node.name} takes {len(wanted)} argument{'s'[: len(wanted) > 1]}, not {len(arguments)}"
            signature = f"write {node.name}({', '.join(map(str, wanted))})"
            self._complain(node.at, node.end, "arguments", message, signature)
            return ANY
        return self._result(node, arguments)

    def _result(self, node: tree.Call, arguments: Sequence[Type]) -> Type:
        function = FUNCTIONS[node.name]
        for argument, actual, wanted in zip(node.arguments, arguments, function.parameters, strict=True):
            self.expect(argument, actual, wanted)
        return function.result(arguments) if callable(function.result) else function.result


def _are_times(left: Type, right: Type) -> bool:
    """Whether both are times or null, and not both constants."""
    sides = (types.without_null(left), types.without_null(right))
    return TIME in sides and all(side != ANY and types.assignable(side, TIME) for side in sides)
