"""Checks and compiles the steps of a flow, one after the other: each sees those before it."""

from dataclasses import dataclass, replace

from connector.flows import document, types
from connector.flows.catalogue import Catalogue, Operation
from connector.flows.document import Node, Source
from connector.flows.expressions import tree
from connector.flows.expressions.narrowing import Known
from connector.flows.flow import Retry, Step
from connector.flows.inputs import Inputs
from connector.flows.keys import NOT_YET, Keys
from connector.flows.problems import Report, did_you_mean, quoted
from connector.flows.slots import Expression, Slots
from connector.flows.types import ANY, BOOL, NULL, TIME, Simple, Type

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
RETRY_KEYS = ("max_attempts", "delay", "max_delay")
DEFAULT_TIMEOUT = 300.0
MOST_ATTEMPTS = 100
RESERVED = frozenset("trigger steps status vars config run error item index inputs approve true false null in".split())

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
        self._has_nameless = False

    def read(self, node: Node | None, what: str, known: Known) -> tuple[Step, ...]:
        """The steps of the list at `node`; afterwards `seen_by` knows them."""
        if node is None:
            return ()
        items = self._keys.items(node, what, "start each with `- id: NAME`")
        return tuple(step for item in items if (step := self._step(item, known)))

    def read_on_error(self, node: Node | None, known: Known) -> tuple[Step, ...]:
        """The steps that run after a failure, when none of the others is sure to have run."""
        self._seen = {
            name: replace(seen, status=STATUS_AFTER_FAILURE, guards=None) for name, seen in self._seen.items()
        }
        return self.read(node, "on_error", known)

    def seen_by(self, known: Known, condition: tree.Node | None = None) -> Known:
        """`known` with the steps so far, as a reader under `condition` sees them."""
        held = _conjuncts(condition) if condition else frozenset[str]()
        outputs = {
            name: seen.output if seen.guards is not None and seen.guards <= held else seen.unsure
            for name, seen in self._seen.items()
        }
        statuses = {name: seen.status for name, seen in self._seen.items()}
        names: dict[str, Type] = {"steps": types.record("steps", outputs), "status": types.record("status", statuses)}
        if self._has_nameless:  # it is probably the one that a reader does not find, and in the report already
            names = dict.fromkeys(names, ANY)
        return Known({**known.names, **names}, known.not_null)

    def _step(self, node: Node, known: Known) -> Step | None:
        keys = self._keys.mapping(node, "a step", STEP_KEYS, "start it with `- id: NAME`")
        if keys is None:
            return None
        step_id = self._id(keys)
        uses, operation = self._operation(keys)
        condition = self._expression(keys, "if", self.seen_by(known), BOOL)
        when = condition.tree if condition else None
        inner = self.seen_by(known, when).given(when)
        if condition is None and keys.get("if") is not None:
            inner = inner.supposing()
        step = self._compiled(keys, step_id or "", uses, operation, condition, inner)
        if step_id:
            unsure = keys.get("not_after") is not None or (step is not None and step.continue_on_error)
            unsure = unsure or (operation is not None and operation.left_out)
            guards = None if unsure else _conjuncts(when) if when else frozenset[str]()
            # A step that did not check is `any` to its readers, so that its fault is reported once.
            output = operation.output if operation else ANY
            self._seen[step_id] = _Seen(output, types.union([output, NULL]), STATUS, guards)
        self._has_nameless |= step_id is None
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
        """The step under its condition. Where an operation is missing the other keys are read all the same."""
        read = self._keys
        not_after = self._expression(keys, "not_after", known, TIME)
        given = self._inputs.check(keys, uses, operation, known) if operation else None
        name = read.text(keys.get("name"), "name")
        connection = self._inputs.connection(keys.get("connection"), uses, self._catalogue) if operation else ""
        retry = self._retry(keys.get("retry"))
        timeout = read.duration(keys.get("timeout"), "timeout", DEFAULT_TIMEOUT)
        goes_on = read.boolean(keys.get("continue_on_error"), "continue_on_error", default=False)
        if given is None:
            return None
        return Step(step_id, name, uses, connection, condition, not_after, given, retry, timeout, goes_on)

    def _id(self, keys: document.Mapping) -> str | None:
        node = self._keys.require(keys, "id", "a step", STEP_KEYS, "NAME")
        expected = "expected lower-case letters, digits and _, such as find_contact"
        step_id = self._keys.word(node, "a step's id", r"[a-z][a-z0-9_]{0,62}", expected)
        if node is None or step_id is None:
            return None
        if step_id in RESERVED:
            message = f"{step_id!r} is a word of the language"
            self._keys.complain(node, "name", message, f"add a word, as in the_{step_id}")
        if step_id in self._places:
            first = self._source.of(self._places[step_id])
            message = f"there are two steps {step_id!r}, the first in line {first.line}"
            self._keys.complain(node, "duplicate-step", message, "give this one another id")
            return None
        self._places[step_id] = node
        return step_id

    def _operation(self, keys: document.Mapping) -> tuple[str, Operation | None]:
        if not NOT_YET.isdisjoint(keys.entries):  # most likely another kind of step, which is in the report already
            return "", None
        node = self._keys.require(keys, "uses", "a step", STEP_KEYS, "ACTION")
        uses = self._keys.text(node, "uses")
        if node is None or uses is None:
            return "", None
        if (operation := self._catalogue.actions.get(uses)) is None:
            hint = did_you_mean(uses, self._catalogue.actions)
            if uses in self._catalogue.triggers:
                hint = "it is a trigger: use it under `trigger`"
            self._keys.complain(node, "unknown-action", f"there is no action {quoted(uses)}", hint)
        return uses, operation

    def _expression(self, keys: document.Mapping, key: str, known: Known, wanted: Type) -> Expression | None:
        node = keys.get(key)
        return self._slots.expression(node, known, wanted) if node is not None else None

    def _retry(self, node: Node | None) -> Retry:
        keys = self._keys.mapping(node, "retry", RETRY_KEYS, "write retry: {max_attempts: 3}")
        standard = Retry()
        if keys is None:
            return standard
        attempts = self._keys.integer(keys.get("max_attempts"), "max_attempts", standard.max_attempts, MOST_ATTEMPTS)
        delay = self._keys.duration(keys.get("delay"), "delay", standard.delay)
        longest = self._keys.duration(keys.get("max_delay"), "max_delay", max(delay, standard.max_delay))
        if (node := keys.get("max_delay")) is not None and longest < delay:
            self._keys.complain(
                node, "duration", "max_delay is shorter than delay", "make it as long as delay or longer"
            )
        return Retry(attempts, delay, longest)


def _conjuncts(node: tree.Node) -> frozenset[str]:
    """The parts that `&&` joins, as texts that are equal where the parts mean the same."""
    if isinstance(node, tree.Binary) and node.operator == "&&":
        return _conjuncts(node.left) | _conjuncts(node.right)
    return frozenset({tree.render(node)})
