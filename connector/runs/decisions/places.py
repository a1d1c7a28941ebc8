"""The steps that a run has begun, as its flow nests them: in switches, approvals, items of lists, called flows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector.flows.flow import Approve, Call, Flow, Step, Switch
from connector.runs import records

Steps = Mapping[str, records.Step]


@dataclass(frozen=True, slots=True)
class Place:
    """A step of the journal, what stands inside it, and `on_error` of the flow that it calls."""

    step: Step
    path: str
    record: records.Step
    inside: Sequence["Place"] = ()
    on_error: Sequence["Place"] = ()
    is_container: bool = False
    """Whether it does nothing by itself."""

    def walk(self) -> Iterator["Place"]:
        """This one and all inside it."""
        yield self
        for one in (*self.inside, *self.on_error):
            yield from one.walk()

    @property
    def lets_pass(self) -> bool:
        """Whether the flow goes on where the step has failed."""
        return isinstance(self.step.does, Call) and self.step.does.continue_on_error


@dataclass(frozen=True, slots=True)
class Places:
    """Those of a flow in a run."""

    steps: Sequence[Place]
    on_error: Sequence[Place]

    def walk(self) -> Iterator[Place]:
        for one in (*self.steps, *self.on_error):
            yield from one.walk()


def find_places(flow: Flow, steps: Steps, prefix: str = "") -> Places:
    """Steps of the journal that the flow does not have are left out."""
    return Places(*(list(_sequence(part, steps, prefix)) for part in (flow.steps, flow.on_error)))


def _sequence(part: Sequence[Step], steps: Steps, prefix: str) -> Iterator[Place]:
    for step in part:
        if (record := steps.get(f"{prefix}{step.id}")) is not None:
            yield _place(step, record, steps, prefix)


def _place(step: Step, record: records.Step, steps: Steps, prefix: str) -> Place:
    does, path = step.does, f"{prefix}{step.id}"
    match does:
        case Call(each=each) if each is not None:
            count = len((record.input or {}).get("items", ()))
            items = (steps.get(f"{path}[{index}]") for index in range(count))
            inside = [_call(step, does, item, steps) for item in items if item is not None]
            return Place(step, path, record, inside, is_container=True)
        case Call():
            return _call(step, does, record, steps)
        case Switch():
            inner = [one for _, case in does.cases for one in case] + [*does.default]
            return Place(step, path, record, list(_sequence(inner, steps, prefix)), is_container=True)
        case Approve():
            return Place(step, path, record, list(_sequence(does.notify, steps, prefix)), is_container=True)
    return Place(step, path, record)


def _call(step: Step, call: Call, record: records.Step, steps: Steps) -> Place:
    """One call: of a step, or for one item."""
    if call.flow is None:
        return Place(step, record.id, record)
    called = find_places(call.flow, steps, f"{record.id}/")
    return Place(step, record.id, record, called.steps, called.on_error, is_container=True)


ActsOnce = Callable[[records.Step], bool]
"""Whether the step acts on somebody once."""
