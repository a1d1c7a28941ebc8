"""Finds the steps that ask for an approval, and takes the answer. Each function works in its caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connector.database import Connection
from connector.errors import ConnectorError, StoreError
from connector.flows import parameters
from connector.flows.catalogue import Catalogue
from connector.flows.flow import Approve
from connector.flows.parameters import Parameters
from connector.flows.paths import find_step
from connector.flows.problems import one_of, quoted
from connector.runs import records, revisions
from connector.runs.decisions import answers
from connector.runs.decisions.answers import Answer
from connector.runs.journal import Journal


class NotAskedError(ConnectorError):
    """The step waits for no approval, or has its answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A step that asks, or has asked."""

    run_id: str
    step: str
    form: Parameters


def find(connection: Connection, catalogue: Catalogue, run_id: str, step: str | None) -> Asked:
    """The step of the run that asks: the one named, or the only one.

    Raises NotAskedError where it neither waits for an answer nor has one, StoreError where the form cannot be read.
    """
    run = Journal(connection).run(run_id)
    if run is None:
        raise NotAskedError(f"there is no run {run_id!r}")
    asking = [one for one in Journal(connection).steps(run_id).values() if one.action == "approve"]
    chosen = _choose(run, asking, step)
    if answers.find(connection, run_id, chosen.id) is None:
        _require_waiting(run_id, chosen)
    flow = revisions.load(connection, run.revision, catalogue)
    if isinstance(flow, str):
        raise StoreError(f"the form of {chosen.id} cannot be read: {flow}")
    found = find_step(flow, chosen.id)
    return Asked(run_id, chosen.id, found.does.form if found and isinstance(found.does, Approve) else {})


def form_of(asked: Asked, *, approved: bool) -> Parameters:
    """The fields of the form, which who rejects may leave out."""
    return {name: one if approved else replace(one, required=False) for name, one in asked.form.items()}


def refuse_form(asked: Asked, given: Mapping[str, Any], *, approved: bool) -> str | None:
    """Why what is given does not fit the form."""
    faults = parameters.refuse(form_of(asked, approved=approved), given)
    return f"the form of {asked.step} does not fit: {'; '.join(faults)}" if faults else None


def _choose(run: records.Run, asking: Sequence[records.Step], step: str | None) -> records.Step:
    known = [one.id for one in asking]
    if not asking:
        raise NotAskedError(f"the run {run.id} is {run.status} and has asked for no approval")
    if step is not None and step not in known:
        raise NotAskedError(f"the run {run.id} has no approval {quoted(step)}; expected {one_of(known)}")
    chosen = [one for one in asking if one.id == step] or [one for one in asking if one.status == "waiting"]
    chosen = chosen or list(asking)
    if len(chosen) > 1:
        raise NotAskedError(f"several steps of {run.id} ask; name one: {one_of([one.id for one in chosen])}")
    return chosen[0]


def _require_waiting(run_id: str, step: records.Step) -> None:
    if step.status != "waiting":
        raise NotAskedError(f"the step {step.id} of {run_id} is {step.status} and waits for no approval")


def answer(connection: Connection, asked: Asked, given: Answer) -> Answer:
    """The answer that counts: the first one. Raises NotAskedError where the time to answer has run out."""
    first = answers.find(connection, asked.run_id, asked.step)
    step = Journal(connection).steps(asked.run_id)[asked.step]
    if first is None:
        _require_waiting(asked.run_id, step)
    is_late = first is None and step.wake_at is not None and given.at >= step.wake_at
    if is_late or (first is not None and first.by is None):
        raise NotAskedError(f"the time to answer {asked.step} of {asked.run_id} is over")
    return answers.give(connection, asked.run_id, asked.step, given)
