"""A checked flow, ready to run: every slot is compiled."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from connector.flows.parameters import Parameter
from connector.flows.slots import Expression, Template
from connector.flows.types import Type

MOST_ITEMS = 1_000
"""Of the list of a `for_each`."""

OnAmbiguous = Literal["hold", "skip", "retry"]
OnTimeout = Literal["reject", "approve", "fail"]
Mode = Literal["parallel", "queue", "single"]


@dataclass(frozen=True, slots=True)
class TriggerUse:
    uses: str
    connection: str
    input: Mapping[str, Any]
    condition: Expression | None
    id: str | None = None
    """The name that the file gives it."""


@dataclass(frozen=True, slots=True)
class Dedupe:
    """At most one run per value of `key` within `window` seconds, counted from the last run that started."""

    key: Expression
    window: float


@dataclass(frozen=True, slots=True)
class Concurrency:
    """Of the runs with one value of `key`, `limit` go on at a time; the others wait, or are dropped if `single`."""

    key: Expression
    mode: Mode
    limit: int


@dataclass(frozen=True, slots=True)
class Retry:
    """Delays are in seconds; they double from `delay` to `max_delay` and are drawn with full jitter."""

    max_attempts: int = 6
    delay: float = 1.0
    max_delay: float = 60.0
    until: Expression | None = None
    """Over `output`: the call is made again while it is false."""


@dataclass(frozen=True, slots=True)
class Each:
    """The call is made for each item of a list, `most` at a time."""

    items: Expression
    most: int


@dataclass(frozen=True, slots=True)
class Call:
    """`uses`: an action, or another flow."""

    uses: str
    connection: str
    input: Template
    retry: Retry
    timeout: float
    """Seconds for one attempt, counted from when it may send."""
    continue_on_error: bool = False
    each: Each | None = None
    on_ambiguous: OnAmbiguous = "hold"
    """What to do where nobody knows whether a call that must not be repeated took effect."""
    idempotency_key: Template | None = None
    flow: "Flow | None" = None
    """The flow that is called."""
    constants: Mapping[str, Any] = field(default_factory=dict)
    """The inputs that decide what the action is."""


@dataclass(frozen=True, slots=True)
class Wait:
    """For so many seconds, or until a time."""

    duration: float
    until: Expression | None = None


@dataclass(frozen=True, slots=True)
class WaitFor:
    """For an event that the trigger wants and for which `match` is true, with the event as `event`."""

    uses: str
    connection: str
    input: Mapping[str, Any]
    match: Expression | None
    timeout: float


@dataclass(frozen=True, slots=True)
class Approve:
    """For a person's answer. `notify` are the steps that ask for it; `timeout` is in seconds."""

    title: Template
    form: Mapping[str, Parameter]
    notify: Sequence["Step"]
    timeout: float | None
    on_timeout: OnTimeout

    def describe_form(self) -> dict[str, Any]:
        """What may be answered, as JSON."""
        return {
            name: {"type": str(field.type), "default": field.default, "description": field.description}
            for name, field in self.form.items()
        }


@dataclass(frozen=True, slots=True)
class Switch:
    """The steps of the case whose value `on` has, or those of `default`."""

    on: Expression
    cases: Sequence[tuple[Any, Sequence["Step"]]]
    default: Sequence["Step"]

    def choose(self, value: Any) -> Sequence["Step"]:
        """The steps for `value`."""
        for case, steps in self.cases:
            if case == value and isinstance(case, bool) == isinstance(value, bool):
                return steps
        return self.default


@dataclass(frozen=True, slots=True)
class Stop:
    """Ends the run as succeeded."""

    reason: Template


Kind = Call | Wait | WaitFor | Approve | Switch | Stop


@dataclass(frozen=True, slots=True)
class Step:
    id: str
    name: str | None
    condition: Expression | None
    not_after: Expression | None
    does: Kind

    def walk(self) -> Iterator["Step"]:
        """This step and those inside it."""
        yield self
        inner: list[Step] = []
        if isinstance(self.does, Switch):
            inner = [step for _, steps in self.does.cases for step in steps] + [*self.does.default]
        elif isinstance(self.does, Approve):
            inner = [*self.does.notify]
        for step in inner:
            yield from step.walk()


@dataclass(frozen=True, slots=True)
class Flow:
    name: str
    description: str
    enabled: bool
    trigger: TriggerUse | None
    """None where it is started by a person or by another flow, with `inputs`."""
    inputs: Mapping[str, Parameter]
    config: Mapping[str, Parameter]
    dedupe: Dedupe | None
    concurrency: Concurrency | None
    timeout: float | None
    """Seconds for which a run may work, without those for which it waits or is held."""
    vars: Mapping[str, Template]
    steps: Sequence[Step]
    on_error: Sequence[Step]
    outputs: Template | None
    output: Type
    """The type of `outputs`; null too where a `stop` may end the flow."""
    source: str
    calls: Mapping[str, "Flow"] = field(default_factory=dict)
    """The flows that its steps call, and the one that is told of failures, by name."""
    on_failure: str | None = None
    """The flow that is started, or the URL that is sent to, where a run failed or is held."""

    @property
    def started_by(self) -> TriggerUse:
        """The trigger. Raises ValueError for a flow that has none."""
        if self.trigger is None:
            raise ValueError(f"the flow {self.name!r} has no trigger")
        return self.trigger

    @property
    def revision(self) -> str:
        """What a run is pinned to: the digest of the file's text and of those that it calls."""
        digest = hashlib.sha256(self.source.encode("utf-8", "surrogatepass"))
        if self.calls:
            digest.update(json.dumps({name: flow.revision for name, flow in sorted(self.calls.items())}).encode())
        return digest.hexdigest()

    def walk(self) -> Iterator[Step]:
        """Its steps, those inside others and those of `on_error` too."""
        for step in (*self.steps, *self.on_error):
            yield from step.walk()

    def all_steps(self) -> Iterator[tuple["Flow", Step]]:
        """Its steps and those of the flows that it calls, each with its flow."""
        for step in self.walk():
            yield self, step
        for called in self.calls.values():
            yield from called.all_steps()

    def calls_of_actions(self) -> Iterator[tuple[Step, Call]]:
        """The steps that call an action, also in the flows that it calls."""
        for _, step in self.all_steps():
            if isinstance(step.does, Call) and step.does.flow is None:
                yield step, step.does
