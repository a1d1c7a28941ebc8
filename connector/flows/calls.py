"""Checks and compiles steps with `uses`: calls of actions and of other flows."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connector.flows import document, parameters, types
from connector.flows.catalogue import Catalogue, Operation
from connector.flows.expressions.narrowing import Known, facts
from connector.flows.flow import Call, Each, Flow, OnAmbiguous, Retry
from connector.flows.inputs import DEFAULT_CONNECTION, Inputs
from connector.flows.keys import Keys
from connector.flows.problems import Rule, did_you_mean, quoted
from connector.flows.slots import Slots, Template
from connector.flows.types import ANY, BOOL, INT, ListOf, Type

CALL_KEYS = (
    "uses",
    "with",
    "connection",
    "for_each",
    "max_parallel",
    "retry",
    "timeout",
    "continue_on_error",
    "on_ambiguous",
    "idempotency_key",
)
RETRY_KEYS = ("max_attempts", "delay", "max_delay", "until")
ON_AMBIGUOUS: tuple[OnAmbiguous, ...] = ("hold", "skip", "retry")
DEFAULT_TIMEOUT = 300.0
MOST_ATTEMPTS = 100
MOST_AT_ONCE = 100
REPEATABLE = ("read", "idempotent")

FLOW = "flow."
OF_ACTIONS = ("connection", "retry", "timeout", "on_ambiguous", "idempotency_key")
"""Keys that the steps of a called flow have, each for itself."""


@dataclass(frozen=True, slots=True)
class NoFlow:
    """Why a flow cannot be called."""

    message: str
    hint: str


FindFlow = Callable[[str], Flow | NoFlow]
"""The flow with that name."""


@dataclass(frozen=True, slots=True)
class Called:
    """What a call is known to be before its input is read."""

    uses: str
    operation: Operation | None
    flow: Flow | None = None
    strays: Sequence[str] = ()
    """Inputs that stand beside `with`."""


class Calls:
    def __init__(self, keys: Keys, slots: Slots, inputs: Inputs, catalogue: Catalogue, find_flow: FindFlow) -> None:
        self._keys = keys
        self._slots = slots
        self._inputs = inputs
        self._catalogue = catalogue
        self._find_flow = find_flow
        self.flows: dict[str, Flow] = {}
        """The flows that are called, by name."""

    def find(self, keys: document.Mapping, other_keys: Collection[str]) -> Called:
        """The action or flow that the step uses. It may have `other_keys` beside those of a call."""
        called = self._find(keys)
        inputs = called.operation.input.fields if called.operation else {}
        strays = [name for name in keys.entries if name in inputs and name not in (*CALL_KEYS, *other_keys)]
        for name in strays:
            message = f"{name!r} is an input of {called.uses}"
            self._keys.complain(keys.entries[name].key, "unknown-key", message, "indent it below `with:`")
        # What is missing in `with` then is told already.
        return Called(called.uses, None, called.flow, strays) if strays else called

    def _find(self, keys: document.Mapping) -> Called:
        uses = self._keys.text(keys.get("uses"), "uses")
        if uses is None:
            return Called("", None)
        if uses.startswith(FLOW):
            return self._flow(keys, uses)
        operation = self._catalogue.actions.get(uses)
        if operation is None:
            hint = did_you_mean(uses, self._catalogue.actions)
            if uses in self._catalogue.triggers:
                hint = "it is a trigger: use it under `trigger`"
            self._complain(keys, "unknown-action", f"there is no action {quoted(uses)}", hint)
        return Called(uses, operation)

    def _flow(self, keys: document.Mapping, uses: str) -> Called:
        name = uses.removeprefix(FLOW)
        found = self._find_flow(name)
        if isinstance(found, NoFlow):
            self._complain(keys, "unknown-flow", found.message, found.hint)
            return Called(uses, None)
        for key in OF_ACTIONS:
            if (entry := keys.entries.get(key)) is not None:
                message = f"a step that uses a flow has no key {key!r}"
                self._keys.complain(entry.key, "unknown-key", message, f"write it at the steps of {name}")
        self.flows[name] = found
        return Called(uses, Operation(parameters.as_input(uses, found.inputs), found.output), found)

    def _complain(self, keys: document.Mapping, rule: Rule, message: str, hint: str | None = None) -> None:
        self._keys.complain(keys.entries["uses"].value, rule, message, hint)

    def each(self, keys: document.Mapping, known: Known) -> tuple[Each | None, Mapping[str, Type]]:
        """The `for_each` of a step, and the names that there are for each item."""
        node = keys.get("for_each")
        most = self._keys.integer(keys.get("max_parallel"), "max_parallel", 1, MOST_AT_ONCE)
        if node is None:
            if (entry := keys.entries.get("max_parallel")) is not None:
                self._keys.complain(entry.key, "unknown-key", "max_parallel belongs to for_each", "remove it")
            return None, {}
        items = self._slots.expression(node, known, ListOf(ANY))
        item = types.union(p.item if isinstance(p, ListOf) else ANY for p in types.parts(items.type)) if items else ANY
        return (Each(items, most) if items else None), {"item": item, "index": INT}

    def read(
        self, keys: document.Mapping, called: Called, each: Each | None, known: Known
    ) -> tuple[Call | None, Type, bool]:
        """The call, the type of the output of one, and whether more than its condition decides that there is one.

        All keys are read, also where the operation is missing.
        """
        read, operation = self._keys, called.operation
        given = self._inputs.check(keys, called.uses, operation, known) if operation else None
        constants: Mapping[str, Any] = {}
        if operation and given:
            operation, constants = self._inputs.decide(given, called.uses, operation)
            called = replace(called, operation=operation)
        connection = DEFAULT_CONNECTION
        if operation and called.flow is None:
            connection = self._inputs.connection(keys.get("connection"), called.uses, self._catalogue)
        output = operation.output if operation else ANY
        retry = self._retry(keys.get("retry"), called, known, output)
        timeout = read.duration(keys.get("timeout"), "timeout", DEFAULT_TIMEOUT)
        goes_on = read.boolean(keys.get("continue_on_error"), "continue_on_error", default=False)
        ambiguous = read.choice(keys.get("on_ambiguous"), "on_ambiguous", ON_AMBIGUOUS, "hold")
        key = self._idempotency_key(keys.get("idempotency_key"), known)
        output = _proved(output, retry)
        if given is None:
            return None, output, _may_lack(None, operation)
        call = Call(
            called.uses, connection, given, retry, timeout, goes_on, each, ambiguous, key, called.flow, constants
        )
        return call, output, _may_lack(call, operation)

    def _idempotency_key(self, node: document.Node | None, known: Known) -> Template | None:
        return self._slots.text(node, known, "idempotency_key") if node is not None else None

    def _retry(self, node: document.Node | None, called: Called, known: Known, output: Type) -> Retry:
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
        if (node := keys.get("until")) is None:
            return Retry(attempts, delay, longest)
        effect = called.operation.effect if called.operation else None
        if effect is not None and effect not in REPEATABLE:
            message = f"until would repeat {called.uses}, which acts once"
            self._keys.complain(node, "effect", message, "look for the result in a step of its own, and repeat that")
        inner = known.with_names({"output": output})
        return Retry(attempts, delay, longest, self._slots.expression(node, inner, BOOL))


def _may_lack(call: Call | None, operation: Operation | None) -> bool:
    left_out = operation is not None and operation.left_out
    return left_out or (call is not None and (call.continue_on_error or call.on_ambiguous == "skip"))


def _proved(output: Type, retry: Retry) -> Type:
    """`output` as it is where `until` is true."""
    if retry.until is None:
        return output
    paths = [path[1:] for path in facts(retry.until.tree, when=True) if path[0] == "output"]
    for path in sorted(paths, key=len):
        output = types.refined(output, path)
    return output
