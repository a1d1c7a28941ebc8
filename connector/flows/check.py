"""Checks a flow file as a whole and compiles it: names, inputs, fields, nulls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.flows import document, types
from connector.flows.catalogue import Catalogue, Operation
from connector.flows.document import Node, Source
from connector.flows.expressions.functions import EvaluationError
from connector.flows.expressions.narrowing import Known
from connector.flows.flow import Dedupe, Flow, Step, TriggerUse
from connector.flows.inputs import Inputs
from connector.flows.keys import Keys
from connector.flows.problems import Problem, Report, TooManyProblems, did_you_mean, quoted
from connector.flows.slots import Slots, Template
from connector.flows.steps import Steps
from connector.flows.types import ANY, INT, STR, TIME

FLOW_KEYS = ("flow", "description", "enabled", "trigger", "dedupe", "steps", "on_error", "outputs")
TRIGGER_KEYS = ("uses", "with", "connection", "if", "id")
DEDUPE_KEYS = ("key", "for")

RUN = types.record("run", {"id": STR, "flow": STR, "started_at": TIME})
ERROR = types.record("error", {"step": STR, "action": STR, "message": STR, "kind": STR, "attempts": INT})


@dataclass(frozen=True, slots=True)
class Checked:
    """The flow where it may run, else None; the problems in the order of the file."""

    flow: Flow | None
    problems: Sequence[Problem]
    source: str


def check(content: bytes | str, path: str, catalogue: Catalogue) -> Checked:
    """Check the text of one flow file. `path` is only for the problems. Raises nothing, whatever the text."""
    report = Report(path)
    source = document.decode(content, report)
    flow = None
    try:
        root = None if report.problems() else document.parse(source, report)
        flow = _Checker(source, report, catalogue).flow(root) if root else None
    except TooManyProblems:
        report.add_last()
    problems = report.problems()
    return Checked(None if problems else flow, problems, source.text)


class _Checker:
    def __init__(self, source: Source, report: Report, catalogue: Catalogue) -> None:
        self._source = source
        self._report = report
        self._catalogue = catalogue
        self._keys = Keys(source, report)
        self._slots = Slots(source, report)
        self._inputs = Inputs(source, report, self._slots)

    def flow(self, root: document.Mapping) -> Flow | None:
        self._keys.mapping(root, "a flow", FLOW_KEYS)
        expected = "expected lower-case letters, digits and -, such as lead-to-crm"
        node = self._keys.require(root, "flow", "a flow", FLOW_KEYS, "NAME")
        name = self._keys.word(node, "the flow's name", r"[a-z][a-z0-9-]{0,62}", expected)
        description = self._keys.text(root.get("description"), "the description") or ""
        enabled = self._keys.boolean(root.get("enabled"), "enabled", default=True)
        trigger, known = self._trigger(self._keys.require(root, "trigger", "a flow", FLOW_KEYS, "{uses: TRIGGER}"))
        dedupe = self._dedupe(root.get("dedupe"), known)
        self._keys.require(root, "steps", "a flow", FLOW_KEYS, "[{id: NAME, uses: ACTION}]")
        steps, on_error, outputs = self._body(root, Known({**known.names, "run": RUN}, known.not_null))
        if name is None or trigger is None:
            return None
        return Flow(name, description, enabled, trigger, dedupe, steps, on_error, outputs, self._source.text)

    def _trigger(self, node: Node | None) -> tuple[TriggerUse | None, Known]:
        """The trigger, and what is known of its event where its condition holds."""
        unknown = Known({"trigger": ANY})
        keys = self._keys.mapping(node, "trigger", TRIGGER_KEYS, "write trigger: {uses: TRIGGER}")
        if keys is None:
            return None, unknown
        trigger_id = self._keys.word(keys.get("id"), "the trigger's id", r"[a-z][a-z0-9_]{0,62}", "expected a word")
        uses, operation = self._operation(keys)
        known = Known({"trigger": operation.output}) if operation else unknown
        condition_node = keys.get("if")
        condition = self._slots.expression(condition_node, known, types.BOOL) if condition_node is not None else None
        if condition is not None:
            known = known.given(condition.tree)
        elif condition_node is not None:
            known = known.supposing()
        if operation is None:
            return None, known
        connection = self._inputs.connection(keys.get("connection"), uses, self._catalogue)
        return TriggerUse(uses, connection, self._constants(keys, uses, operation), condition, trigger_id), known

    def _constants(self, keys: document.Mapping, uses: str, operation: Operation) -> Mapping[str, Any]:
        """The input of the trigger, in which expressions have no names to use."""
        given = self._inputs.check(keys, uses, operation, Known({}))
        if given is None or self._report.problems():
            return {}
        try:
            values: Mapping[str, Any] = given.render({})
        except EvaluationError as error:
            self._keys.complain(given.node, "expression", str(error), "write a constant")
            return {}
        return values

    def _operation(self, keys: document.Mapping) -> tuple[str, Operation | None]:
        node = self._keys.require(keys, "uses", "a trigger", TRIGGER_KEYS, "TRIGGER")
        uses = self._keys.text(node, "uses")
        if node is None or uses is None:
            return "", None
        if (operation := self._catalogue.triggers.get(uses)) is None:
            hint = did_you_mean(uses, self._catalogue.triggers)
            if uses in self._catalogue.actions:
                hint = "it is an action: use it in a step"
            self._keys.complain(node, "unknown-trigger", f"there is no trigger {quoted(uses)}", hint)
        return uses, operation

    def _dedupe(self, node: Node | None, known: Known) -> Dedupe | None:
        keys = self._keys.mapping(node, "dedupe", DEDUPE_KEYS, "write dedupe: {key: trigger.FIELD, for: 1d}")
        if keys is None:
            return None
        key = self._keys.require(keys, "key", "dedupe", DEDUPE_KEYS, "trigger.FIELD")
        expression = self._slots.expression(key, known, types.Union((STR, INT))) if key is not None else None
        window = self._keys.duration(self._keys.require(keys, "for", "dedupe", DEDUPE_KEYS, "1d"), "for", 0.0)
        return Dedupe(expression, window) if expression else None

    def _body(self, root: document.Mapping, known: Known) -> tuple[tuple[Step, ...], tuple[Step, ...], Template | None]:
        steps = Steps(self._source, self._report, self._keys, self._slots, self._inputs, self._catalogue)
        main = steps.read(root.get("steps"), "steps", known)
        outputs = self._outputs(root.get("outputs"), steps.seen_by(known))
        failed = Known({**known.names, "error": ERROR}, known.not_null)
        return main, steps.read_on_error(root.get("on_error"), failed), outputs

    def _outputs(self, node: Node | None, known: Known) -> Template | None:
        if node is None or isinstance(node, document.Mapping):
            return self._slots.template(node, known) if node else None
        self._keys.complain(node, "type", "outputs is made of `key: value` lines", "write `NAME: ${{ … }}` below it")
        return None
