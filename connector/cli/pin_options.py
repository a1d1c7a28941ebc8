"""Options `--pin STEP=JSON` or `--pin STEP=@FILE`: the output of a step, which is then not done."""

from collections.abc import Sequence
from typing import Any

from connector.cli.exits import UsageError
from connector.cli.input_files import read_input, read_value
from connector.flows import values
from connector.flows.catalogue import Catalogue
from connector.flows.flow import Approve, Flow
from connector.flows.paths import find_step, output_type, step_paths
from connector.flows.problems import did_you_mean, quoted, shortened
from connector.flows.samples import with_nulls
from connector.runs.pins import Pin, Pins


def read_pins(flow: Flow, options: Sequence[str], catalogue: Catalogue) -> Pins:
    """The pins by step. Raises UsageError."""
    found: dict[str, Pin] = {}
    for option in options:
        path, equals, text = option.partition("=")
        if not equals or not path:
            raise UsageError(f"--pin {quoted(option)}: expected STEP=JSON or STEP=@FILE")
        place = f"--pin {shortened(path)}"
        if path in found:
            raise UsageError(f"{place}: it is given twice; give it once")
        try:
            found[path] = Pin(check_pin(flow, path, read_value(read_input(text, place), place), catalogue))
        except ValueError as error:
            raise UsageError(f"{place}: {error}") from error
    return found


def check_pin(flow: Flow, path: str, value: Any, catalogue: Catalogue) -> Any:
    """The output, with null for each field that is left out and may be null. Raises ValueError with a sentence."""
    if (step := find_step(flow, path)) is None:
        known = [one for one, _ in step_paths(flow)]
        raise ValueError(f"the flow {flow.name!r} has no such step; {did_you_mean(path, known) or 'see its file'}")
    kind = output_type(step, path, catalogue)
    if kind is None:
        raise ValueError(f"this step is a {type(step.does).__name__.lower()} and gives nothing; leave the pin out")
    filled = value if isinstance(step.does, Approve) else with_nulls(value, kind)  # an answer has defaults
    if (refused := values.refuse(filled, kind)) is not None:
        raise ValueError(f"the output does not fit: {refused}")
    return filled
