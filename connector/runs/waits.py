"""What runs that do not go on now wait for, and all that is shown of one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from connector.database import Connection
from connector.runs import records
from connector.runs.decisions import answers, interventions
from connector.runs.decisions.answers import Answer
from connector.runs.decisions.interventions import Intervention
from connector.runs.journal import Journal


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that a run waits for: of a step, or the end of other runs with its `concurrency` key."""

    what: Literal["attempt", "time", "event", "approval", "runs"]
    step: str = ""
    until: datetime | None = None
    trigger: str = ""
    """Whose event it is."""
    asked: Mapping[str, Any] | None = None
    """The title and the form of an approval."""
    answer: Answer | None = None
    """Given, and not looked at yet."""
    runs: tuple[records.Run, ...] = ()
    key: Any = None


def find_waits(connection: Connection, run: records.Run) -> list[Waiting]:
    """Nothing for a run that goes on, or has ended."""
    if run.status not in ("queued", "waiting"):
        return []
    return [*_before(connection, run), *_steps(connection, run)]


def _before(connection: Connection, run: records.Run) -> Iterator[Waiting]:
    """The runs that the claim of this one waits for."""
    ids = connection.execute(
        "SELECT b.id FROM runs r JOIN runs b ON b.flow = r.flow AND b.lane = r.lane AND b.finished_at IS NULL "
        "AND (b.lane_place, b.id) < (r.lane_place, r.id) WHERE r.id = ? ORDER BY b.lane_place, b.id",
        (run.id,),
    ).fetchall()
    limit = connection.execute("SELECT lane_limit FROM runs WHERE id = ?", (run.id,)).fetchone()["lane_limit"]
    if ids and isinstance(limit, int) and len(ids) >= limit:
        found = [Journal(connection).run(row["id"]) for row in ids]
        yield Waiting("runs", runs=tuple(one for one in found if one), key=run.lane)


def _steps(connection: Connection, run: records.Run) -> Iterator[Waiting]:
    places = connection.execute("SELECT step FROM awaited WHERE run_id = ?", (run.id,))
    awaited = {row["step"] for row in places}
    for step in Journal(connection).steps(run.id).values():
        if step.status != "waiting":
            continue
        if step.id in awaited:
            yield Waiting("event", step.id, step.wake_at, trigger=step.action)
        elif step.action == "approve":
            answer = answers.find(connection, run.id, step.id)
            yield Waiting("approval", step.id, step.wake_at, asked=step.input, answer=answer)
        else:
            yield Waiting("attempt" if step.error else "time", step.id, step.wake_at)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with its steps, in the order in which they began, their attempts, and what people decided about it."""

    run: records.Run
    waiting: Sequence[Waiting]
    steps: Sequence[records.Step]
    attempts: Sequence[records.Attempt]
    interventions: Sequence[Intervention]


def read_view(connection: Connection, run_id: str) -> RunView | None:
    """None where there is no such run."""
    journal = Journal(connection)
    if (run := journal.run(run_id)) is None:
        return None
    steps = list(journal.steps(run_id).values())
    decided = interventions.load(connection, run_id)
    return RunView(run, find_waits(connection, run), steps, journal.attempts(run_id), decided)
