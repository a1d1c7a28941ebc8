"""The inputs of a flow that has no trigger, as options give them."""

from collections.abc import Sequence
from typing import Any

from connector.cli.arguments import read_arguments
from connector.cli.exits import UsageError
from connector.cli.input_files import read_input, read_object
from connector.flows import parameters
from connector.flows.flow import Flow
from connector.flows.samples import sample
from connector.flows.types import Object

_HOW = "give them with --set NAME=VALUE or --input '{…}'"


def read_inputs(flow: Flow, input: str | None, changes: Sequence[str]) -> dict[str, Any]:
    """What is given, without the defaults. Raises UsageError with all that is missing or wrong."""
    kind = parameters.as_input(f"the inputs of {flow.name}", flow.inputs)
    if input is not None:
        example = {name: sample(one.type, name) for name, one in flow.inputs.items()}
        given = read_object(read_input(input), example)
        faults = list(parameters.refuse(flow.inputs, given))
    else:
        given, faults = _read_changes(kind, changes)
        named = {change.partition("=")[0].partition(".")[0] for change in changes}
        missing = {name: one for name, one in flow.inputs.items() if name not in named}
        faults += parameters.refuse(missing, {})
        faults += [] if faults else parameters.refuse(flow.inputs, given)  # an object may lack a field
    if faults:
        raise UsageError(f"the inputs of {flow.name!r} do not fit: {'; '.join(faults)}; {_HOW}")
    return given


def _read_changes(kind: Object, changes: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    try:
        return read_arguments(kind, changes, "--set"), []
    except UsageError as error:
        return {}, [str(error)]
