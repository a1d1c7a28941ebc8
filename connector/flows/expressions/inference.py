"""Finds the type of an expression and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from connector.flows import types
from connector.flows.expressions import advice, tree
from connector.flows.expressions.complaints import Complain, Complaints
from connector.flows.expressions.functions import FUNCTIONS, Function, default_type
from connector.flows.expressions.narrowing import Known, facts, path_of
from connector.flows.expressions.operator_types import CONDITIONS, Operators
from connector.flows.expressions.tree import Node
from connector.flows.problems import quoted
from connector.flows.types import ANY, BOOL, INT, NEVER, NULL, NUMBER, STR, ListOf, Object, Simple, Type


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A part of type `any` where one of the type `wanted` is expected; `compared` where it is one side of `==`."""

    part: Node
    wanted: Type
    compared: bool = False


class Inference:
    """Types one expression. `text` is its source, for messages; `complain` receives what is wrong.

    After a complaint the type is `any`, so that one mistake is reported once.
    """

    def __init__(self, text: str, complain: Complain) -> None:
        self._complaints = Complaints(text, complain)
        self._operators = Operators(self._complaints)
        self.shown, self._at = self._complaints.shown, self._complaints.at
        self.expect = self._complaints.expect
        self.time_comparisons = self._operators.time_comparisons
        self.unchecked: list[Unchecked] = []
        """Where an `any` decides a condition."""

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
            case tree.Macro():
                return self._macro(node, known)

    def _name(self, node: tree.Name, known: Known) -> Type:
        if (kind := known.names.get(node.name)) is not None:
            return self._narrowed(node, kind, known)
        message = f"there is no {quoted(node.name)} here"
        self._at(node, "unknown-name", message, advice.for_name(node.name, known))
        return ANY

    def _narrowed(self, node: Node, kind: Type, known: Known) -> Type:
        return types.without_null(kind) if known.has(path_of(node)) else types.unrolled(kind)

    def _field(self, node: tree.Field, known: Known) -> Type:
        if (path := path_of(node)) in known.later and path is not None:
            self._at(node, "unknown-name", *advice.for_later(str(path[-1])))
            return ANY
        target = self.type_of(node.target, known)
        if types.nullable(target) and not node.optional:
            shown = self.shown(node.target)
            hint = advice.for_null_field(shown, path_of(node.target), node.name, known)
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
        rule, message, hint = advice.for_field(self.shown(target), path_of(target), name, owner)
        self._complaints.add(*place, rule, message, hint)
        return ANY

    def _index(self, node: tree.Index, known: Known) -> Type:
        target, index = self.type_of(node.target, known), self.type_of(node.index, known)
        if types.nullable(target):
            shown = self.shown(node.target)
            lists = any(isinstance(part, ListOf) for part in types.parts(target))
            otherwise = f", or write ({shown} ?? [])[{self.shown(node.index)}]" if lists else ""
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
                hint = f"write last({self.shown(node.target)}) for the last one"
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
        if node.operator == "!":
            self._expect_bool(node.operand, operand)
            return BOOL
        fits = self.expect(node.operand, operand, NUMBER)
        return types.widened(operand) if fits else ANY

    def _expect_bool(self, node: Node, actual: Type) -> None:
        if self.expect(node, actual, BOOL) and actual == ANY:
            self.unchecked.append(Unchecked(node, BOOL))

    def _compare(self, node: tree.Binary, left: Type, right: Type) -> None:
        """Remember the sides of a comparison of which nothing is known. Any value may be compared with null."""
        if node.operator in CONDITIONS:
            beside = _item(right) if node.operator == "in" else right
            for side, kind, other in ((node.left, left, beside), (node.right, right, left)):
                if kind == ANY and other != NULL:
                    self.unchecked.append(Unchecked(side, types.widened(other), compared=True))

    def _binary(self, node: tree.Binary, known: Known) -> Type:
        if node.operator == "??":
            return self._default(node, known)
        left = self.type_of(node.left, known)
        if node.operator in ("&&", "||"):
            inner = known.given(node.left, when=node.operator == "&&")
            return self._logical(node, left, self.type_of(node.right, inner))
        right = self.type_of(node.right, known)
        self._compare(node, left, right)
        return self._operators.type_of(node, left, right)

    def _logical(self, node: tree.Binary, left: Type, right: Type) -> Type:
        if node.operator == "||" and not any(
            types.assignable(types.without_null(side), BOOL) for side in (left, right)
        ):
            hint = f"for a default write {self.shown(node.left)} ?? {self.shown(node.right)}"
            self._at(node, "type", f"{self.shown(node.left)} is {types.widened(left)}, but bool is expected", hint)
            return ANY
        self._expect_bool(node.left, left)
        self._expect_bool(node.right, right)
        return BOOL

    def _is_condition(self, node: Node) -> bool:
        """Whether it is a comparison or the like without brackets."""
        return (
            isinstance(node, tree.Binary) and node.operator in CONDITIONS and self._complaints.text[node.start] != "("
        )

    def _default(self, node: tree.Binary, known: Known) -> Type:
        hint = "?? binds loosest of all: put brackets around it and its default"
        if self._is_condition(node.left):
            self._at(node, "type", f"{self.shown(node.left)} is never null", hint)
            return ANY
        left = self.type_of(node.left, known)
        if self._is_condition(node.right) and not types.assignable(types.without_null(left), BOOL):
            self._at(node, "type", f"the default of {self.shown(node.left)} is a condition", hint)
            return ANY
        return default_type([left, self.type_of(node.right, known)])

    def _conditional(self, node: tree.Conditional, known: Known) -> Type:
        self._expect_bool(node.condition, self.type_of(node.condition, known))
        then = self.type_of(node.then, known.given(node.condition, when=True))
        otherwise = self.type_of(node.otherwise, known.given(node.condition, when=False))
        return types.union([then, otherwise])

    def _call(self, node: tree.Call, known: Known) -> Type:
        if (function := FUNCTIONS.get(node.name)) is None:
            return self._unknown_function(node, known)
        arguments = [self.type_of(argument, known) for argument in node.arguments]
        if not function.fits(len(arguments)):
            message, hint = advice.for_arguments(node.name, function, len(arguments))
            self._complaints.add(node.at, node.end, "arguments", message, hint)
            return ANY
        if function.reads and function.reads[0] not in known.names:
            message, hint = advice.for_missing_run(node.name, ".".join(function.reads))
            self._complaints.add(node.at, node.end, "unknown-name", message, hint)
            return ANY
        self._arguments(node, function, arguments)
        return function.result_of(arguments)

    def _unknown_function(self, node: tree.Call, known: Known) -> Type:
        message = f"there is no function {quoted(node.name)}"
        place = (node.at, node.at + len(node.name))
        self._complaints.add(*place, "unknown-function", message, advice.for_function(node.name))
        # Where a macro was meant, the others use a name that is not there.
        known_arguments = node.arguments[:1] if advice.is_macro(node.name) else node.arguments
        for argument in known_arguments:
            self.type_of(argument, known)
        return ANY

    def _arguments(self, node: tree.Call, function: Function, arguments: Sequence[Type]) -> None:
        for argument, actual, wanted in zip(node.arguments, arguments, function.parameters, strict=False):
            self.expect(argument, actual, wanted)
        if (place := function.looks_for) is not None and types.constant(arguments[place]) == "":
            message = f"{node.name} needs a text to look for, not an empty one"
            self._at(node.arguments[place], "arguments", message)

    def _macro(self, node: tree.Macro, known: Known) -> Type:
        lists, variable = self.type_of(node.items, known), node.variable
        is_list = self.expect(node.items, lists, ListOf(ANY), "a list")
        if problem := advice.for_variable(variable.name, known):
            self._at(variable, "name", *problem)
            return ANY
        item = _item(lists) if is_list else ANY
        body = self.type_of(node.body, known.with_item(variable.name, ANY if item == NEVER else item))
        if node.name != "map":
            self._expect_bool(node.body, body)
        if node.name in ("exists", "all"):
            return BOOL
        if item == NEVER:
            return lists
        made = body if node.name == "map" else _kept(item, node)
        return ListOf(made) if is_list else ANY


def _item(lists: Type) -> Type:
    """The type of the items of a list."""
    return types.union(part.item if isinstance(part, ListOf) else ANY for part in types.parts(lists))


def _kept(item: Type, node: tree.Macro) -> Type:
    """The type of the items for which the condition holds."""
    paths = [path[1:] for path in facts(node.body, when=True) if path[0] == node.variable.name]
    for path in sorted(paths, key=len):
        item = types.refined(item, path)
    return item
