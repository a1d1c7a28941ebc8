"""What steps are given instead of being done, in a run with which a person tries a flow.

The path of a pin is that of a step in the journal, such as `contact`, `greet[0]` for one item of a `for_each`, `greet`
for its whole list, `greet[]` for each of its items, `send/note` for a step of a called flow.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from connector.database import Connection, Row
from connector.flows import values
from connector.flows.catalogue import Catalogue
from connector.flows.flow import Approve, Flow
from connector.flows.paths import find_step, output_type, step_paths
from connector.flows.problems import did_you_mean
from connector.flows.samples import with_nulls
from connector.runs import records
from connector.runs.journal import undamaged
from connector.runs.records import Failure
from connector.runs.run_writer import RunWriter

EVERY = "*"
"""The path of what each action, event and approval gets that has no other pin."""
_INDEX = re.compile(r"\[[0-9]+\]")


@dataclass(frozen=True, slots=True)
class Pin:
    """The output of a step, or how it ends without one."""

    output: Any = None
    kind: str | None = None
    """The kind of the error, where it does not succeed."""
    message: str = ""
    held: bool = False
    """Whether the error holds the run for a person."""
    reason: str = "pinned"
    """What the journal says of the step where it succeeds."""

    async def finish(self, writer: RunWriter, path: str, action: str) -> records.Step:
        """End the step, which has begun, as the pin says."""
        if self.kind is None:
            return await writer.finish(path, action, "succeeded", output=self.output, reason=self.reason)
        failure = Failure(path, action, self.message, self.kind, 1)
        return await writer.finish(path, action, "held" if self.held else "failed", error=failure)


Pins = Mapping[str, Pin]
NONE: Pins = {}


def keep(connection: Connection, run_id: str, pins: Pins) -> None:
    """Keep the pins of a run. In the caller's transaction."""
    connection.executemany(
        "INSERT INTO pins VALUES (?, ?, ?)", [(run_id, path, json.dumps(asdict(pin))) for path, pin in pins.items()]
    )


def load(connection: Connection, run_id: str) -> Pins:
    """Raises DamagedRowError."""
    return read(connection.execute("SELECT * FROM pins WHERE run_id = ?", (run_id,)).fetchall())


def read(rows: Iterable[Row]) -> Pins:
    """Raises DamagedRowError."""
    return {row["step"]: pin_of(row) for row in rows}


@undamaged("run_id", "step")
def pin_of(row: Row) -> Pin:
    return Pin(**json.loads(row["pin"]))


def find(pins: Pins, path: str) -> Pin | None:
    """That of the step itself, else that of each item."""
    return pins.get(path) or pins.get(without_indexes(path))


def find_any(pins: Pins, path: str) -> Pin | None:
    """As `find`, else what every step gets that acts or waits for somebody."""
    return find(pins, path) or pins.get(EVERY)


def without_indexes(path: str) -> str:
    """`greet[]` for `greet[0]`."""
    return _INDEX.sub("[]", path)


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
