"""Options `--pin STEP=JSON` or `--pin STEP=@FILE`: the output of a step, which is then not done."""

from collections.abc import Sequence

from connector.cli.exits import UsageError
from connector.cli.input_files import read_input, read_value
from connector.flows.catalogue import Catalogue
from connector.flows.flow import Flow
from connector.flows.problems import quoted, shortened
from connector.runs.pins import Pin, Pins, check_pin


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
