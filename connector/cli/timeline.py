"""Shows a run, all at once or as it goes on."""

import json
import time
from collections.abc import Callable
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
    seconds: float = 60.0,
    quiet: bool = False,
) -> records.Run | None:
    """Print each step when it ends, until the run has ended; the run, or None where time ran out.

    `until` stops earlier. The database may be written by another process.
    """
    shown: dict[str, str] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run, steps = view = read_file(database, lambda connection: _view(Journal(connection), run_id))
        for step in steps.values():
            if not quiet and shown.get(step.id) != step.status and step.status not in ("started", "sending"):
                show_step(run, step)
                shown[step.id] = step.status
        if run.status in records.ENDED or (until and until(view)):
            return run
        time.sleep(LOOK_EVERY)
    return None


def show_step(run: records.Run, step: records.Step) -> None:
    """`+0.03 s  contact   succeeded  contacts.upsert  {"id": …}`."""
    offset = ((step.finished_at or step.started_at) - run.created_at).total_seconds()
    output.line(
        output.styled(f"  +{offset:5.2f} s  ", "dim"),
        output.styled(f"{step.id:<12}", "bold"),
        output.status(step.status, 10),
        output.styled(f" {step.action:<28}", "dim"),
        Text(output.printable(outcome(step))),
    )


def outcome(step: records.Step) -> str:
    """The output, the reason or the error, on one line."""
    if step.error:
        return step.error.message
    if step.reason:
        return step.reason
    text = json.dumps(step.output, ensure_ascii=False) if step.output is not None else ""
    return text if len(text) <= 100 else f"{text[:100]}…"


def _view(journal: Journal, run_id: str) -> View:
    run = journal.run(run_id)
    assert run is not None  # noqa: S101 - the caller has just created it
    return run, journal.steps(run_id)
