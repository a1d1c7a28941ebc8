"""Runs: those that fit a filter, and all of one."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from connector import flow_graph
from connector.database import Connection
from connector.errors import StoreError
from connector.flow_graph import Graph
from connector.flows.flow import Flow
from connector.runs import records, revisions, stories
from connector.runs.decisions import approvals
from connector.runs.decisions.interventions import Intervention
from connector.runs.effects import acts_once
from connector.runs.journal import DamagedRowError, Journal
from connector.runs.records import Damaged, RunStatus, StepStatus
from connector.runs.search import RunFilter, find_runs
from connector.runs.waits import RunView, find_waits, read_view
from connector.server.forms import FormField, form_of_parameters
from connector.server.pages import Page, Params
from connector.server.site import Site
from connector.server.states import NodeState, find_states

MOST = 50
"""Runs of a page."""
_ABOUT = ("visitor_email", "email", "visitor_name", "name", "visitor_phone")


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]
"""All times of the pages are UTC."""


class RunsParams(Params):
    flow: str | None = Field(None, max_length=200)
    status: RunStatus | None = None
    text: str | None = Field(None, max_length=200, description="Part of an e-mail, a name or a message, or an id.")
    since: Moment | None = None
    until: Moment | None = None
    before: str | None = Field(None, max_length=100, description="The id of a run: only older ones.")


class RunRow(BaseModel):
    id: str
    flow: str | None = Field(description="Null where the row of the run is damaged.")
    status: RunStatus | Literal["damaged"]
    about: str | None = Field(description="Whom it is about, as far as its trigger says.")
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    why: str | None = Field(description="Why it did not succeed, what it left out, what it waits for, what is damaged.")
    epoch: int | None = Field(description="Another one whenever it goes on; what a retry sends as `seen`.")


class RunsShown(BaseModel):
    runs: Sequence[RunRow]
    flows: Sequence[str] = Field(description="The names to filter by.")
    older: str | None = Field(description="`before` of the next page; null on the last one.")


async def read_runs(site: Site, wanted: RunsParams) -> RunsShown:
    chosen = RunFilter(
        flow=wanted.flow,
        status=wanted.status,
        text=wanted.text,
        since=wanted.since,
        until=wanted.until,
        before=wanted.before,
    )

    def read(connection: Connection) -> list[RunRow]:
        return [row_of(connection, run) for run in find_runs(connection, chosen, MOST + 1)]

    rows = await site.read(read)
    names = sorted({flow.name for flow in site.flows} | {row.flow for row in rows if row.flow is not None})
    return RunsShown(runs=rows[:MOST], flows=names, older=rows[MOST - 1].id if len(rows) > MOST else None)


def row_of(connection: Connection, run: records.Run | Damaged) -> RunRow:
    if isinstance(run, Damaged):
        unknown: dict[str, Any] = dict.fromkeys(RunRow.model_fields.keys() - {"id", "status", "why"})
        return RunRow(id=run.id, status="damaged", why=f"damaged: {run.sentence}", **unknown)
    try:
        why = _why(connection, run)
    except DamagedRowError as error:  # of one of its steps
        why = f"damaged: {error}"
    return RunRow(
        id=run.id,
        flow=run.flow,
        status=run.status,
        about=about(run.trigger),
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        why=why,
        epoch=run.epoch,
    )


def _why(connection: Connection, run: records.Run) -> str | None:
    """Raises DamagedRowError."""
    if why := run.error.message if run.error else run.reason:
        return why
    if run.status in ("queued", "waiting"):
        return stories.waits_of(find_waits(connection, run)) or None
    left = stories.left_out(Journal(connection).steps(run.id).values()) if run.status == "succeeded" else ""
    return f"left out {left}" if left else None


def about(trigger: Any) -> str | None:
    """Whom a run is about, as far as its trigger or its inputs say."""
    if not isinstance(trigger, Mapping):
        return None
    return next((value for name in _ABOUT if isinstance(value := trigger.get(name), str) and value), None)


class RunParams(Params):
    id: str = Field(max_length=100)


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
    event_id: str
    revision: str
    trace: str | None = Field(description="The id of its trace of OpenTelemetry, where one was kept.")
    trigger: Any
    outputs: Any
    steps: Sequence[StepShown]
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
    return RunShown(
        run=row,
        sentence=story.sentence,
        latest=stories.is_about_the_flow(view.run),
        choices=[_choice(view, forms, one) for one in story.choices],
        event_id=view.run.event_id,
        revision=view.run.revision,
        trace=view.run.trace,
        trigger=view.run.trigger,
        outputs=view.run.outputs,
        steps=[_step(view.run, step, attempts.get(step.id, ())) for step in view.steps],
        graph=graph,
        states={} if graph is None or isinstance(flow, str) else find_states(flow, graph, view.steps),
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
    return ChoiceShown(
        change=choice.change,
        step=choice.step,
        sentence=choice.sentence,
        command=choice.command,
        title=(asked or {}).get("title"),
        form=forms.get(choice.step or "", []) if asked else [],
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


PAGES = (
    Page("/runs", "Runs", "runs.html", RunsParams, RunsShown, read_runs),
    Page("/runs/{id}", "Run", "run.html", RunParams, RunShown, read_run),
)
