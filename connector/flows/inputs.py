"""Checks what a trigger or a step gives as input against what its operation takes."""

from connector.flows import document, types
from connector.flows.catalogue import Catalogue, Operation
from connector.flows.document import Node, Source
from connector.flows.expressions import tree
from connector.flows.expressions.narrowing import Known
from connector.flows.problems import Report, closest, did_you_mean, quoted, shortened
from connector.flows.slots import Expression, Slots, Template
from connector.flows.types import STR, TIME, ListOf, Object, Type

DEFAULT_CONNECTION = "default"


class Inputs:
    def __init__(self, source: Source, report: Report, slots: Slots) -> None:
        self._source = source
        self._report = report
        self._slots = slots

    def check(self, owner: document.Mapping, uses: str, operation: Operation, known: Known) -> Template | None:
        """The input under `with`, an empty mapping where there is none; None where it is no mapping."""
        node = owner.get("with")
        if node is None or (isinstance(node, document.Scalar) and node.value is None):
            node = document.Mapping({}, owner.start, owner.start)
        if not isinstance(node, document.Mapping):
            message = "with is made of `name: value` lines"
            self._report.add(self._source.of(node), "type", message, f"write `{_example(operation.input)}: …` below it")
            return None
        before = len(self._report.problems())
        given = self._slots.template(node, known)
        self._object(given, operation.input, uses, owner.entries["uses"].value)
        if len(self._report.problems()) == before and _is_constant(node):
            self._whole(given, operation, owner.entries["uses"].value)
        return given

    def connection(self, node: Node | None, uses: str, catalogue: Catalogue) -> str:
        """The name of the account to use."""
        if node is None:
            return DEFAULT_CONNECTION
        if not isinstance(node, document.Scalar):
            message = "connection is the name of an account"
            self._report.add(self._source.of(node), "type", message, "write one name of connections.yaml")
            return DEFAULT_CONNECTION
        connector = uses.partition(".")[0]
        fitting = [name for name, owner in catalogue.connections.items() if owner == connector]
        if node.text not in fitting and node.text != DEFAULT_CONNECTION:
            message = f"there is no {connector} connection {quoted(node.text)}"
            hint = did_you_mean(node.text, fitting) or "add it to connections.yaml"
            self._report.add(self._source.of(node), "unknown-connection", message, hint)
        return node.text

    def _object(self, given: Template, wanted: Object, what: str, place: Node) -> None:
        fields = given.fields or {}
        misspelt: set[str | None] = set()
        for name, value in fields.items():
            if (kind := wanted.fields.get(name, wanted.extra)) is not None:
                self._value(value, kind, name)
            else:
                misspelt.add(closest(name, wanted.fields.keys() - fields.keys()))
                self._unknown(given, name, wanted, what)
        for name in sorted(wanted.required - fields.keys() - misspelt):
            message = f"{what} needs the input {name!r} ({wanted.fields[name]})"
            hint = f"add `{name}: …`" + (" under with" if "." in what else "")
            self._report.add(self._source.of(place), "missing-input", message, hint)

    def _whole(self, given: Template, operation: Operation, uses: Node) -> None:
        """A constant input, in which every type is right, may still be none that the operation takes."""
        if (refused := operation.refuse(given.render({}))) is None:
            return
        field, reason = refused
        fields = given.fields or {}
        place = fields[field].node if field in fields else given.node if fields else uses
        self._report.add(self._source.of(place), "input", reason)

    def _unknown(self, given: Template, name: str, wanted: Object, what: str) -> None:
        assert isinstance(given.node, document.Mapping)  # noqa: S101 - only mappings have fields
        hint = did_you_mean(name, wanted.fields) if wanted.fields else "it takes none"
        place = self._source.of(given.node.entries[name].key)
        self._report.add(place, "unknown-input", f"{what} has no input {quoted(name)}", hint)

    def _value(self, value: Template, wanted: Type, name: str) -> None:
        objects = [part for part in types.parts(wanted) if isinstance(part, Object)]
        lists = [part for part in types.parts(wanted) if isinstance(part, ListOf)]
        if value.fields is not None and len(objects) == 1:
            self._object(value, objects[0], name, value.node)
        elif value.items is not None and len(lists) == 1:
            for item in value.items:
                self._value(item, lists[0].item, f"an item of {name}")
        elif not types.assignable(value.type, wanted):
            self._complain(value, wanted, name)

    def _complain(self, value: Template, wanted: Type, name: str) -> None:
        place = self._source.of(value.node)
        kind = value.type
        if types.nullable(kind) and types.assignable(types.without_null(kind), wanted):
            self._report.add(
                place, "nullable", f"{shortened(name)} may be null, but {wanted} is expected", _default(value)
            )
            return
        constant = types.constant(kind)
        widened = kind if types.words_of(wanted) else types.widened(kind)
        shown = quoted(constant) if isinstance(constant, str) else str(widened)
        self._report.add(place, "type", f"{shortened(name)} is {shown}, but {wanted} is expected", _hint(value, wanted))


def _is_constant(node: Node) -> bool:
    if isinstance(node, document.Mapping):
        return all(_is_constant(entry.value) for entry in node.entries.values())
    if isinstance(node, document.Sequence):
        return all(map(_is_constant, node.items))
    return "${{" not in node.text


def _example(wanted: Object) -> str:
    return next(iter([*sorted(wanted.required), *wanted.fields]), "name")


def _text(expression: Expression) -> str:
    return shortened(expression.text)


def _default(value: Template) -> str:
    if value.expression is None:
        return "add a default with `??`"
    text = _text(value.expression)
    path = isinstance(value.expression.tree, (tree.Name, tree.Field))
    condition = f", or add `if: {text} != null` above" if path else ""
    return f"write ${{{{ {text if path else f'({text})'} ?? 'a default' }}}}{condition}"


def _hint(value: Template, wanted: Type) -> str | None:
    kind = value.type
    lists = [part.item for part in types.parts(wanted) if isinstance(part, ListOf)]
    objects = [part for part in types.parts(wanted) if isinstance(part, Object)]
    if kind == types.NULL:
        return "give it a value, or remove the line"
    if isinstance(constant := types.constant(kind), str) and isinstance(value.node, document.Scalar):
        return _hint_for_text(constant, value.node, wanted) or _hint_for_parts(lists, objects)
    if types.assignable(types.without_null(kind), types.NUMBER) and types.assignable(STR, wanted):
        return f"write ${{{{ string({_text(value.expression)}) }}}}" if value.expression else "put it in quotes"
    if constant is not None and types.assignable(STR, wanted):
        return "put it in quotes"
    return _hint_for_parts(lists, objects)


def _hint_for_text(text: str, node: document.Scalar, wanted: Type) -> str | None:
    if words := types.words_of(wanted):
        return did_you_mean(text, words)
    if types.assignable(TIME, wanted):
        return "write one such as 2026-03-25T10:30:00Z"
    if types.assignable(types.DURATION, wanted):
        return "write one such as 30s"
    if types.assignable(types.BOOL, wanted):
        return "write true or false without quotes"
    return "remove the quotes" if _is_number(node) and types.assignable(types.INT, wanted) else None


def _hint_for_parts(lists: list[Type], objects: list[Object]) -> str | None:
    if lists:
        return "write it as a list: [ … ]"
    return f"write its fields: {{{_example(objects[0])}: …}}" if objects else None


def _is_number(node: document.Scalar) -> bool:
    return node.style is not None and node.text.replace(".", "", 1).isdecimal()
