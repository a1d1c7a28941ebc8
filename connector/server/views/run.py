"""One run: what happened, its steps with what they sent, its graph, and what a person can do."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from connector import flow_graph
from connector.database import Connection
from connector.errors import StoreError
from connector.flow_graph import Graph
from connector.flows.flow import Flow
from connector.runs import records, revisions, stories
from connector.runs.decisions import approvals
from connector.runs.decisions.interventions import Intervention
from connector.runs.effects import acts_once
from connector.runs.journal import DamagedRowError
from connector.runs.records import StepStatus
from connector.runs.waits import RunView, read_view
from connector.server.forms import FormField, form_of_parameters
from connector.server.pages import Page, Params
from connector.server.site import Site
from connector.server.states import NodeState, find_states
from connector.server.views.runs import RunRow, row_of

_MOST_STEPS = 500
_QUIET = ("succeeded", "skipped")


class RunParams(Params):
    id: str = Field(max_length=100)
    most: int = Field(_MOST_STEPS, ge=1, le=100_000, description="Steps that are shown, the first ones.")


class RequestShown(BaseModel):
    """A request of HTTP, without secrets of the connection."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str
    seconds: float
    status: int | None = Field(description="Null where no answer came.")
    answer: str | None = Field(description="The beginning of what came back, unless the request succeeded.")
    error: str | None = Field(description="Why no answer came.")


class AttemptShown(BaseModel):
    number: int
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    requests: Sequence[RequestShown]


class StepShown(BaseModel):
    id: str
    action: str
    status: StepStatus
    started_at: datetime
    finished_at: datetime | None
    after: float = Field(description="Seconds from the beginning of the run.")
    input: Any
    output: Any
    reason: str | None = Field(description="Why it was skipped: with the values that made its `if` false.")
    error: str | None
    attempts: Sequence[AttemptShown]


class ChoiceShown(BaseModel):
    """Something that a person can do about the run."""

    change: str
    step: str | None
    sentence: str
    command: str
    title: str | None = Field(description="What an approval asks.")
    form: Sequence[FormField] = Field(description="The fields of an approval's form.")


class DecisionShown(BaseModel):
    what: str
    step: str | None
    by: str
    at: datetime
    reason: str | None


class RunShown(BaseModel):
    run: RunRow
    sentence: str = Field(description="What happened.")
    latest: bool = Field(description="Whether it can only go on with the flow as it is now.")
    choices: Sequence[ChoiceShown]
    here: bool = Field(description="Whether a flow of its name is served.")
    event_id: str
    revision: str
    trace: str | None = Field(description="The id of its trace of OpenTelemetry, where one was kept.")
    trigger: Any
    outputs: Any
    steps: Sequence[StepShown] = Field(description="The first ones, and all that did not succeed.")
    left: int = Field(description="Steps that are not shown.")
    graph: Graph | None = Field(description="Of the flow as the run has it; null where it no longer checks.")
    states: Mapping[str, NodeState] = Field(description="By the ids of the nodes of the graph that are steps.")
    decisions: Sequence[DecisionShown]


async def read_run(site: Site, wanted: RunParams) -> RunShown | None:
    def read(connection: Connection) -> tuple[RunView, RunRow, Flow | None, dict[str, list[FormField]]] | None:
        view = read_view(connection, wanted.id)
        if view is None:
            return None
        flow = _load(site, connection, view.run)
        return view, row_of(connection, view.run), flow, _forms(site, connection, view)

    found = await site.read(read)
    if found is None:
        return None
    view, row, flow, forms = found
    graph = flow_graph.draw(flow) if flow else None
    story = stories.tell(view, acts_once(site.adapter))
    attempts: dict[str, list[AttemptShown]] = {}
    for one in view.attempts:
        attempts.setdefault(one.step, []).append(_attempt(view.run, one))
    steps = [step for number, step in enumerate(view.steps) if number < wanted.most or step.status not in _QUIET]
    return RunShown(
        run=row,
        sentence=story.sentence,
        latest=stories.is_about_the_flow(view.run),
        choices=[_choice(view, forms, one) for one in story.choices],
        here=any(one.name == view.run.flow for one in site.flows),
        event_id=view.run.event_id,
        revision=view.run.revision,
        trace=view.run.trace,
        trigger=view.run.trigger,
        outputs=view.run.outputs,
        steps=[_step(view.run, step, attempts.get(step.id, ())) for step in steps],
        left=len(view.steps) - len(steps),
        graph=graph,
        states=find_states(flow, graph, view.steps) if flow and graph else {},
        decisions=[_decision(one) for one in view.interventions],
    )


def _load(site: Site, connection: Connection, run: records.Run) -> Flow | None:
    """The flow that the run is pinned to, as far as it can still be read."""
    with suppress(StoreError):
        found = revisions.load(connection, run.revision, site.adapter.catalogue)
        return found if isinstance(found, Flow) else None
    return None


def _forms(site: Site, connection: Connection, view: RunView) -> dict[str, list[FormField]]:
    """The form of each approval, as far as the flow can still be read."""
    found = {}
    for one in view.waiting:
        if one.what == "approval" and one.answer is None:
            with suppress(StoreError):
                asked = approvals.find(connection, site.adapter.catalogue, view.run.id, one.step)
                found[one.step] = form_of_parameters(asked.form)
    return found


def _choice(view: RunView, forms: Mapping[str, list[FormField]], choice: stories.Choice) -> ChoiceShown:
    asked = next((one.asked for one in view.waiting if one.step == choice.step and choice.change == "approve"), None)
    form = forms.get(choice.step or "", []) if asked else []
    return ChoiceShown(
        change=choice.change,
        step=choice.step,
        sentence=choice.sentence,
        command=choice.command + "".join(f" --set {one.name}=…" for one in form if one.required),
        title=(asked or {}).get("title"),
        form=form,
    )


def _attempt(run: records.Run, one: records.Attempt) -> AttemptShown:
    """Raises DamagedRowError."""
    try:
        requests = [RequestShown.model_validate(request) for request in one.requests]
    except ValidationError as error:
        place = f"run_id {run.id!r}, step {one.step!r}"
        raise DamagedRowError(f"the row with {place} is damaged; restore the database from a backup") from error
    return AttemptShown(
        number=one.number,
        started_at=one.started_at,
        finished_at=one.finished_at,
        error=one.error,
        requests=requests,
    )


def _step(run: records.Run, step: records.Step, attempts: Sequence[AttemptShown]) -> StepShown:
    return StepShown(
        id=step.id,
        action=step.action,
        status=step.status,
        started_at=step.started_at,
        finished_at=step.finished_at,
        after=round((step.started_at - run.created_at).total_seconds(), 3),
        input=step.input,
        output=step.output,
        reason=step.reason,
        error=step.error.message if step.error else None,
        attempts=attempts,
    )


def _decision(one: Intervention) -> DecisionShown:
    return DecisionShown(what=one.what, step=one.step, by=one.person.by, at=one.person.at, reason=one.person.reason)


PAGES = (Page("/runs/{id}", "Run", "run.html", RunParams, RunShown, read_run),)
