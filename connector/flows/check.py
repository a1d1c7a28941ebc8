"""Checks a flow file as a whole and compiles it: names, inputs, fields, nulls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from connector.flows import document, failures, parameters, types
from connector.flows.calls import Calls, FindFlow, NoFlow
from connector.flows.catalogue import Catalogue
from connector.flows.controls import Controls
from connector.flows.document import Node, Source
from connector.flows.expressions.narrowing import Known
from connector.flows.flow import Concurrency, Dedupe, Flow, Mode, Step, TriggerUse
from connector.flows.inputs import Inputs
from connector.flows.keys import FLOW_NAME, WORD, Keys
from connector.flows.problems import Problem, Report, TooManyProblems
from connector.flows.slots import Slots, Template
from connector.flows.steps import Steps
from connector.flows.types import ANY, INT, NULL, STR, TIME, Type

FLOW_KEYS = (
    "flow",
    "description",
    "enabled",
    "inputs",
    "config",
    "trigger",
    "dedupe",
    "concurrency",
    "timeout",
    "on_failure",
    "vars",
    "steps",
    "on_error",
    "outputs",
)
TRIGGER_KEYS = ("uses", "with", "connection", "if", "id")
DEDUPE_KEYS = ("key", "for")
CONCURRENCY_KEYS = ("key", "mode", "limit")
MODES: tuple[Mode, ...] = ("parallel", "queue", "single")
MOST_RUNS = 10_000

RUN = types.record("run", {"id": STR, "flow": STR, "started_at": TIME})
ERROR = types.record("error", {"step": STR, "action": STR, "message": STR, "kind": STR, "attempts": INT})

_KEY = types.Union((STR, INT))
OF_TRIGGERS = ("dedupe", "concurrency", "timeout")
"""Keys of flows that a trigger starts; a flow that is called is a part of the run that calls it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The flow where it may run, else None; the problems in the order of the file."""

    flow: Flow | None
    problems: Sequence[Problem]
    source: str
    unchecked: Sequence[Problem]
    """Where a value of type `any` enters an input or a condition; these are no problems unless one asks."""


def find_none(name: str) -> NoFlow:
    """For a file that stands alone."""
    return NoFlow(f"there is no flow {name!r} beside this one", "give the folder that holds both")


def check(content: bytes | str, path: str, catalogue: Catalogue, find_flow: FindFlow = find_none) -> Checked:
    """Check the text of one flow file. `path` is only for the problems. Raises nothing, whatever the text."""
    report = Report(path)
    source = document.decode(content, report)
    flow = None
    try:
        root = None if report.problems() else document.parse(source, report)
        flow = _Checker(source, report, catalogue, find_flow).flow(root) if root else None
    except TooManyProblems:
        report.add_last()
    problems = report.problems()
    return Checked(None if problems else flow, problems, source.text, report.unchecked())


class _Checker:
    def __init__(self, source: Source, report: Report, catalogue: Catalogue, find_flow: FindFlow) -> None:
        self._source = source
        self._catalogue = catalogue
        self._keys = Keys(source, report)
        self._slots = Slots(source, report)
        self._inputs = Inputs(source, report, self._keys, self._slots)
        self._find_flow = find_flow
        self._calls = Calls(self._keys, self._slots, self._inputs, catalogue, find_flow)

    def flow(self, root: document.Mapping) -> Flow | None:
        keys = self._keys
        keys.mapping(root, "a flow", FLOW_KEYS)
        expected = "expected lower-case letters, digits and -, such as lead-to-crm"
        node = keys.require(root, "flow", "a flow", FLOW_KEYS, "NAME")
        name = keys.word(node, "the flow's name", FLOW_NAME, expected)
        description = keys.text(root.get("description"), "the description") or ""
        enabled = keys.boolean(root.get("enabled"), "enabled", default=True)
        inputs = parameters.read(keys, root.get("inputs"), "inputs")
        config = parameters.read(keys, root.get("config"), "config")
        known = Known({"config": _object_of(root, "config", config)} if "config" in root.entries else {})
        trigger, known = self._start(root, inputs, known)
        dedupe = self._dedupe(root.get("dedupe"), known)
        concurrency = self._concurrency(root.get("concurrency"), known)
        timeout = keys.duration(root.get("timeout"), "timeout", 0.0) or None
        known = known.with_names({"run": RUN})
        variables, known = self._vars(root.get("vars"), known)
        steps, on_error, outputs, output = self._body(root, known)
        on_failure, told = failures.read(keys, root.get("on_failure"), self._find_flow)
        if told is not None:
            self._calls.flows[told.name] = told
        if name is None or (trigger is None and "inputs" not in root.entries):
            return None
        return Flow(
            name, description, enabled, trigger, inputs, config, dedupe, concurrency, timeout, variables,
            steps, on_error, outputs, output, self._source.text, self._calls.flows, on_failure,
        )  # fmt: skip

    def _start(
        self, root: document.Mapping, inputs: parameters.Parameters, known: Known
    ) -> tuple[TriggerUse | None, Known]:
        """What starts the flow, and what is known then."""
        if "inputs" not in root.entries:
            node = self._keys.require(root, "trigger", "a flow", FLOW_KEYS, "{uses: TRIGGER}")
            return self._trigger(node, known)
        for key in ("trigger", *OF_TRIGGERS):
            if (entry := root.entries.get(key)) is not None:
                message = f"a flow with inputs has no {key}: a person or another flow starts it"
                hint = "put the steps into a flow with inputs, and call it from one with the trigger"
                self._keys.complain(entry.key, "unknown-key", message, hint if key == "trigger" else "remove it")
        return None, known.with_names({"inputs": _object_of(root, "inputs", inputs)})

    def _trigger(self, node: Node | None, known: Known) -> tuple[TriggerUse | None, Known]:
        """The trigger, and what is known of its event where its condition holds."""
        unknown = known.with_names({"trigger": ANY})
        keys = self._keys.mapping(node, "trigger", TRIGGER_KEYS, "write trigger: {uses: TRIGGER}")
        if keys is None:
            return None, unknown
        trigger_id = self._keys.word(keys.get("id"), "the trigger's id", WORD, "expected a word")
        uses, operation = self._inputs.trigger(keys, "a trigger", TRIGGER_KEYS, self._catalogue)
        known = known.with_names({"trigger": operation.output}) if operation else unknown
        condition_node = keys.get("if")
        condition = self._slots.expression(condition_node, known, types.BOOL) if condition_node is not None else None
        if condition is not None:
            known = known.given(condition.tree)
        elif condition_node is not None:
            known = known.supposing()
        if operation is None:
            return None, known
        connection = self._inputs.connection(keys.get("connection"), uses, self._catalogue)
        constants = self._inputs.constants(keys, uses, operation)
        return TriggerUse(uses, connection, constants, condition, trigger_id), known

    def _dedupe(self, node: Node | None, known: Known) -> Dedupe | None:
        keys = self._keys.mapping(node, "dedupe", DEDUPE_KEYS, "write dedupe: {key: trigger.FIELD, for: 1d}")
        if keys is None:
            return None
        key = self._keys.require(keys, "key", "dedupe", DEDUPE_KEYS, "trigger.FIELD")
        expression = self._slots.expression(key, known, _KEY) if key is not None else None
        window = self._keys.duration(self._keys.require(keys, "for", "dedupe", DEDUPE_KEYS, "1d"), "for", 0.0)
        return Dedupe(expression, window) if expression else None

    def _concurrency(self, node: Node | None, known: Known) -> Concurrency | None:
        example = "write concurrency: {key: trigger.FIELD, mode: queue}"
        keys = self._keys.mapping(node, "concurrency", CONCURRENCY_KEYS, example)
        if keys is None:
            return None
        key = self._keys.require(keys, "key", "concurrency", CONCURRENCY_KEYS, "trigger.FIELD")
        expression = self._slots.expression(key, known, _KEY) if key is not None else None
        given = keys.entries.get("mode")
        mode = self._keys.choice(given.value if given else None, "mode", MODES, "parallel")
        limit = self._keys.integer(keys.get("limit"), "limit", 1, MOST_RUNS)
        if mode != "parallel" and (entry := keys.entries.get("limit")) is not None:
            message = f"limit belongs to the mode parallel; with {mode} one run goes on at a time"
            self._keys.complain(entry.key, "unknown-key", message, "remove it")
        elif given is None or (isinstance(given.value, document.Scalar) and given.value.text == "parallel"):
            self._keys.require(keys, "limit", "concurrency", CONCURRENCY_KEYS, "3")
        return Concurrency(expression, mode, limit) if expression else None

    def _vars(self, node: Node | None, known: Known) -> tuple[dict[str, Template], Known]:
        """The variables, each of which sees those above it."""
        found: dict[str, Template] = {}
        keys = self._keys.mapping(node, "vars", None, "write vars: {NAME: VALUE}")
        if keys is None:
            return found, known if node is None else known.with_names({"vars": ANY})
        expected = "expected lower-case letters, digits and _"
        for name, entry in keys.entries.items():
            self._keys.word(entry.key, "a name of vars", WORD, expected)
            later = frozenset(("vars", other) for other in keys.entries if other not in found)
            found[name] = self._slots.template(entry.value, replace(_with_vars(known, found), later=later))
        return found, _with_vars(known, found)

    def _body(
        self, root: document.Mapping, known: Known
    ) -> tuple[Sequence[Step], Sequence[Step], Template | None, Type]:
        controls = Controls(self._keys, self._slots, self._inputs, self._catalogue)
        steps = Steps(self._keys, self._slots, self._calls, controls)
        self._keys.require(root, "steps", "a flow", FLOW_KEYS, "[{id: NAME, uses: ACTION}]")
        main, after = steps.read(root.get("steps"), known)
        outputs = self._outputs(root.get("outputs"), after)
        output = outputs.type if outputs else types.record("outputs", {})
        failed = known.with_names({"error": ERROR})
        on_error = steps.read_on_error(root.get("on_error"), failed)
        return main, on_error, outputs, types.union([output, NULL]) if steps.stops else output

    def _outputs(self, node: Node | None, known: Known) -> Template | None:
        if node is None or isinstance(node, document.Mapping):
            return self._slots.template(node, known) if node else None
        self._keys.complain(node, "type", "outputs is made of `key: value` lines", "write `NAME: ${{ … }}` below it")
        return None


def _with_vars(known: Known, found: Mapping[str, Template]) -> Known:
    kinds = {name: value.type for name, value in found.items()}
    return known.with_names({"vars": types.record("vars", kinds)})


def _object_of(root: document.Mapping, key: str, found: parameters.Parameters) -> Type:
    """What readers know of `inputs` or `config`."""
    return parameters.as_object(key, found) if isinstance(root.get(key), document.Mapping) else ANY
