"""Checks what a trigger or a step gives as input against what its operation takes."""

from connector.flows import document, types
from connector.flows.catalogue import Catalogue, Operation
from connector.flows.document import Node, Source
from connector.flows.expressions.inference import Known
from connector.flows.problems import Report, did_you_mean
from connector.flows.slots import Slots, Template
from connector.flows.types import Object, Simple, Type

DEFAULT_CONNECTION = "default"


class Inputs:
    def __init__(self, source: Source, report: Report, slots: Slots) -> None:
        self._source = source
        self._report = report
        self._slots = slots

    def check(
        self, owner: document.Mapping, node: Node | None, uses: str, operation: Operation, known: Known
    ) -> Template | None:
        """The input under `with`, an empty mapping where there is none; None where it is no mapping."""
        if node is None:
            node = document.Mapping({}, owner.start, owner.start)
        if not isinstance(node, document.Mapping):
            self._report.add(self._source.of(node), "type", "with is a mapping", "write `name: value` lines below it")
            return None
        given = self._slots.template(node, known)
        place = owner.entries["uses"].value
        self._object(given, operation.input, uses, place)
        return given

    def connection(self, node: Node | None, uses: str, catalogue: Catalogue) -> str:
        """The name of the account to use."""
        if not isinstance(node, document.Scalar):
            return DEFAULT_CONNECTION
        connector = uses.partition(".")[0]
        fitting = [name for name, owner in catalogue.connections.items() if owner == connector]
        if node.text not in fitting and node.text != DEFAULT_CONNECTION:
            message = f"there is no {connector} connection {node.text!r}"
            hint = did_you_mean(node.text, fitting) or "add it to connections.yaml"
            self._report.add(self._source.of(node), "unknown-connection", message, hint)
        return node.text

    def _object(self, given: Template, wanted: Object, what: str, place: Node) -> None:
        fields = given.fields or {}
        for name, value in fields.items():
            kind = wanted.fields.get(name, wanted.extra)
            if kind is None:
                self._unknown(given, name, wanted, what)
            else:
                self._value(value, kind, name)
        for name in sorted(wanted.required - fields.keys()):
            message = f"{what} needs the input {name!r} ({wanted.fields.get(name, types.ANY)})"
            self._report.add(self._source.of(place), "missing-input", message, f"add `{name}: …` under with")

    def _unknown(self, given: Template, name: str, wanted: Object, what: str) -> None:
        assert isinstance(given.node, document.Mapping)  # noqa: S101 - only mappings have fields
        hint = did_you_mean(name, wanted.fields)
        key = given.node.entries[name].key
        self._report.add(self._source.of(key), "unknown-input", f"{what} has no input {name!r}", hint)

    def _value(self, value: Template, wanted: Type, name: str) -> None:
        if value.fields is not None and len(objects := _objects(wanted)) == 1:
            self._object(value, objects[0], name, value.node)
            return
        if types.assignable(value.type, wanted):
            return
        place = self._source.of(value.node)
        if types.nullable(value.type) and types.assignable(types.without_null(value.type), wanted):
            hint = "add `?? …` with a default, or a condition"
            self._report.add(place, "nullable", f"{name} may be null, but {wanted} is expected", hint)
            return
        message = f"{name} is {_shown(value.type)}, but {wanted} is expected"
        self._report.add(place, "type", message, _hint(value, wanted))


def _objects(wanted: Type) -> list[Object]:
    return [part for part in types.parts(wanted) if isinstance(part, Object) and (part.fields or part.extra)]


def _shown(kind: Type) -> str:
    if isinstance(kind, Simple) and kind.words and len(kind.words) == 1:
        return repr(kind.words[0])
    return str(types.widened(kind))


def _hint(value: Template, wanted: Type) -> str | None:
    kind = value.type
    if isinstance(kind, Simple) and kind.words and len(kind.words) == 1:
        words = [str(word) for part in types.parts(wanted) if isinstance(part, Simple) for word in part.words or ()]
        if words:
            return did_you_mean(str(kind.words[0]), words)
        if kind.kind == "int" and types.assignable(types.STR, wanted):
            return "put it in quotes to make it text"
        text = kind.words[0]
        if isinstance(text, str) and "${{" not in text and "." in text and " " not in text:
            return f"to compute it, write ${{{{ {text} }}}}"
    if types.assignable(types.TIME, wanted):
        return "expected a time such as 2026-03-25T10:30:00Z"
    return None
