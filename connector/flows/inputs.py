"""Checks what a trigger or a step gives as input against what its operation takes."""

from collections.abc import Collection, Mapping
from typing import Any

from connector.errors import ConstantError
from connector.flows import document, types
from connector.flows.catalogue import Catalogue, Operation
from connector.flows.document import Node, Source
from connector.flows.expressions import advice, tree
from connector.flows.expressions.functions import EvaluationError
from connector.flows.expressions.narrowing import Known
from connector.flows.keys import Keys
from connector.flows.problems import Report, closest, did_you_mean, quoted, shortened
from connector.flows.slots import Expression, Slots, Template
from connector.flows.types import STR, TIME, ListOf, Object, Type

DEFAULT_CONNECTION = "default"


class Inputs:
    def __init__(self, source: Source, report: Report, keys: Keys, slots: Slots) -> None:
        self._source = source
        self._report = report
        self._keys = keys
        self._slots = slots

    def check(self, owner: document.Mapping, uses: str, operation: Operation, known: Known) -> Template | None:
        """The input under `with`, an empty mapping where there is none; None where it is no mapping."""
        node = owner.get("with")
        if self._keys.is_misspelt(owner, "with"):
            return None
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

    def decide(self, given: Template, uses: str, operation: Operation) -> tuple[Operation, Mapping[str, Any]]:
        """The operation as the constants of the input make it, and these."""
        fields = {name: field for name, field in (given.fields or {}).items() if name in operation.constants}
        for name, field in fields.items():
            if not _is_constant(field.node):
                message = f"{name} decides what {uses} is, so it is no place for an expression"
                self._report.add(self._source.of(field.node), "expression", message, "write it out")
                return operation, {}
        constants = {name: field.render({}) for name, field in fields.items()}
        try:
            return operation.given(constants), constants
        except ConstantError as error:
            place = fields[error.name].node if error.name in fields else given.node
            self._report.add(self._source.of(place), "input", str(error))
            return operation, {}

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
            if (owner := catalogue.connections.get(node.text)) is not None:
                message = (
                    f"the connection {quoted(node.text)} is for the connector {quoted(owner)}, not for {connector!r}"
                )
                hint = f"write `connector: {connector}` in connections.yaml, or name another connection"
            self._report.add(self._source.of(node), "unknown-connection", message, hint)
        return node.text

    def trigger(
        self, keys: document.Mapping, what: str, known: Collection[str], catalogue: Catalogue
    ) -> tuple[str, Operation | None]:
        """The trigger that is used."""
        node = self._keys.require(keys, "uses", what, known, "TRIGGER")
        uses = self._keys.text(node, "uses")
        if node is None or uses is None:
            return "", None
        if (operation := catalogue.triggers.get(uses)) is None:
            hint = did_you_mean(uses, catalogue.triggers)
            if uses in catalogue.actions:
                hint = "it is an action: use it in a step"
            self._keys.complain(node, "unknown-trigger", f"there is no trigger {quoted(uses)}", hint)
        return uses, operation

    def constants(self, keys: document.Mapping, uses: str, operation: Operation) -> Mapping[str, Any]:
        """The input of a trigger, in which expressions have no names to use."""
        given = self.check(keys, uses, operation, Known({}))
        if given is None or self._report.problems():
            return {}
        try:
            values: Mapping[str, Any] = given.render({})
        except EvaluationError as error:
            self._keys.complain(given.node, "expression", str(error), "write a constant")
            return {}
        return values

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
        as_long = [part for part in lists if value.items is not None and _may_have(part, len(value.items))]
        if value.fields is not None and objects:
            self._one_of(value, objects, wanted, name)
        elif value.items is not None and lists and len(as_long) < 2:
            self._items(value, as_long, wanted, name)
        elif not types.assignable(value.type, wanted):
            self._complain(value, wanted, name)
        elif not types.surely_assignable(value.type, wanted):
            message = f"{shortened(name)} is {value.type}: nothing checks that it is {wanted}"
            hint = advice.for_any(_text(value.expression), wanted) if value.expression is not None else None
            self._report.add_unchecked(self._source.of(value.node), message, hint)

    def _one_of(self, value: Template, objects: list[Object], wanted: Type, name: str) -> None:
        """The fields of an object: where there are several kinds of it, those of the one that its constants name."""
        fields, tag = value.fields or {}, _tag(objects)
        meant = [part for part in objects if _names(fields, part)]
        words = types.union(part.fields[tag] for part in objects) if tag is not None else types.ANY
        if len(objects) == 1 or len(meant) == 1:
            self._object(value, (meant or objects)[0], name, value.node)
        elif tag is not None and tag not in fields:
            message = f"{shortened(name)} needs the input {tag!r} ({words})"
            self._report.add(self._source.of(value.node), "missing-input", message, f"add `{tag}: …`")
        elif tag is not None and not types.assignable(fields[tag].type, words):
            self._value(fields[tag], words, tag)
        elif not types.assignable(value.type, wanted):
            self._complain(value, wanted, name)

    def _items(self, value: Template, as_long: list[ListOf], wanted: Type, name: str) -> None:
        items = value.items or ()
        if not as_long:
            count = "1 item" if len(items) == 1 else f"{len(items)} items"
            message = f"{shortened(name)} has {count}, but {wanted} is expected"
            self._report.add(self._source.of(value.node), "type", message)
            return
        kinds = as_long[0].positions or [as_long[0].item] * len(items)
        for item, kind in zip(items, kinds, strict=True):
            self._value(item, kind, f"an item of {name}")

    def _complain(self, value: Template, wanted: Type, name: str) -> None:
        place = self._source.of(value.node)
        kind = value.type
        if types.nullable(kind) and types.assignable(types.without_null(kind), wanted):
            self._report.add(
                place, "nullable", f"{shortened(name)} may be null, but {wanted} is expected", _default(value, wanted)
            )
            return
        constant = types.constant(kind)
        widened = kind if types.words_of(wanted) else types.widened(kind)
        shown = quoted(constant) if isinstance(constant, str) else str(widened)
        self._report.add(place, "type", f"{shortened(name)} is {shown}, but {wanted} is expected", _hint(value, wanted))


def _may_have(kind: ListOf, number: int) -> bool:
    return kind.positions is None or len(kind.positions) == number


def _names(fields: Mapping[str, Template], wanted: Object) -> bool:
    """Whether no constant among the fields is a word that `wanted` does not have there."""
    return all(
        types.assignable(field.type, wanted.fields[name])
        for name, field in fields.items()
        if name in wanted.fields and types.constant(field.type) is not None and types.has_words(wanted.fields[name])
    )


def _tag(objects: list[Object]) -> str | None:
    """The field by which the kinds of an object are told apart, which each of them needs."""
    shared = [name for name in objects[0].fields if all(name in part.required for part in objects)]
    return next((name for name in shared if all(types.has_words(part.fields[name]) for part in objects)), None)


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


_DEFAULTS: Mapping[Type, str] = {STR: "'a default'", types.INT: "0", types.BOOL: "false", ListOf(types.NEVER): "[]"}


def _default(value: Template, wanted: Type) -> str:
    if value.expression is None:
        return "add a default with `??`"
    text = _text(value.expression)
    path = isinstance(value.expression.tree, (tree.Name, tree.Field))
    condition = f", or add `if: {text} != null` above" if path else ""
    default = next((word for kind, word in _DEFAULTS.items() if types.assignable(kind, wanted)), "'a default'")
    return f"write ${{{{ {text if path else f'({text})'} ?? {default} }}}}{condition}"


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
    if value.expression is not None and kind != types.ANY and types.assignable(types.INT, wanted):
        text = _text(value.expression)
        if types.assignable(kind, types.NUMBER):
            return f"write ${{{{ int({text}) }}}}"
        if types.assignable(kind, STR):
            return f"write ${{{{ {'number' if types.assignable(types.NUMBER, wanted) else 'int'}({text}) ?? 0 }}}}"
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
