"""Finds the type of an expression and what is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from connector.flows import types
from connector.flows.expressions import tree
from connector.flows.expressions.functions import FUNCTIONS, Function
from connector.flows.expressions.tree import Node
from connector.flows.problems import did_you_mean
from connector.flows.types import ANY, BOOL, INT, NULL, NUMBER, STR, ListOf, Object, Simple, Type

Path = tuple[str, ...]
Complain = Callable[[int, int, str, str, str | None], None]
"""(start, end, rule, message, hint)"""


@dataclass(frozen=True, slots=True)
class Known:
    """The names that an expression may use, and which paths are known not to be null."""

    names: Mapping[str, Type]
    not_null: frozenset[Path] = frozenset()

    def given(self, paths: frozenset[Path]) -> "Known":
        return replace(self, not_null=self.not_null | paths)


def path_of(node: Node) -> Path | None:
    """`('steps', 'chat', 'conversation')` for `steps.chat?.conversation`; None for anything but fields of a name."""
    if isinstance(node, tree.Name):
        return (node.name,)
    if isinstance(node, tree.Field):
        target = path_of(node.target)
        return (*target, node.name) if target else None
    return None


def facts(node: Node, *, when: bool) -> frozenset[Path]:
    """The paths that cannot be null when the condition `node` is `when`."""
    if isinstance(node, tree.Unary) and node.operator == "!":
        return facts(node.operand, when=not when)
    if not isinstance(node, tree.Binary):
        return frozenset()
    if node.operator in ("&&", "||"):
        left, right = facts(node.left, when=when), facts(node.right, when=when)
        return left | right if (node.operator == "&&") == when else left & right
    return _compared(node, when)


def _compared(node: tree.Binary, when: bool) -> frozenset[Path]:
    for side, other in ((node.left, node.right), (node.right, node.left)):
        if not isinstance(other, tree.Literal) or node.operator not in ("==", "!="):
            continue
        equal = (node.operator == "==") == when
        if (other.value is None) != equal:
            return _with_optional_targets(side)
    return frozenset()


def _with_optional_targets(node: Node) -> frozenset[Path]:
    paths = set()
    while (path := path_of(node)) is not None:
        paths.add(path)
        if not (isinstance(node, tree.Field) and node.optional):
            break
        node = node.target
    return frozenset(paths)


class Inference:
    """Types one expression. `text` is its source, for messages; `complain` receives what is wrong.

    After a complaint the type is `any`, so that one mistake is reported once.
    """

    def __init__(self, text: str, complain: Complain) -> None:
        self._text = text
        self._complain = complain
        self.time_comparisons: set[Node] = set()
        """The comparisons whose texts are times, which do not order as texts do."""

    def type_of(self, node: Node, known: Known) -> Type:
        match node:
            case tree.Literal():
                return types.literal(node.value)
            case tree.ListLiteral():
                items = [self.type_of(item, known) for item in node.items]
                return ListOf(types.union(items) if items else ANY)
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

    def expect(self, node: Node, actual: Type, wanted: Type) -> bool:
        """Complain unless `actual` fits `wanted`."""
        if types.assignable(actual, wanted):
            return True
        shown = self._text[node.start : node.end]
        if types.nullable(actual) and types.assignable(types.without_null(actual), wanted):
            hint = f"add `?? …` with a default, or a condition `{shown} != null`"
            self._complain(node.start, node.end, "nullable", f"{shown} may be null, but {wanted} is expected", hint)
        else:
            message = f"{shown} is {types.widened(actual)}, but {wanted} is expected"
            self._complain(node.start, node.end, "type", message, _hint_for(actual, wanted, shown))
        return False

    def complain_about(self, node: Node, message: str, hint: str) -> None:
        """Complain about the type of `node` in the words of its slot."""
        self._complain(node.start, node.end, "type", f"{self._text[node.start : node.end]}: {message}", hint)

    def _name(self, node: tree.Name, known: Known) -> Type:
        if (kind := known.names.get(node.name)) is not None:
            return types.without_null(kind) if (node.name,) in known.not_null else kind
        hint = did_you_mean(node.name, known.names)
        if node.name in FUNCTIONS:
            hint = f"{node.name} is a function: write {node.name}(…)"
        self._complain(node.start, node.end, "unknown-name", f"there is no {node.name!r} here", hint)
        return ANY

    def _field(self, node: tree.Field, known: Known) -> Type:
        target = self.type_of(node.target, known)
        if types.nullable(target) and not node.optional:
            shown = self._text[node.target.start : node.target.end]
            hint = f"write {shown}?.{node.name}, or add a condition `{shown} != null`"
            self._complain(node.start, node.end, "nullable", f"{shown} may be null", hint)
            return ANY
        members = [part for part in types.parts(target) if part != NULL]
        found = [self._member(node, part) for part in members]
        kind = types.union([*found, *([NULL] if types.nullable(target) else [])]) if found else NULL
        return types.without_null(kind) if path_of(node) in known.not_null else kind

    def _member(self, node: tree.Field, owner: Type) -> Type:
        if owner == ANY:
            return ANY
        shown = self._text[node.target.start : node.target.end]
        if isinstance(owner, Object):
            if (kind := owner.fields.get(node.name)) is not None:
                return kind
            if owner.extra is not None and not owner.fields:
                return types.union([owner.extra, NULL])
            self._unknown_field(node, owner, shown)
            return ANY
        hint = f"write {node.name}({shown})" if node.name in FUNCTIONS else None
        message = f"{shown} is {types.widened(owner)} and has no field {node.name!r}"
        self._complain(node.at, node.end, "unknown-field", message, hint)
        return ANY

    def _unknown_field(self, node: tree.Field, owner: Object, shown: str) -> None:
        hint = did_you_mean(node.name, owner.fields)
        if owner.name == "steps":
            hint = hint if owner.fields else "it is the first step"
            message = f"there is no step {node.name!r} before this one"
            self._complain(node.at, node.end, "unknown-step", message, hint)
            return
        if owner.extra is not None and not (hint or "").startswith("did you mean"):
            hint = f"if the other side sends it all the same, write {shown}['{node.name}']"
        named = "" if owner.name == shown else f" ({owner.name})"
        self._complain(node.at, node.end, "unknown-field", f"{shown}{named} has no field {node.name!r}", hint)

    def _index(self, node: tree.Index, known: Known) -> Type:
        target, index = self.type_of(node.target, known), self.type_of(node.index, known)
        if target == ANY:
            return ANY
        if isinstance(target, ListOf):
            self.expect(node.index, index, INT)
            return types.union([target.item, NULL])
        if isinstance(target, Object):
            self.expect(node.index, index, STR)
            key = node.index.value if isinstance(node.index, tree.Literal) else None
            return target.fields.get(str(key)) or types.union([target.extra or ANY, NULL])
        self.expect(node.target, target, ListOf(ANY))
        return ANY

    def _unary(self, node: tree.Unary, known: Known) -> Type:
        operand = self.type_of(node.operand, known)
        fits = self.expect(node.operand, operand, BOOL if node.operator == "!" else NUMBER)
        if node.operator == "!":
            return BOOL
        return types.widened(operand) if fits else ANY

    def _binary(self, node: tree.Binary, known: Known) -> Type:
        left = self.type_of(node.left, known)
        if node.operator in ("&&", "||"):
            then = known.given(facts(node.left, when=node.operator == "&&"))
            self.expect(node.left, left, BOOL)
            self.expect(node.right, self.type_of(node.right, then), BOOL)
            return BOOL
        right = self.type_of(node.right, known)
        if node.operator == "??":
            return types.union([types.without_null(left), right]) if left != NULL else right
        if node.operator in ("==", "!="):
            self._equality(node, left, right)
            return BOOL
        if node.operator == "in":
            return self._membership(node, left, right)
        if node.operator in ("<", "<=", ">", ">="):
            self._ordering(node, left, right)
            return BOOL
        return self._arithmetic(node, left, right)

    def _equality(self, node: tree.Binary, left: Type, right: Type) -> None:
        if _comparable(left, right):
            return
        for side, other in ((left, right), (right, left)):
            if isinstance(side, Simple) and side.words and len(side.words) == 1 and _comparable(STR, other):
                known = [word for part in types.parts(other) if isinstance(part, Simple) for word in part.words or ()]
                message = f"{side.words[0]!r} is not a value that the other side can have"
                self._complain(node.start, node.end, "comparison", message, did_you_mean(str(side.words[0]), known))
                return
        message = f"{types.widened(left)} is compared with {types.widened(right)}, which is never equal"
        self._complain(node.start, node.end, "comparison", message, None)

    def _membership(self, node: tree.Binary, left: Type, right: Type) -> Type:
        if isinstance(right, ListOf):
            if not _comparable(left, right.item):
                message = f"{types.widened(left)} is never among {right}"
                self._complain(node.start, node.end, "comparison", message, None)
        elif isinstance(right, Object):
            self.expect(node.left, left, STR)
        elif right != ANY:
            hint = "write contains(text, part) for texts" if types.assignable(right, STR) else None
            message = f"`in` needs a list on its right, not {types.widened(right)}"
            self._complain(node.right.start, node.right.end, "type", message, hint)
        return BOOL

    def _ordering(self, node: tree.Binary, left: Type, right: Type) -> None:
        for kind in (types.TIME, NUMBER, STR):
            if types.assignable(left, kind) and types.assignable(right, kind) and ANY not in (left, right):
                if kind == types.TIME and not (left == right == STR):
                    self.time_comparisons.add(node)
                return
        if left == ANY or right == ANY:
            return
        wanted = next((kind for kind in (NUMBER, STR) if types.assignable(types.without_null(left), kind)), NUMBER)
        self.expect(node.left, left, wanted) and self.expect(node.right, right, wanted)

    def _arithmetic(self, node: tree.Binary, left: Type, right: Type) -> Type:
        if node.operator == "+" and types.assignable(left, STR):
            self.expect(node.right, right, STR)
            return STR if left != ANY else ANY
        fits = self.expect(node.left, left, NUMBER) and self.expect(node.right, right, NUMBER)
        if not fits or node.operator == "/":
            return NUMBER if fits else ANY
        return (
            INT if types.assignable(left, INT) and types.assignable(right, INT) and ANY not in (left, right) else NUMBER
        )

    def _conditional(self, node: tree.Conditional, known: Known) -> Type:
        self.expect(node.condition, self.type_of(node.condition, known), BOOL)
        then = self.type_of(node.then, known.given(facts(node.condition, when=True)))
        otherwise = self.type_of(node.otherwise, known.given(facts(node.condition, when=False)))
        return types.union([then, otherwise])

    def _call(self, node: tree.Call, known: Known) -> Type:
        arguments = [self.type_of(argument, known) for argument in node.arguments]
        function = FUNCTIONS.get(node.name)
        end_of_name = node.at + len(node.name)
        if function is None:
            hint = did_you_mean(node.name, FUNCTIONS)
            self._complain(node.at, end_of_name, "unknown-function", f"there is no function {node.name!r}", hint)
            return ANY
        least, most = len(function.parameters) - function.optional, len(function.parameters)
        if not least <= len(arguments) <= most:
            wanted = str(most) if least == most else f"{least} to {most}"
            message = f"{node.name} takes {wanted} argument{'s' if most != 1 else ''}, not {len(arguments)}"
            self._complain(node.at, node.end, "arguments", message, _signature(node.name, function))
            return ANY
        for argument, actual, wanted_type in zip(node.arguments, arguments, function.parameters, strict=False):
            self.expect(argument, actual, wanted_type)
        return function.result(arguments) if callable(function.result) else function.result


def _signature(name: str, function: Function) -> str:
    return f"write {name}({', '.join(str(parameter) for parameter in function.parameters)})"


def _comparable(left: Type, right: Type) -> bool:
    """Whether some value may be in both types. Null may be compared with anything."""
    if ANY in (left, right) or NULL in (left, right):
        return True
    return any(_overlap(a, b) for a in types.parts(left) for b in types.parts(right))


def _overlap(left: Type, right: Type) -> bool:
    if not (isinstance(left, Simple) and isinstance(right, Simple)):
        return type(left) is type(right)
    numbers = {left.kind, right.kind} <= {"int", "number"}
    if left.words is not None and right.words is not None:
        return bool(set(left.words) & set(right.words))
    return ANY in (left, right) or left.kind == right.kind or numbers


def _hint_for(actual: Type, wanted: Type, shown: str) -> str | None:
    if isinstance(wanted, Simple) and wanted.words:
        if isinstance(actual, Simple) and actual.words and len(actual.words) == 1:
            return did_you_mean(str(actual.words[0]), [str(word) for word in wanted.words])
        return None
    if types.assignable(types.without_null(actual), NUMBER) and types.assignable(STR, wanted):
        return f"write string({shown})"
    if isinstance(wanted, Simple) and wanted.format == "date-time" and types.assignable(actual, STR):
        return "expected a time such as 2026-03-25T10:30:00Z"
    if isinstance(wanted, Simple) and wanted.format == "duration":
        return "expected a duration in quotes, such as '15m'"
    return None
