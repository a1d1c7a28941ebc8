"""Finds steps by the paths that the journal has: `contact`, `greet[0]` for an item, `send/note` in a called flow."""

import re
from collections.abc import Iterator

from connector.flows import parameters, types
from connector.flows.catalogue import Catalogue
from connector.flows.flow import Approve, Call, Flow, Step, WaitFor
from connector.flows.types import BOOL, NULL, STR, TIME, ListOf, Object, Type

_PART = re.compile(r"([a-z][a-z0-9_]*)(\[[0-9]*\])?")


def find_step(flow: Flow, path: str) -> Step | None:
    """The step of the flow, or of those that it calls. `greet[]` is each item of `greet`."""
    first, _, rest = path.partition("/")
    match = _PART.fullmatch(first)
    step = next((one for one in flow.walk() if match and one.id == match[1]), None)
    if step is None or match is None or (match[2] and not (isinstance(step.does, Call) and step.does.each)):
        return None
    if not rest:
        return step
    called = step.does.flow if isinstance(step.does, Call) else None
    return find_step(called, rest) if called else None


def step_paths(flow: Flow, before: str = "") -> Iterator[tuple[str, Step]]:
    """All steps with their paths; for those with a `for_each` that of each item."""
    for step in flow.walk():
        call = step.does if isinstance(step.does, Call) else None
        path = f"{before}{step.id}[]" if call and call.each else f"{before}{step.id}"
        yield path, step
        if call and call.flow:
            yield from step_paths(call.flow, f"{path}/")


def output_type(step: Step, path: str, catalogue: Catalogue) -> Type | None:
    """The type of what the step gives where it succeeds; None for a step that gives nothing.

    Of the answer to an approval any field may be left out.
    """
    does = step.does
    if isinstance(does, WaitFor):
        return types.union([catalogue.triggers[does.uses].output, NULL])
    if isinstance(does, Approve):
        answer = {"approved": BOOL, "by": types.union([STR, NULL]), "at": TIME}
        form = parameters.as_input("the form", does.form).fields
        return Object("the answer", {**answer, **{name: types.union([one, NULL]) for name, one in form.items()}})
    if not isinstance(does, Call):
        return None
    output = does.flow.output if does.flow else catalogue.actions[does.uses].given(does.constants).output
    return ListOf(types.union([output, NULL])) if does.each and not path.endswith("]") else output
