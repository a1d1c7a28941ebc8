"""Lets a run go on after its end. The function works in its caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from connector.database import Connection
from connector.flows.catalogue import Catalogue
from connector.flows.flow import Flow
from connector.flows.problems import did_you_mean, quoted
from connector.runs import records, revisions
from connector.runs.decisions import interventions
from connector.runs.decisions.alterations import find_misfit
from connector.runs.decisions.doubts import find_doubts
from connector.runs.decisions.interventions import Intervention, Person, RefusedError, Undone
from connector.runs.decisions.places import ActsOnce, Steps, find_places
from connector.runs.decisions.reopening import Reopening
from connector.runs.decisions.undoing import undo
from connector.runs.journal import Journal

_QUEUE = (
    "UPDATE runs SET status = 'queued', revision = ?, lane_place = ?, worked = 0, finished_at = NULL, wake_at = NULL, "
    "outputs = NULL, error = NULL, reason = NULL, cancelling = NULL, told_at = NULL, epoch = epoch + 1 "
    "WHERE id = ? AND status IN ('failed', 'cancelled', 'held')"
)


@dataclass(frozen=True, slots=True)
class Retry:
    """What a person wants: the text that the run goes on with, and the paths of steps to do once more.

    `seen` is the epoch of the run that the person has looked at: a second click does not retry it twice.
    """

    flow: Flow
    person: Person
    repeats: Sequence[str] = ()
    seen: int | None = None


def retry(connection: Connection, run_id: str, wanted: Retry, catalogue: Catalogue, acts_once: ActsOnce) -> None:
    """Queue the run again; what failed is done anew. Raises RefusedError where that cannot be."""
    run = _require_ended(connection, run_id, wanted.seen)
    steps = Journal(connection).steps(run_id)
    _require_no_doubt(run_id, steps, acts_once)
    _require_finished(run_id, steps, wanted.repeats)
    reopening = _reopen(run, steps, wanted, catalogue, acts_once)
    revisions.keep(connection, wanted.flow)
    error = run.error.as_json() if run.error else None
    done = undo(connection, run_id, reopening)
    undone: Undone = {"status": run.status, "error": error, "revision": run.revision, "steps": done}
    if not connection.execute(_QUEUE, (wanted.flow.revision, _find_lane_place(connection, run), run_id)).rowcount:
        raise RefusedError(f"the run {run_id} has been changed meanwhile; look again: chatforge runs show {run_id}")
    interventions.keep(connection, run_id, Intervention("retry", wanted.person, None, undone, wanted.repeats))


def _reopen(run: records.Run, steps: Steps, wanted: Retry, catalogue: Catalogue, acts_once: ActsOnce) -> Reopening:
    """What is done anew. Raises RefusedError where the flow has another text, which does not fit what was done."""
    places = find_places(wanted.flow, steps)
    reopening = Reopening(acts_once, ends=("failed", "held"))
    reopening.go_on(places.steps, places.on_error)
    reopening.repeat(places, wanted.repeats)
    if wanted.flow.revision != run.revision:
        if (misfit := find_misfit(wanted.flow, run, steps, places, reopening, catalogue)) is not None:
            raise RefusedError(f"{misfit}; correct the flow, or retry the run with the text that it began with")
        reopening.forgotten.update(set(steps) - {place.path for place in places.walk()})
    return reopening


def _require_ended(connection: Connection, run_id: str, seen: int | None) -> records.Run:
    run = Journal(connection).run(run_id)
    if run is None:
        raise RefusedError(f"there is no run {run_id!r}")
    if seen is not None and run.epoch != seen:
        raise RefusedError(
            f"the run {run_id} has gone on since you looked at it, and is {run.status} now; look at it again"
        )
    if run.status not in ("failed", "cancelled", "held"):
        raise RefusedError(
            f"the run {run_id} is {run.status}; only one that failed, was cancelled or is held can be retried"
        )
    return run


def _require_no_doubt(run_id: str, steps: Steps, acts_once: ActsOnce) -> None:
    for doubt in find_doubts(steps, acts_once):
        raise RefusedError(
            f"nobody knows whether {doubt.id} took effect; look at the other side, then say so: "
            f"chatforge runs resolve {run_id} --step {doubt.id} --done, or --not-done"
        )


def _require_finished(run_id: str, steps: Steps, repeats: Sequence[str]) -> None:
    finished = [one.id for one in steps.values() if one.status in records.FINISHED]
    for path in repeats:
        if path not in finished:
            hint = did_you_mean(path, finished) or f"see: chatforge runs show {run_id}"
            raise RefusedError(f"the run {run_id} has finished no step {quoted(path)}; {hint}")


def _find_lane_place(connection: Connection, run: records.Run) -> int | None:
    """Behind the runs with its key: one of them may have begun since this one ended. A held one has kept its place."""
    row = connection.execute(
        "SELECT r.lane, r.lane_place, (SELECT coalesce(max(o.lane_place), 0) FROM runs o WHERE o.flow = r.flow "
        "AND o.lane = r.lane AND o.finished_at IS NULL) AS last FROM runs r WHERE r.id = ?",
        (run.id,),
    ).fetchone()
    if row["lane"] is None or run.status == "held":
        place: int | None = row["lane_place"]
        return place
    return int(row["last"]) + 1
