"""What stands in the nodes of a graph."""

from collections.abc import Iterator

from connector.flows import document
from connector.flows.durations import render
from connector.flows.flow import Approve, Call, Flow, Kind, Step, Stop, Switch, Wait, WaitFor
from connector.flows.slots import Template


def start_of(flow: Flow) -> Iterator[str]:
    """What starts the flow, and how often."""
    if flow.trigger is not None:
        yield flow.trigger.uses
    else:
        yield "inputs"
        yield ", ".join(f"{name}: {one.type}" for name, one in flow.inputs.items())
    if flow.dedupe is not None:
        yield f"once per {flow.dedupe.key.text} in {render(flow.dedupe.window)}"
    if flow.concurrency is not None:
        limit = flow.concurrency.limit if flow.concurrency.mode == "parallel" else "one"
        dropped = ", others are dropped" if flow.concurrency.mode == "single" else ""
        yield f"{limit} at a time per {flow.concurrency.key.text}{dropped}"


def lines_of(step: Step) -> Iterator[str]:
    """The name of the step, what it does, and under which conditions it does it for an item of a list."""
    yield f"{step.name} ({step.id})" if step.name else step.id
    yield from _kind(step.does)
    if is_for_each(step):
        yield from conditions_of(step)


def is_for_each(step: Step) -> bool:
    return isinstance(step.does, Call) and step.does.each is not None


def conditions_of(step: Step) -> Iterator[str]:
    if step.condition is not None:
        yield f"if {step.condition.text}"
    if step.not_after is not None:
        yield f"not after {step.not_after.text}"


def _kind(does: Kind) -> Iterator[str]:
    match does:
        case Call():
            yield does.uses
            if does.each is not None:
                yield f"for each of {does.each.items.text}"
        case Wait():
            yield f"wait until {does.until.text}" if does.until is not None else f"wait {render(does.duration)}"
        case WaitFor():
            yield f"wait for {does.uses}"
            if does.match is not None:
                yield does.match.text
            yield f"at most {render(does.timeout)}"
        case Approve():
            yield f"approve: {_written(does.title)}"
            if does.timeout is not None:
                yield f"at most {render(does.timeout)}, then {does.on_timeout}"
        case Switch():
            yield f"switch on {does.on.text}"
        case Stop():
            yield f"stop: {_written(does.reason)}"


def _written(template: Template) -> str:
    """The text as the file has it."""
    return template.node.text if isinstance(template.node, document.Scalar) else ""
