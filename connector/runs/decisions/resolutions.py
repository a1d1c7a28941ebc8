"""Takes a person's word for whether a step took effect. Each function works in its caller's transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.database import Connection
from connector.flows.catalogue import Catalogue
from connector.flows.flow import Flow
from connector.flows.problems import one_of, quoted
from connector.runs import records, revisions
from connector.runs.decisions import interventions
from connector.runs.decisions.doubts import find_doubts
from connector.runs.decisions.interventions import Intervention, Person, RefusedError, Undone
from connector.runs.decisions.places import ActsOnce, find_places
from connector.runs.decisions.reopening import Reopening
from connector.runs.decisions.undoing import describe, undo
from connector.runs.journal import Journal
from connector.runs.records import as_json, write_time

_QUEUE = (
    "UPDATE runs SET status = 'queued', error = NULL, cancelling = NULL, told_at = NULL, epoch = epoch + 1 "
    "WHERE id = ? AND status = 'held'"
)


@dataclass(frozen=True, slots=True)
class Resolution:
    """It took effect and gave `output`, or it did not take effect and is done anew."""

    step: str
    done: bool
    person: Person
    output: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    run: records.Run
    left: Sequence[str]
    """The steps of which it is still not known."""
    flow: Flow | str
    """What the run goes on with, or why it cannot."""


def find(connection: Connection, run_id: str, step: str | None, acts_once: ActsOnce) -> records.Step:
    """The step of which it is not known: the one named, or the only one. Raises RefusedError."""
    run = Journal(connection).run(run_id)
    if run is None:
        raise RefusedError(f"there is no run {run_id!r}")
    steps = Journal(connection).steps(run_id)
    doubts = find_doubts(steps, acts_once)
    if run.status not in ("held", "cancelled", "failed"):
        raise RefusedError(f"the run {run_id} is {run.status}; only a held one can be resolved")
    if not doubts:
        raise RefusedError(
            f"the run {run_id} is {run.status}, and no step of it may have taken effect unseen; "
            f"let it go on: chatforge runs retry {run_id}"
        )
    names = [one.id for one in doubts]
    if step is None and len(names) > 1:
        raise RefusedError(f"several steps of {run_id} are held; name one with --step: {one_of(names)}")
    if step is not None and step not in names:
        how = f"is {steps[step].status}" if step in steps else "is none of its steps"
        raise RefusedError(f"{quoted(step)} of {run_id} {how}; expected {one_of(names)}")
    return next(one for one in doubts if step in (None, one.id))


def resolve(
    connection: Connection, run_id: str, wanted: Resolution, catalogue: Catalogue, acts_once: ActsOnce
) -> Resolved:
    """Keep the decision. A held run is queued again with the last of its steps. Raises RefusedError."""
    step = find(connection, run_id, wanted.step, acts_once)
    undone: Undone = {"steps": describe(connection, run_id, [step.id])}
    what: interventions.What = "done" if wanted.done else "not_done"
    interventions.keep(connection, run_id, Intervention(what, wanted.person, step.id, undone, ()))
    if wanted.done:
        _succeed(connection, run_id, wanted)
    else:
        undo(connection, run_id, Reopening(acts_once, ends=(), forgotten={step.id}))
    left = [one.id for one in find_doubts(Journal(connection).steps(run_id), acts_once)]
    flow = _go_on(connection, run_id, catalogue, acts_once) if not left else ""
    run = Journal(connection).run(run_id)
    assert run is not None  # noqa: S101 - `find` has found it
    return Resolved(run, left, flow)


def _succeed(connection: Connection, run_id: str, wanted: Resolution) -> None:
    person = wanted.person
    reason = f"{person.by} says that it took effect" + (f": {person.reason}" if person.reason else "")
    connection.execute(
        "UPDATE steps SET status = 'succeeded', output = ?, reason = ?, error = NULL, finished_at = ? "
        "WHERE run_id = ? AND step = ? AND status IN ('held', 'sending')",
        (as_json(wanted.output), json.dumps(reason), write_time(person.at), run_id, wanted.step),
    )


def _go_on(connection: Connection, run_id: str, catalogue: Catalogue, acts_once: ActsOnce) -> Flow | str:
    """Queue the run if it is held; what had failed stays so. It cannot go on where its flow no longer checks."""
    run = Journal(connection).run(run_id)
    assert run is not None  # noqa: S101 - its step was resolved
    flow = revisions.load(connection, run.revision, catalogue)
    if run.status != "held" or isinstance(flow, str):
        return flow
    places = find_places(flow, Journal(connection).steps(run_id))
    reopening = Reopening(acts_once, ends=("held",))
    reopening.go_on(places.steps, places.on_error)
    undo(connection, run_id, reopening)
    connection.execute(_QUEUE, (run_id,))
    return flow
