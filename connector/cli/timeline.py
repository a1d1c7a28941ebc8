"""Shows a run, all at once or as it goes on."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from connector import engines
from connector.cli import output
from connector.engines import Address
from connector.runs import records
from connector.runs.journal import Journal

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
        "reason": run.reason,
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


class Timeline:
    """Prints the steps of one run as they end, unless `quiet`, and `pause` once when it first waits.

    Another process may write the database.
    """

    def __init__(self, database: Address, run_id: str, *, quiet: bool = False, pause: str = "") -> None:
        self._quiet = quiet
        self._pause = pause
        self._database = database
        self._run_id = run_id
        self._shown: dict[str, str] = {}

    def look(self) -> View:
        """Print what is new, and return what there is."""
        run, steps = engines.read(self._database, lambda connection: _view(Journal(connection), self._run_id))
        for step in steps.values():
            state = f"{step.status} {step.attempts}"
            if self._quiet or step.status in ("started", "sending"):
                continue
            if self._shown.get(step.id) != state:
                show_step(run, step)
                self._shown[step.id] = state
        if run.status == "waiting" and self._pause and not self._quiet:
            output.line(self._pause)
            self._pause = ""
        return run, steps

    def follow(self, until: Callable[[View], bool], seconds: float = math.inf) -> records.Run:
        """Look until it is so; the run, however far it is when time has run out."""
        end = time.monotonic() + seconds
        while not until(view := self.look()) and time.monotonic() < end:
            time.sleep(LOOK_EVERY)
        return view[0]

    async def watch(self) -> records.Run:
        """Look until the run has ended or waits for a person."""
        while True:
            if has_ended(view := self.look()):
                return view[0]
            await asyncio.sleep(LOOK_EVERY)


def has_ended(view: View) -> bool:
    return view[0].status in records.ENDED


def show_step(run: records.Run, step: records.Step) -> None:
    """`+0.03 s  contact   succeeded  contacts.upsert  {"id": …}`."""
    moment = step.started_at if step.status == "waiting" else step.finished_at or datetime.now(UTC)
    offset = (moment - run.created_at).total_seconds()
    start = Text.assemble(
        (f"  +{offset:5.2f} s  ", "dim"),
        (f"{step.id:<10} ", "bold"),
        output.status(step.status, 10),
        (f" {step.action:<27} ", "dim"),
    )
    output.line(start, _outcome(run, step, output.width() - len(start)))


def _outcome(run: records.Run, step: records.Step, room: int) -> str:
    """The reason or the error, whole; or as much of the output as has room on the line."""
    if step.status == "waiting" and not step.error:
        return _waiting(run, step)
    if step.error and step.status == "waiting":
        return f"attempt {step.attempts} failed, another follows: {step.error.message}"
    if step.error:
        return step.error.message
    if step.reason and step.output is None:
        return step.reason
    text = json.dumps(step.output, ensure_ascii=False) if step.output is not None else ""
    text = f"{step.reason}: {text}" if step.reason else text
    return text if len(text) <= room else f"{text[: max(room, 1) - 1]}…"


def _waiting(run: records.Run, step: records.Step) -> str:
    if step.action == "approve":
        return f"{(step.input or {}).get('title')} To answer: chatforge runs approve {run.id} {step.id}"
    return f"until {output.moment(step.wake_at)}"


def _view(journal: Journal, run_id: str) -> View:
    run = journal.run(run_id)
    assert run is not None  # noqa: S101 - the caller has just created it
    return run, journal.steps(run_id)
