"""Checks and compiles the steps of a flow, one after the other: each sees those before it."""

from dataclasses import dataclass

from connector.flows import document, types
from connector.flows.catalogue import Catalogue, Operation
from connector.flows.document import Node, Source
from connector.flows.expressions import tree
from connector.flows.expressions.inference import Known, facts
from connector.flows.flow import Retry, Step
from connector.flows.inputs import Inputs
from connector.flows.keys import Keys
from connector.flows.problems import Report, did_you_mean
from connector.flows.slots import Expression, Slots
from connector.flows.types import ANY, BOOL, NULL, TIME, Object, Simple, Type

STEP_KEYS = (
    "id",
    "name",
    "uses",
    "with",
    "connection",
    "if",
    "not_after",
    "retry",
    "timeout",
    "continue_on_error",
)
DEFAULT_TIMEOUT = 300.0
RESERVED = frozenset("trigger steps status vars config run error item index inputs approve true false null in".split())
STATUS = Simple("str", words=("succeeded", "failed", "skipped"))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What later steps know of a step."""

    output: Type
    guards: frozenset[str] | None
    """The parts of its condition; None where more than its condition decides whether it has an output."""


class Steps:
    """The steps of one file; what is wrong goes into the report."""

    def __init__(
        self, source: Source, report: Report, keys: Keys, slots: Slots, inputs: Inputs, catalogue: Catalogue
    ) -> None:
        self._source = source
        self._report = report
        self._keys = keys
        self._slots = slots
        self._inputs = inputs
        self._catalogue = catalogue
        self._seen: dict[str, _Seen] = {}
        self._places: dict[str, Node] = {}

    def read(self, node: Node | None, what: str, known: Known) -> tuple[Step, ...]:
        """The steps of the list at `node`; afterwards `seen_by` knows them."""
        if node is None:
            return ()
        if not isinstance(node, document.Sequence) or not node.items:
            self._keys.complain(node, "type", f"{what} is a list of steps", "start each with `- id: NAME`")
            return ()
        return tuple(step for item in node.items if (step := self._step(item, known)))

    def read_on_error(self, node: Node | None, known: Known) -> tuple[Step, ...]:
        """The steps that run after a failure, when none of the others is sure to have run."""
        self._seen = {name: _Seen(seen.output, None) for name, seen in self._seen.items()}
        return self.read(node, "on_error", known)

    def seen_by(self, known: Known, condition: tree.Node | None = None) -> Known:
        """`known` with the steps so far, as a reader under `condition` sees them."""
        held = _conjuncts(condition) if condition else frozenset[str]()
        fields: dict[str, Type] = {}
        for name, seen in self._seen.items():
            sure = seen.guards is not None and seen.guards <= held
            fields[name] = seen.output if sure else types.union([seen.output, NULL])
        steps = Object("steps", fields, frozenset(fields))
        status = Object("status", dict.fromkeys(fields, STATUS), frozenset(fields))
        return Known({**known.names, "steps": steps, "status": status}, known.not_null)

    def _step(self, node: Node, known: Known) -> Step | None:
        keys = self._keys.mapping(node, "a step", STEP_KEYS)
        if keys is None:
            return None
        step_id = self._id(keys)
        uses = self._keys.text(keys.get("uses"), "uses")
        condition = self._expression(keys.get("if"), self.seen_by(known), BOOL)
        when = condition.tree if condition else None
        inner = self.seen_by(known, when).given(facts(when, when=True) if when else frozenset())
        operation = self._operation(keys, uses)
        step = self._compiled(keys, step_id or "", uses or "", operation, condition, inner)
        if step_id:
            unsure = step is None or step.not_after or step.continue_on_error
            guards = None if unsure else _conjuncts(when) if when else frozenset[str]()
            # A step that did not check is `any` to its readers, so that its fault is reported once.
            self._seen[step_id] = _Seen(operation.output, guards) if operation else _Seen(ANY, frozenset())
        return step

    def _compiled(
        self,
        keys: document.Mapping,
        step_id: str,
        uses: str,
        operation: Operation | None,
        condition: Expression | None,
        known: Known,
    ) -> Step | None:
        not_after = self._expression(keys.get("not_after"), known, TIME)
        retry = self._retry(keys.get("retry"))
        timeout = self._keys.duration(keys.get("timeout"), "timeout", DEFAULT_TIMEOUT)
        given = self._inputs.check(keys, keys.get("with"), uses, operation, known) if operation else None
        if operation is None or given is None:
            return None
        return Step(
            id=step_id,
            name=self._keys.text(keys.get("name"), "name"),
            uses=uses,
            connection=self._inputs.connection(keys.get("connection"), uses, self._catalogue),
            condition=condition,
            not_after=not_after,
            input=given,
            retry=retry,
            timeout=timeout,
            continue_on_error=self._keys.boolean(keys.get("continue_on_error"), "continue_on_error", default=False),
        )

    def _id(self, keys: document.Mapping) -> str | None:
        node = keys.get("id")
        if node is None:
            self._keys.complain(keys, "missing-key", "a step needs the key 'id'", "add `id: NAME`")
            return None
        step_id = self._keys.word(node, "the step's id", r"[a-z][a-z0-9_]{0,62}", "find_contact")
        if step_id in RESERVED:
            hint = "add a word, as in the_run"
            self._keys.complain(node, "name", f"{step_id!r} is a word of the language", hint)
            return None
        if step_id in self._places:
            first = self._source.of(self._places[step_id])
            message = f"there are two steps {step_id!r}, the first in line {first.line}"
            self._keys.complain(node, "duplicate-step", message, "give this one another id")
            return None
        if step_id:
            self._places[step_id] = node
        return step_id

    def _operation(self, keys: document.Mapping, uses: str | None) -> Operation | None:
        if uses is None:
            if keys.get("uses") is None:
                self._keys.complain(keys, "missing-key", "a step needs the key 'uses'", "add `uses: ACTION`")
            return None
        if (operation := self._catalogue.actions.get(uses)) is None:
            hint = did_you_mean(uses, self._catalogue.actions)
            if uses in self._catalogue.triggers:
                hint = "it is a trigger: use it under `trigger`"
            self._keys.complain(keys.entries["uses"].value, "unknown-action", f"there is no action {uses!r}", hint)
        return operation

    def _expression(self, node: Node | None, known: Known, wanted: Type) -> Expression | None:
        return self._slots.expression(node, known, wanted) if node is not None else None

    def _retry(self, node: Node | None) -> Retry:
        keys = self._keys.mapping(node, "retry", ("max_attempts", "delay", "max_delay"))
        if keys is None:
            return Retry()
        standard = Retry()
        return Retry(
            self._keys.integer(keys.get("max_attempts"), "max_attempts", standard.max_attempts, 100),
            self._keys.duration(keys.get("delay"), "delay", standard.delay),
            self._keys.duration(keys.get("max_delay"), "max_delay", standard.max_delay),
        )


def _conjuncts(node: tree.Node) -> frozenset[str]:
    if isinstance(node, tree.Binary) and node.operator == "&&":
        return _conjuncts(node.left) | _conjuncts(node.right)
    return frozenset({tree.render(node)})
