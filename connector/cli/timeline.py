"""Shows a run, all at once or as it goes on."""

import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from connector.cli import output
from connector.runs import records
from connector.runs.journal import Journal
from connector.sqlite import read_file

LOOK_EVERY = 0.03  # seconds; fine enough to show steps that take a tenth of one

View = tuple[records.Run, dict[str, records.Step]]


def as_json(run: records.Run) -> dict[str, Any]:
    """What `runs list --json` says of a run."""
    return {
        "id": run.id,
        "flow": run.flow,
        "status": run.status,
        "event_id": run.event_id,
        "created_at": output.iso(run.created_at),
        "finished_at": output.iso(run.finished_at),
        "error": run.error.message if run.error else None,
    }


def step_as_json(step: records.Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "action": step.action,
        "status": step.status,
        "attempts": step.attempts,
        "input": step.input,
        "output": step.output,
        "reason": step.reason,
        "error": step.error.as_json() if step.error else None,
        "started_at": output.iso(step.started_at),
        "finished_at": output.iso(step.finished_at),
    }


def follow(
    database: Path,
    run_id: str,
    *,
    until: Callable[[View], bool] | None = None,
    seconds: float = math.inf,
    quiet: bool = False,
    shown: dict[str, str] | None = None,
) -> records.Run | None:
    """Print each step when it ends, until the run has ended; the run, or None where time ran out.

    `until` stops earlier; `shown` remembers what was printed, for a call that goes on where another stopped. The
    database may be written by another process.
    """
    shown = {} if shown is None else shown
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run, steps = view = read_file(database, lambda connection: _view(Journal(connection), run_id))
        for step in steps.values():
            state = f"{step.status} {step.attempts}"
            if not quiet and shown.get(step.id) != state and step.status not in ("started", "sending"):
                show_step(run, step)
                shown[step.id] = state
        if run.status in records.ENDED or (until and until(view)):
            return run
        time.sleep(LOOK_EVERY)
    return None


def show_step(run: records.Run, step: records.Step) -> None:
    """`+0.03 s  contact   succeeded  contacts.upsert  {"id": …}`."""
    offset = ((step.finished_at or datetime.now(UTC)) - run.created_at).total_seconds()
    start = Text.assemble(
        (f"  +{offset:5.2f} s  ", "dim"),
        (f"{step.id:<10} ", "bold"),
        output.status(step.status, 10),
        (f" {step.action:<27} ", "dim"),
    )
    output.line(start, _outcome(step, output.width() - len(start)))


def _outcome(step: records.Step, room: int) -> str:
    """The reason or the error, whole; or as much of the output as has room on the line."""
    if step.error and step.status == "waiting":
        return f"attempt {step.attempts} failed, another follows: {step.error.message}"
    if step.error:
        return step.error.message
    if step.reason:
        return step.reason
    text = json.dumps(step.output, ensure_ascii=False) if step.output is not None else ""
    return text if len(text) <= room else f"{text[: max(room, 1) - 1]}…"


def _view(journal: Journal, run_id: str) -> View:
    run = journal.run(run_id)
    assert run is not None  # noqa: S101 - the caller has just created it
    return run, journal.steps(run_id)
