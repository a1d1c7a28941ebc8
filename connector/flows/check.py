"""Checks a flow file as a whole and compiles it: names, inputs, fields, nulls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.flows import document, types
from connector.flows.catalogue import Catalogue, Operation
from connector.flows.document import Node, Source
from connector.flows.expressions.inference import Known, facts
from connector.flows.flow import Dedupe, Flow, Step, TriggerUse
from connector.flows.inputs import Inputs
from connector.flows.keys import Keys
from connector.flows.problems import Place, Problem, Report, did_you_mean
from connector.flows.slots import Slots, Template
from connector.flows.steps import Steps
from connector.flows.types import ANY, INT, STR, TIME, Object, Type

FLOW_KEYS = ("flow", "description", "enabled", "trigger", "dedupe", "steps", "on_error", "outputs")
TRIGGER_KEYS = ("uses", "with", "connection", "if", "id")

RUN = Object("run", {"id": STR, "flow": STR, "started_at": TIME}, frozenset({"id", "flow", "started_at"}))
ERROR = Object(
    "error",
    {"step": STR, "action": STR, "message": STR, "kind": STR, "attempts": INT},
    frozenset({"step", "action", "message", "kind", "attempts"}),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """The flow where it may run, else None; the problems in the order of the file."""

    flow: Flow | None
    problems: Sequence[Problem]
    source: str


def check(content: bytes | str, path: str, catalogue: Catalogue) -> Checked:
    """Check the text of one flow file. `path` is only for the problems."""
    report = Report(path)
    source, root = document.load(content, report)
    flow = _Checker(source, report, catalogue).flow(root) if root else None
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
        self._require(root, {"flow": "NAME", "trigger": "{uses: TRIGGER}", "steps": "a list"})
        name = self._keys.word(root.get("flow"), "the flow's name", r"[a-z][a-z0-9-]{0,62}", "lead-to-crm")
        trigger, payload = self._trigger(root.get("trigger"))
        known = Known({"trigger": payload, "run": RUN})
        if trigger and trigger.condition:
            known = known.given(facts(trigger.condition.tree, when=True))
        dedupe = self._dedupe(root.get("dedupe"), known)
        steps, on_error, outputs = self._body(root, known)
        if name is None or trigger is None:
            return None
        return Flow(
            name=name,
            description=self._keys.text(root.get("description"), "the description") or "",
            enabled=self._keys.boolean(root.get("enabled"), "enabled", default=True),
            trigger=trigger,
            dedupe=dedupe,
            steps=steps,
            on_error=on_error,
            outputs=outputs,
            source=self._source.text,
        )

    def _require(self, root: document.Mapping, keys: Mapping[str, str]) -> None:
        for key, example in keys.items():
            if root.get(key) is None:
                self._report.add(
                    Place(1, 1, 2), "missing-key", f"a flow needs the key {key!r}", f"add `{key}: {example}`"
                )

    def _trigger(self, node: Node | None) -> tuple[TriggerUse | None, Type]:
        keys = self._keys.mapping(node, "trigger", TRIGGER_KEYS)
        if keys is None:
            return None, ANY
        uses = self._keys.text(keys.get("uses"), "uses")
        operation = self._operation(keys, uses)
        if uses is None or operation is None:
            return None, ANY
        given = self._inputs.check(keys, keys.get("with"), uses, operation, Known({}))
        known = Known({"trigger": operation.output})
        condition_node = keys.get("if")
        condition = self._slots.expression(condition_node, known, types.BOOL) if condition_node else None
        values = given.render({}) if given and not self._report.problems() else {}
        connection = self._inputs.connection(keys.get("connection"), uses, self._catalogue)
        return TriggerUse(uses, connection, values, condition), operation.output

    def _operation(self, keys: document.Mapping, uses: str | None) -> Operation | None:
        if uses is None:
            if keys.get("uses") is None:
                self._keys.complain(keys, "missing-key", "a trigger needs the key 'uses'", None)
            return None
        if (operation := self._catalogue.triggers.get(uses)) is None:
            hint = did_you_mean(uses, self._catalogue.triggers)
            if uses in self._catalogue.actions:
                hint = "it is an action: use it in a step"
            self._keys.complain(keys.entries["uses"].value, "unknown-trigger", f"there is no trigger {uses!r}", hint)
        return operation

    def _dedupe(self, node: Node | None, known: Known) -> Dedupe | None:
        keys = self._keys.mapping(node, "dedupe", ("key", "for"))
        if keys is None:
            return None
        for key in ("key", "for"):
            if keys.get(key) is None:
                self._keys.complain(keys, "missing-key", f"dedupe needs the key {key!r}", "write {key: …, for: 1d}")
        key_node = keys.get("key")
        wanted = types.Union((STR, INT))
        expression = self._slots.expression(key_node, known, wanted) if key_node else None
        window = self._keys.duration(keys.get("for"), "for", 0.0)
        return Dedupe(expression, window) if expression else None

    def _body(self, root: document.Mapping, known: Known) -> tuple[tuple[Step, ...], tuple[Step, ...], Template | None]:
        steps = Steps(self._source, self._report, self._keys, self._slots, self._inputs, self._catalogue)
        main = steps.read(root.get("steps"), "steps", known)
        final = known.given(frozenset())
        outputs_node = root.get("outputs")
        outputs = None
        if outputs_node is not None and self._keys.mapping(outputs_node, "outputs", _keys_of(outputs_node)):
            outputs = self._slots.template(outputs_node, steps.seen_by(final))
        failed = Known({**known.names, "error": ERROR}, known.not_null)
        return main, steps.read_on_error(root.get("on_error"), failed), outputs


def _keys_of(node: Node) -> Sequence[str]:
    return list(node.entries) if isinstance(node, document.Mapping) else ["name"]
