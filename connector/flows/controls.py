"""Checks and compiles the steps that call nothing: waits, approvals, branches, the end."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from connector.flows import document, parameters, types
from connector.flows.catalogue import Catalogue
from connector.flows.document import Node
from connector.flows.expressions import tree
from connector.flows.expressions.narrowing import Known, Path, path_of
from connector.flows.flow import Approve, Kind, OnTimeout, Step, Stop, Switch, Wait, WaitFor
from connector.flows.inputs import Inputs
from connector.flows.keys import Keys
from connector.flows.problems import did_you_mean, quoted, shortened
from connector.flows.slots import Expression, Slots
from connector.flows.types import ANY, BOOL, NULL, NUMBER, STR, TIME, Type

WAIT_KEYS = ("until",)
WAIT_FOR_KEYS = ("uses", "with", "connection", "match", "timeout")
APPROVE_KEYS = ("title", "form", "notify", "timeout", "on_timeout")
SWITCH_KEYS = ("on", "cases", "default")
ON_TIMEOUT: tuple[OnTimeout, ...] = ("reject", "approve", "fail")

NOTHING = types.record("a step without output", {})
APPROVAL = types.record("approve", {"title": STR})
_ANSWER = {"approved": BOOL, "by": types.union([STR, NULL]), "at": TIME}
_CASE = types.Union((STR, NUMBER, BOOL, NULL))


class ReadSteps(Protocol):
    """Reads the steps inside the step: with `names` beside what it knows, where there is something at `proved`."""

    def __call__(
        self, node: Node | None, what: str, names: Mapping[str, Type], proved: Path | None, /
    ) -> Sequence[Step]: ...


class Controls:
    def __init__(self, keys: Keys, slots: Slots, inputs: Inputs, catalogue: Catalogue) -> None:
        self._keys = keys
        self._slots = slots
        self._inputs = inputs
        self._catalogue = catalogue

    def read(self, kind: str, step: document.Mapping, known: Known, inner: ReadSteps) -> tuple[Kind | None, Type]:
        """What the step does, None where it does not check, and the type of its output."""
        node = step.entries[kind].value
        if kind == "wait":
            return self._wait(node, known), NOTHING
        if kind == "wait_for":
            return self._wait_for(node, known)
        if kind == "approve":
            return self._approve(node, known, inner)
        if kind == "switch":
            return self._switch(node, known, inner), NOTHING
        return Stop(self._slots.text(node, known, "stop")), NOTHING

    def _wait(self, node: Node, known: Known) -> Wait | None:
        if isinstance(node, document.Scalar) and _is_computed(node.text):
            hint = f'write wait: {{until: "{shortened(node.text)}"}}'
            self._keys.complain(node, "duration", "wait is a duration, and until is a time", hint)
            return None
        if not isinstance(node, document.Mapping):
            return Wait(self._keys.duration(node, "wait", 0.0))
        keys = self._keys.mapping(node, "wait", WAIT_KEYS)
        until = self._keys.require(node, "until", "wait", WAIT_KEYS, "TIME")
        if keys is None or until is None:
            return None
        expression = self._slots.expression(until, known, TIME)
        return Wait(0.0, expression) if expression else None

    def _wait_for(self, node: Node, known: Known) -> tuple[WaitFor | None, Type]:
        example = "write wait_for: {uses: TRIGGER, match: event.FIELD == …, timeout: 1d}"
        keys = self._keys.mapping(node, "wait_for", WAIT_FOR_KEYS, example)
        if keys is None:
            return None, ANY
        uses, operation = self._inputs.trigger(keys, "wait_for", WAIT_FOR_KEYS, self._catalogue)
        event = operation.output if operation else ANY
        match = None
        if (at := self._keys.require(keys, "match", "wait_for", WAIT_FOR_KEYS, "event.FIELD == …")) is not None:
            match = self._slots.expression(at, known.with_names({"event": event}), BOOL)
        is_any = match is not None and isinstance(match.tree, tree.Literal)  # `true` takes whatever comes
        if match is not None and at is not None and not is_any and not tree.reads(match.tree, "event"):
            message = "match reads nothing of the event, so that anybody's would match"
            self._keys.complain(at, "comparison", message, "compare a field of it, as in event.FIELD == …")
        limit = self._keys.require(keys, "timeout", "wait_for", WAIT_FOR_KEYS, "1d")
        timeout = self._keys.duration(limit, "timeout", 0.0)
        output = types.union([event, NULL])
        if operation is None:
            return None, output
        connection = self._inputs.connection(keys.get("connection"), uses, self._catalogue)
        constants = self._inputs.constants(keys, uses, operation)
        return (WaitFor(uses, connection, constants, match, timeout) if match else None), output

    def _approve(self, node: Node, known: Known, inner: ReadSteps) -> tuple[Approve | None, Type]:
        keys = self._keys.mapping(node, "approve", APPROVE_KEYS, "write approve: {title: …, timeout: 1d}")
        if keys is None:
            return None, ANY
        at = self._keys.require(keys, "title", "approve", APPROVE_KEYS, "WHAT IS ASKED")
        title = self._slots.text(at, known, "title") if at is not None else None
        form = parameters.read(self._keys, keys.get("form"), "form")
        for name in form.keys() & _ANSWER.keys():
            self._refuse_field(keys.get("form"), name)
        notify = inner(keys.get("notify"), "notify", {"approve": APPROVAL}, None)
        timeout = self._keys.duration(keys.get("timeout"), "timeout", 0.0) or None
        on_timeout = self._keys.choice(keys.get("on_timeout"), "on_timeout", ON_TIMEOUT, "reject")
        fields = {name: one.type if not one.required else types.union([one.type, NULL]) for name, one in form.items()}
        output = types.record("approval", {**_ANSWER, **fields})
        return (Approve(title, form, notify, timeout, on_timeout) if title else None), output

    def _refuse_field(self, form: Node | None, name: str) -> None:
        """A field of a form that each answer has already."""
        if isinstance(form, document.Mapping):
            message = f"each answer has {name!r} already, beside the form"
            self._keys.complain(form.entries[name].key, "name", message, "give the field another name")

    def _switch(self, node: Node, known: Known, inner: ReadSteps) -> Switch | None:
        keys = self._keys.mapping(node, "switch", SWITCH_KEYS, "write switch: {on: …, cases: {VALUE: [STEPS]}}")
        if keys is None:
            return None
        at = self._keys.require(keys, "on", "switch", SWITCH_KEYS, "trigger.FIELD")
        on = self._slots.expression(at, known, _CASE) if at is not None else None
        cases = self._keys.require(keys, "cases", "switch", SWITCH_KEYS, "{VALUE: [STEPS]}")
        found = self._cases(cases, on, inner)
        default = inner(keys.get("default"), "default", {}, None)
        return Switch(on, found, default) if on else None

    def _cases(
        self, node: Node | None, on: Expression | None, inner: ReadSteps
    ) -> Sequence[tuple[Any, Sequence[Step]]]:
        keys = self._keys.mapping(node, "cases", None, "write VALUE: and its steps below it")
        path = path_of(on.tree) if on else None
        found = []
        for entry in keys.entries.values() if keys else ():
            value = self._case(entry.key, on)
            proved = path if value is not None else None
            found.append((value, inner(entry.value, f"the case {entry.key.text}", {}, proved)))
        return found

    def _case(self, key: document.Scalar, on: Expression | None) -> Any:
        """The value that `on` must have."""
        kind = on.type if on else ANY
        wanted = types.without_null(kind)
        if key.value is None and (kind == ANY or types.nullable(kind)):
            return None
        value = key.text if wanted != ANY and types.assignable(wanted, STR) else key.value
        if on is not None and (value is None or not types.comparable(types.literal(value), wanted)):
            shown = quoted(value) if isinstance(value, str) else key.text
            message = f"{shortened(on.text)} is {wanted}, and never {shown}"
            self._keys.complain(key, "comparison", message, _hint_for_case(key, wanted))
        return value


def _is_computed(text: str) -> bool:
    """Whether an expression was probably meant."""
    return re.match(r"[a-z_]+[.(]", text) is not None


def _hint_for_case(key: document.Scalar, wanted: Type) -> str | None:
    if words := types.words_of(wanted):
        return did_you_mean(key.text, words)
    if types.assignable(wanted, BOOL):
        return "write true or false without quotes"
    is_number = key.text.replace(".", "", 1).isdecimal()
    return f"write {key.text} without quotes" if is_number and types.assignable(wanted, NUMBER) else None
