"""Checks and compiles the steps of a flow, one after the other: each sees those before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from connector.flows import document, types
from connector.flows.calls import CALL_KEYS, Called, Calls
from connector.flows.controls import Controls
from connector.flows.document import Node
from connector.flows.expressions import tree
from connector.flows.expressions.narrowing import Known, Path
from connector.flows.expressions.tree import RESERVED
from connector.flows.flow import Call, Each, Kind, Step, Stop
from connector.flows.keys import WORD, Keys
from connector.flows.slots import Expression, Slots
from connector.flows.types import ANY, BOOL, NULL, TIME, ListOf, Simple, Type

STEP_KEYS = ("id", "name", "if", "not_after")
KINDS: Mapping[str, Sequence[str]] = {
    "uses": CALL_KEYS,
    "wait": ("wait",),
    "wait_for": ("wait_for",),
    "approve": ("approve",),
    "switch": ("switch",),
    "stop": ("stop",),
}
"""The keys of each kind of step; one of those on the left says which it is."""

STATUS = Simple("str", words=("succeeded", "failed", "skipped"))
# After a failure a step may also be held, or never have been reached.
STATUS_AFTER_FAILURE = types.union([Simple("str", words=(*(STATUS.words or ()), "held")), NULL])


@dataclass(frozen=True, slots=True)
class _Seen:
    """What later steps know of a step."""

    output: Type
    unsure: Type
    """`output` or null."""
    status: Type
    guards: frozenset[str] | None
    """The parts of its condition; None where more than its condition decides whether it has an output."""
    is_empty_handed: bool
    """Whether it may succeed and have no output all the same."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around a step."""

    known: Known
    """Without the steps before it."""
    held: frozenset[str] = frozenset()
    """The parts of the conditions under which it is reached."""
    in_on_error: bool = False
    supposed: bool = False
    """Whether a condition cannot be read, which may say that nothing is null."""

    def with_names(self, names: Mapping[str, Type]) -> "_Around":
        return replace(self, known=self.known.with_names(names))

    def under(self, condition: Expression | None, *, supposed: bool) -> "_Around":
        """The same where the condition is true; `supposed` where it cannot be read."""
        if condition is None:
            return replace(self, supposed=self.supposed or supposed)
        held = self.held | _conjuncts(condition.tree)
        return replace(self, known=self.known.given(condition.tree), held=held)


@dataclass(frozen=True, slots=True)
class _Head:
    """What every step has."""

    id: str | None
    keys: document.Mapping
    condition: Expression | None

    @property
    def is_conditional(self) -> bool:
        return self.keys.get("if") is not None or self.is_limited

    @property
    def is_limited(self) -> bool:
        return self.keys.get("not_after") is not None

    @property
    def guards(self) -> frozenset[str]:
        return _conjuncts(self.condition.tree) if self.condition else frozenset()


class Steps:
    """The steps of one file; what is wrong goes into the report."""

    def __init__(self, keys: Keys, slots: Slots, calls: Calls, controls: Controls) -> None:
        self._keys = keys
        self._slots = slots
        self._calls = calls
        self._controls = controls
        self._seen: dict[str, _Seen] = {}
        self._places: dict[str, Node] = {}
        self._has_nameless = False
        self.stops = False
        """Whether a step may stop the flow."""

    def read(self, node: Node | None, known: Known) -> tuple[tuple[Step, ...], Known]:
        """The steps of the list at `node`, and what is known after them."""
        steps, around = self._list(node, "steps", _Around(known))
        return steps, self._seen_by(around)

    def read_on_error(self, node: Node | None, known: Known) -> tuple[Step, ...]:
        """The steps that run after a failure, when none of the others is sure to have run."""
        self._seen = {
            name: replace(seen, status=STATUS_AFTER_FAILURE, guards=None) for name, seen in self._seen.items()
        }
        return self._list(node, "on_error", _Around(known, in_on_error=True))[0]

    def _seen_by(self, around: _Around) -> Known:
        """What is known there, with the steps so far."""
        outputs = {
            name: seen.output if seen.guards is not None and seen.guards <= around.held else seen.unsure
            for name, seen in self._seen.items()
        }
        statuses = {name: seen.status for name, seen in self._seen.items()}
        names: dict[str, Type] = {"steps": types.record("steps", outputs), "status": types.record("status", statuses)}
        if self._has_nameless:  # it is probably the one that a reader does not find, and in the report already
            names = dict.fromkeys(names, ANY)
        empty_handed = frozenset(name for name, seen in self._seen.items() if seen.is_empty_handed)
        known = replace(around.known.with_names(names), empty_handed=empty_handed)
        return known.supposing() if around.supposed else known

    def _list(self, node: Node | None, what: str, around: _Around) -> tuple[tuple[Step, ...], _Around]:
        if node is None:
            return (), around
        found: list[Step] = []
        items = self._keys.items(node, what, "start each with `- id: NAME`")
        for position, item in enumerate(items):
            if (step := self._step(item, around)) is not None:
                found.append(step)
                if isinstance(step.does, Stop):
                    around = self._after_stop(step, around, items[position + 1 :])
        return tuple(found), around

    def _after_stop(self, step: Step, around: _Around, rest: Sequence[Node]) -> _Around:
        """What comes after a `stop` runs only where its condition is false."""
        if step.condition is None and step.not_after is None and rest:
            message = f"the steps after {step.id or 'a stop'} never run"
            self._keys.complain(rest[0], "unreachable", message, "give the stop an `if`, or remove them")
        if step.condition is None or step.not_after is not None:
            return around
        return replace(around, known=around.known.given(step.condition.tree, when=False))

    def _step(self, node: Node, around: _Around) -> Step | None:
        if (found := self._keys.mapping(node, "a step", None, "start it with `- id: NAME`")) is None:
            return None
        kind = self._kind(found)
        # Where it is of two kinds, that is said already.
        others = [other for other in KINDS if other in found.entries and other not in KINDS[kind]]
        called = self._calls.find(found, STEP_KEYS) if kind == "uses" else None
        strays = called.strays if called else ()
        keys = self._keys.mapping(found, _called(kind), (*STEP_KEYS, *KINDS[kind], *others, *strays)) or found
        step_id = self._id(keys)
        each, names = self._calls.each(keys, self._seen_by(around)) if called else (None, {})
        around = around.with_names(names)
        condition = self._expression(keys, "if", self._seen_by(around), BOOL)
        inside = around.under(condition, supposed=keys.get("if") is not None)
        not_after = self._expression(keys, "not_after", self._seen_by(inside), TIME)
        head = _Head(step_id, keys, condition)
        does = self._call(head, called, each, inside) if called else self._other(head, kind, inside)
        name = self._keys.text(keys.get("name"), "name")
        self._has_nameless |= step_id is None
        return Step(step_id or "", name, condition, not_after, does) if does else None

    def _call(self, head: _Head, called: Called, each: Each | None, inside: _Around) -> Call | None:
        call, output, unsure = self._calls.read(head.keys, called, each, self._seen_by(inside))
        if head.keys.get("for_each") is not None:
            item = types.union([output, NULL]) if unsure or head.is_conditional else output
            goes_on = call is not None and call.continue_on_error
            self._remember(head, ListOf(item), None if goes_on else frozenset())
        else:
            self._remember(head, output, None if unsure or head.is_limited else head.guards)
        return call

    def _other(self, head: _Head, kind: str, inside: _Around) -> Kind | None:
        aside: dict[str, _Seen] = {}

        def read_steps(node: Node | None, what: str, names: Mapping[str, Type], proved: Path | None) -> Sequence[Step]:
            there, before = inside.with_names(names), {*self._seen}
            steps, _ = self._list(node, what, replace(there, known=there.known.proving(proved)))
            # Those of another case do not see them, and those after the whole step see them as perhaps not done.
            for name in self._seen.keys() - before:
                aside[name] = replace(self._seen.pop(name), guards=None)
            return steps

        if kind == "stop":
            self._may_stop(head, inside)
        does, output = self._controls.read(kind, head.keys, self._seen_by(inside), read_steps)
        self._seen |= aside
        self._remember(head, output, None if head.is_limited else head.guards)
        return does

    def _may_stop(self, head: _Head, around: _Around) -> None:
        self.stops = True
        if around.in_on_error:
            message = "on_error has nothing to stop: the run has failed already"
            hint = "put an `if` at the steps that should not run"
            self._keys.complain(head.keys.entries["stop"].key, "unknown-key", message, hint)

    def _remember(self, head: _Head, output: Type, guards: frozenset[str] | None) -> None:
        """What later steps know. A step that did not check is `any` to them, so that its fault is reported once."""
        if head.id is not None:
            is_empty_handed = types.nullable(output)
            self._seen[head.id] = _Seen(output, types.union([output, NULL]), STATUS, guards, is_empty_handed)

    def _kind(self, keys: document.Mapping) -> str:
        """Which of KINDS the step is."""
        found = [kind for kind in KINDS if kind in keys.entries]
        for other in found[1:]:
            message = f"a step has either {found[0]} or {other}"
            self._keys.complain(keys.entries[other].key, "unknown-key", message, "make two steps of it")
        if not found:
            self._keys.require(keys, "uses", "a step", (*STEP_KEYS, *KINDS, *CALL_KEYS), "ACTION")
        return found[0] if found else "uses"

    def _id(self, keys: document.Mapping) -> str | None:
        node = self._keys.require(keys, "id", "a step", (*STEP_KEYS, *KINDS), "NAME")
        expected = "expected lower-case letters, digits and _, such as find_contact"
        step_id = self._keys.word(node, "a step's id", WORD, expected)
        if node is None or step_id is None:
            return None
        if step_id in RESERVED:
            message = f"{step_id!r} is a word of the language"
            self._keys.complain(node, "name", message, f"add a word, as in the_{step_id}")
        if step_id in self._places:
            line = self._keys.place(self._places[step_id]).line
            message = f"there are two steps {step_id!r}, the first in line {line}"
            self._keys.complain(node, "duplicate-step", message, "give this one another id")
            return None
        self._places[step_id] = node
        return step_id

    def _expression(self, keys: document.Mapping, key: str, known: Known, wanted: Type) -> Expression | None:
        node = keys.get(key)
        return self._slots.expression(node, known, wanted) if node is not None else None


def _called(kind: str) -> str:
    """What messages call a step of that kind."""
    return "a step" if kind == "uses" else f"a step with {kind}"


def _conjuncts(node: tree.Node) -> frozenset[str]:
    """The parts that `&&` joins, as texts that are equal where the parts mean the same."""
    if isinstance(node, tree.Binary) and node.operator == "&&":
        return _conjuncts(node.left) | _conjuncts(node.right)
    return frozenset({tree.render(node)})
