"""Reads test files, each against the flow that it tests. Their keys:

flow      the file of the flow; without it the one with the same name, `leads.yaml` for `leads.test.yaml`
tests     a list, and of each test
  name      what it shows
  trigger   what the flow reads as `trigger`; a field that may be null need not be given
  inputs    instead of it, for a flow with inputs
  config    what the flow reads as `config`; nothing is taken from connections.yaml or the environment
  now       when the run starts, 2026-03-25T12:00:00Z without it; waits move it on
  pins      by step, its output, which it is given instead of being done; for an approval the answer
  errors    by step, `{kind, message, held}`: how it fails, or is held
  expect    `status`, `reason`, `error`, `outputs`, and `steps`: by step its status, or `{status, input, reason, error}`
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from connector.errors import FlowError
from connector.flows import document, parameters, values
from connector.flows.catalogue import Catalogue
from connector.flows.document import Node, Scalar
from connector.flows.expressions.functions import as_time
from connector.flows.flow import Flow
from connector.flows.formats import is_time
from connector.flows.keys import Keys
from connector.flows.paths import find_step, step_paths
from connector.flows.problems import Report, TooManyProblems, did_you_mean, quoted
from connector.flows.samples import with_nulls
from connector.runs.flow_tests.cases import Case, Expectation, RunWord, StepExpectation, StepWord
from connector.runs.pins import Pin, check_pin

NOON = datetime(2026, 3, 25, 12, 0, tzinfo=UTC)
FILE_KEYS = ("flow", "tests")
CASE_KEYS = ("name", "trigger", "inputs", "config", "now", "pins", "errors", "expect")
ERROR_KEYS = ("kind", "message", "held")
EXPECT_KEYS = ("status", "steps", "outputs", "reason", "error")
STEP_KEYS = ("status", "input", "reason", "error")
RUN_WORDS: tuple[RunWord, ...] = ("succeeded", "failed", "held", "not_started")
STEP_WORDS: tuple[StepWord, ...] = ("succeeded", "failed", "skipped", "held", "not_reached")

Value = TypeVar("Value")


def read_tests(
    content: bytes | str, path: Path, find: Callable[[Path], Flow], catalogue: Catalogue
) -> tuple[Flow, list[Case]]:
    """The flow, which `find` gives for its path, and its tests. Raises FlowError where the test file has problems."""
    report = Report(str(path))
    source = document.decode(content, report)
    root = None if report.problems() else document.parse(source, report, "a test file", "tests:")
    file = None if root is None else _flow_of(path, root, Keys(source, report))
    if root is not None and file is not None:
        flow = find(file)
        cases: list[Case] = []
        try:
            cases = _Reader(source, report, flow, catalogue).cases(root)
        except TooManyProblems:
            report.add_last()
        if not report.problems():
            return flow, cases
    raise FlowError("the test file has problems", report.problems(), {str(path): source.text})


def _flow_of(path: Path, root: document.Mapping, keys: Keys) -> Path | None:
    """The file of the flow that the test file names, or the one beside it; None where it names none that can be."""
    node = root.get("flow")
    named = keys.text(node, "flow")
    if node is not None and named and Path(named).name != named:
        keys.complain(node, "type", f"`flow` is the name of a file in the same folder, not {quoted(named)}")
        return None
    return path.with_name(named) if named else path.with_name(path.name.replace(".test.", "."))


class _Reader:
    """Reads the tests of one file for one flow; what is wrong goes into the report."""

    def __init__(self, source: document.Source, report: Report, flow: Flow, catalogue: Catalogue) -> None:
        self._keys = Keys(source, report)
        self._flow = flow
        self._catalogue = catalogue

    def cases(self, root: document.Mapping) -> list[Case]:
        self._keys.mapping(root, "a test file", FILE_KEYS)
        node = self._keys.require(root, "tests", "a test file", FILE_KEYS, "[{name: …, expect: …}]")
        if isinstance(node, document.Sequence) and node.items:
            return [case for item in node.items if (case := self._case(item)) is not None]
        if node is not None:
            self._keys.complain(node, "type", "tests is a list of tests", "write - name: … and its keys below it")
        return []

    def _case(self, node: Node) -> Case | None:
        keys = self._keys.mapping(node, "a test", CASE_KEYS)
        if keys is None:
            return None
        name = self._keys.text(self._keys.require(keys, "name", "a test", CASE_KEYS, "WHAT IT SHOWS"), "name")
        expect = self._expect(self._keys.require(keys, "expect", "a test", CASE_KEYS, "{status: succeeded}"))
        pins = {
            **self._by_step(keys.get("pins"), "pins", self._pin),
            **self._by_step(keys.get("errors"), "errors", self._error),
        }
        line = self._keys.place(node).line
        return Case(
            name or "", line, self._now(keys.get("now")), self._given(keys), self._config(keys, node), pins, expect
        )

    def _now(self, node: Node | None) -> datetime:
        text = self._keys.text(node, "now")
        if text is None or node is None:
            return NOON
        if not is_time(text):
            self._keys.complain(node, "type", f"now is a time, not {quoted(text)}", "write it as 2026-03-25T12:00:00Z")
            return NOON
        return as_time(text)

    def _given(self, keys: document.Mapping) -> Mapping[str, Any]:
        """What the flow starts with."""
        wanted, other = ("trigger", "inputs") if self._flow.trigger else ("inputs", "trigger")
        if (wrong := keys.entries.get(other)) is not None:
            message = f"the flow {self._flow.name!r} has {'a trigger' if self._flow.trigger else 'inputs'}"
            self._keys.complain(wrong.key, "unknown-key", message, f"write {wanted}:")
            return {}
        node = self._keys.require(keys, wanted, "a test", CASE_KEYS, "{FIELD: VALUE}")
        if node is None:
            return {}
        if self._flow.trigger is None:
            return self._parameters(node, "inputs", self._flow.inputs)
        kind = self._catalogue.triggers[self._flow.trigger.uses].output
        given = with_nulls(plain(node), kind)
        if (refused := values.refuse(given, kind, "trigger")) is not None:
            self._keys.complain(node, "type", refused)
        return given if isinstance(given, dict) else {}

    def _config(self, keys: document.Mapping, case: Node) -> Mapping[str, Any]:
        declared = {**self._flow.config}
        for owner, _ in self._flow.all_steps():
            declared |= owner.config
        node = keys.get("config")
        return self._parameters(node if node is not None else case, "config", declared, {} if node is None else None)

    def _parameters(
        self, node: Node, what: str, declared: parameters.Parameters, given: Any = None
    ) -> Mapping[str, Any]:
        found = plain(node) if given is None else given
        if not isinstance(found, dict):
            self._keys.complain(node, "type", f"{what} is made of `NAME: VALUE` lines")
            return {}
        for fault in parameters.refuse(declared, found):
            self._keys.complain(node, "type", f"the {what} of the flow {self._flow.name!r}: {fault}")
        return found

    def _by_step(self, node: Node | None, what: str, read: Callable[[str, Node], Value]) -> dict[str, Value]:
        keys = self._keys.mapping(node, what, None, f"write {what}: {{STEP: …}}")
        found = {}
        for path, entry in keys.entries.items() if keys else ():
            if find_step(self._flow, path) is None:
                message = f"the flow {self._flow.name!r} has no step {quoted(path)}"
                self._keys.complain(
                    entry.key, "unknown-step", message, did_you_mean(path, [one for one, _ in step_paths(self._flow)])
                )
            else:
                found[path] = read(path, entry.value)
        return found

    def _pin(self, path: str, node: Node) -> Pin:
        try:
            return Pin(check_pin(self._flow, path, plain(node), self._catalogue))
        except ValueError as error:
            self._keys.complain(node, "type", str(error))
            return Pin()

    def _error(self, path: str, node: Node) -> Pin:
        keys = self._keys.mapping(node, f"the error of {path}", ERROR_KEYS, "write {kind: network, message: …}")
        if keys is None:
            return Pin()
        kind = self._keys.text(self._keys.require(keys, "kind", "an error", ERROR_KEYS, "network"), "kind")
        message = self._any_text(keys.get("message")) or f"{kind} error of a test"
        held = self._keys.boolean(keys.get("held"), "held", default=False)
        return Pin(kind=kind or "", message=message, held=held)

    def _expect(self, node: Node | None) -> Expectation:
        keys = self._keys.mapping(node, "expect", EXPECT_KEYS, "write expect: {status: succeeded}")
        if keys is None:
            return Expectation()
        return Expectation(
            status=self._word(keys.get("status"), RUN_WORDS),
            steps=self._by_step(keys.get("steps"), "steps", self._step),
            outputs=self._object(keys.get("outputs"), "outputs"),
            reason=self._any_text(keys.get("reason")),
            error=self._any_text(keys.get("error")),
        )

    def _step(self, path: str, node: Node) -> StepExpectation:
        if isinstance(node, Scalar):
            return StepExpectation(self._word(node, STEP_WORDS))
        keys = self._keys.mapping(node, f"what is expected of {path}", STEP_KEYS)
        if keys is None:
            return StepExpectation()
        return StepExpectation(
            status=self._word(keys.get("status"), STEP_WORDS),
            input=self._object(keys.get("input"), "input"),
            reason=self._any_text(keys.get("reason")),
            error=self._any_text(keys.get("error")),
        )

    def _word(self, node: Node | None, words: tuple[Any, ...]) -> Any:
        return self._keys.choice(node, "the status", words, words[0]) if node is not None else None

    def _object(self, node: Node | None, what: str) -> Mapping[str, Any] | None:
        return plain(keys) if (keys := self._keys.mapping(node, what, None)) is not None else None

    def _any_text(self, node: Node | None) -> str | None:
        """A text, which may hold what looks like an expression: nothing is computed in a test file."""
        if node is None or (isinstance(node, Scalar) and isinstance(node.value, str)):
            return None if node is None else plain(node)
        self._keys.complain(node, "type", "expected a text", "put it in quotes")
        return None


def plain(node: Node) -> Any:
    """The value at `node`."""
    if isinstance(node, document.Mapping):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, document.Sequence):
        return [plain(item) for item in node.items]
    return node.value
