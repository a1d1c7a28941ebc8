"""What people change with the pages: each is a decision of the journal, as the command line makes it."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from connector.errors import ConnectorError, InputError, StoreError
from connector.flows import values
from connector.flows.flow import Flow
from connector.flows.json_text import read_json
from connector.flows.parameters import as_object
from connector.flows.samples import stand_in, with_nulls
from connector.runs import records, resends, revisions
from connector.runs.decisions import approvals, cancels, resolutions, retries
from connector.runs.decisions.answers import Answer
from connector.runs.decisions.approvals import Asked
from connector.runs.decisions.interventions import Person, RefusedError
from connector.runs.decisions.resolutions import Resolution
from connector.runs.decisions.retries import Retry
from connector.runs.effects import acts_once
from connector.runs.intake import decide_event
from connector.runs.journal import Journal
from connector.runs.polling.watches import find_watches
from connector.runs.resends import Wanted
from connector.server import trying
from connector.server.access import Visitor
from connector.server.batches import Outcome
from connector.server.forms import read_form, typed
from connector.server.pages import Change, Params
from connector.server.site import Site
from connector.server.views import runs

log = logging.getLogger(__name__)

Do = Callable[[Site, Any, Visitor], Awaitable[str]]


class RunChange(Params):
    id: str = Field(max_length=100)
    reason: str | None = Field(None, max_length=1_000, description="Why; it is kept with the run.")


class RetryRun(RunChange):
    latest: bool = Field(False, description="Go on with the flow as it is now.")
    seen: int | None = Field(None, description="The `epoch` of the run as it was seen: refused where it has gone on.")


class RetryRuns(Params):
    runs: list[str] = Field(
        [], max_length=runs.MOST, description="The ids of runs, or `ID@EPOCH` for a run as it was seen."
    )
    latest: bool = Field(False, description="Go on with the flows as they are now.")
    reason: str | None = Field(None, max_length=1_000, description="Why; it is kept with the runs.")


class ResolveStep(RunChange):
    step: str = Field(max_length=500)
    took_effect: Literal["yes", "no"]
    output: str | None = Field(
        None, max_length=100_000, description="What it gave, as JSON, where it took effect; `unknown` without it."
    )


class AnswerApproval(RunChange):
    step: str = Field(max_length=500)
    answer: Literal["approve", "reject"]
    form: str | None = Field(None, max_length=100_000, description="The fields of the form, as a JSON object.")
    texts: SkipJsonSchema[dict[str, str]] = Field({}, description="What was typed for them.")

    @model_validator(mode="before")
    @classmethod
    def gather(cls, given: Any) -> Any:
        """Forms have the fields as `input.NAME`."""
        return {**given, "texts": typed(given)} if isinstance(given, Mapping) else given


class ResendEvent(Params):
    id: str = Field(max_length=100)
    flow: str = Field(max_length=200)


async def retry(site: Site, wanted: RetryRun, visitor: Visitor) -> str:
    """Let a run that failed, was cancelled or is held go on."""
    run = await _run(site, wanted.id)
    flow = _flow(site, run.flow) if wanted.latest else await _pinned(site, run)
    asked = Retry(flow, _person(site, wanted, visitor), seen=wanted.seen)
    await site.store.write(retries.retry, run.id, asked, site.adapter.catalogue, acts_once(site.adapter))
    site.wake()
    return f"/runs/{run.id}"


async def retry_all(site: Site, wanted: RetryRuns, visitor: Visitor) -> str:
    """Let each of several runs go on, where it can."""
    if not wanted.runs:
        raise RefusedError("no run was chosen; tick those that shall go on")
    outcomes = [await _try_again(site, chosen, wanted, visitor) for chosen in dict.fromkeys(wanted.runs)]
    return f"/runs/retries/{site.batches.keep(site.clock(), outcomes).id}"


async def _try_again(site: Site, chosen: str, wanted: RetryRuns, visitor: Visitor) -> Outcome:
    run_id, _, epoch = chosen.partition("@")
    seen = int(epoch) if epoch.isdecimal() and len(epoch) < 10 else -1 if epoch else None
    try:
        await retry(site, RetryRun(id=run_id[:100], latest=wanted.latest, reason=wanted.reason, seen=seen), visitor)
    except StoreError:
        raise
    except ConnectorError as error:
        return Outcome(run_id, str(error))
    log.info("audit: /runs/{id}/retry %a by %s", run_id, visitor.name)
    return Outcome(run_id, None)


async def cancel(site: Site, wanted: RunChange, visitor: Visitor) -> str:
    """End a run; what it has done stays done."""
    run = await _run(site, wanted.id)
    await site.store.write(cancels.cancel, run.id, _person(site, wanted, visitor))
    site.wake()
    return f"/runs/{run.id}"


async def resolve(site: Site, wanted: ResolveStep, visitor: Visitor) -> str:
    """Say whether a held step took effect."""
    run, once = await _run(site, wanted.id), acts_once(site.adapter)
    step = await site.read(lambda connection: resolutions.find(connection, run.id, wanted.step, once))
    done = wanted.took_effect == "yes"
    output = _read_output(site, step, wanted.output) if done else None
    resolution = Resolution(step.id, done, _person(site, wanted, visitor), output)
    await site.store.write(resolutions.resolve, run.id, resolution, site.adapter.catalogue, once)
    site.wake()
    return f"/runs/{run.id}"


async def answer(site: Site, wanted: AnswerApproval, visitor: Visitor) -> str:
    """Answer a step that asks a person; the first answer counts."""
    run = await _run(site, wanted.id)
    asked = await site.read(lambda connection: approvals.find(connection, site.adapter.catalogue, run.id, wanted.step))
    approved = wanted.answer == "approve"
    form = _read_object(wanted.form, "form") if wanted.form else _read_fields(asked, wanted.texts, approved=approved)
    if (reason := approvals.refuse_form(asked, form, approved=approved)) is not None:
        raise InputError(reason)
    given = Answer(approved, visitor.name, site.clock(), form)
    kept = await site.store.write(approvals.answer, asked, given)
    if kept is not given:
        raise RefusedError(f"{wanted.step} of {run.id} was answered before, by {kept.by}; the first answer counts")
    site.wake()
    return f"/runs/{run.id}"


def _read_fields(asked: Asked, texts: Mapping[str, str], *, approved: bool) -> dict[str, Any]:
    """What was typed. A checkbox cannot say that it is not given."""
    fields = approvals.form_of(asked, approved=approved)
    return read_form(as_object("form", fields), texts) if texts or approved else {}


async def resend(site: Site, wanted: ResendEvent, _visitor: Visitor) -> str:
    """Decide an event anew for a flow, as it is now."""
    event = await site.read(lambda connection: Journal(connection).event(wanted.id))
    if event is None:
        raise RefusedError(f"there is no event {wanted.id!r}")
    flow, now, adapter = replace(_flow(site, wanted.flow), enabled=True), site.clock(), site.adapter
    watches = find_watches(adapter, [flow], lambda flow, placed: decide_event(adapter, flow, placed, now))
    one = Wanted(flow, next(iter(watches), None))
    delivery = resends.read_delivery(adapter, event)
    starts: Sequence[records.Start] = await site.store.write(
        resends.resend, event.id, delivery, [one], lambda flow, placed: decide_event(adapter, flow, placed, now), now
    )
    site.wake()
    return next((f"/runs/{start.run_id}" for start in starts if start.run_id), f"/events/{event.id}?again={flow.name}")


def _person(site: Site, wanted: RunChange, visitor: Visitor) -> Person:
    return Person(visitor.name, site.clock(), wanted.reason)


async def _run(site: Site, run_id: str) -> records.Run:
    run = await site.read(lambda connection: Journal(connection).run(run_id))
    if run is None:
        raise RefusedError(f"there is no run {run_id!r}")
    return run


async def _pinned(site: Site, run: records.Run) -> Flow:
    flow = await site.read(lambda connection: revisions.load(connection, run.revision, site.adapter.catalogue))
    if isinstance(flow, str):
        raise RefusedError(f"{flow}; correct the flow {run.flow!r}, then retry the run with the flow as it is now")
    return flow


def _flow(site: Site, name: str) -> Flow:
    for flow in site.flows:
        if flow.name == name:
            return flow
    raise RefusedError(f"the server has no flow {name!r}; put its file into {site.folder}")


def _read_output(site: Site, step: records.Step, given: str | None) -> Any:
    """What the step gave, by the type of its action; `unknown` where nobody says it."""
    kind = site.adapter.catalogue.actions[step.action].given(step.input or {}).output
    filled = with_nulls(_read_object(given, "output"), kind) if given else stand_in(kind)
    if (refused := values.refuse(filled, kind)) is not None:
        raise InputError(f"what {step.id} gave does not fit {step.action}: {refused}; give it as JSON in `output`")
    return filled


def _read_object(text: str, name: str) -> dict[str, Any]:
    try:
        value = read_json(text)
    except ValueError as error:
        raise InputError(f"{name} is no JSON ({error}); expected an object such as {{}}") from error
    if not isinstance(value, dict):
        raise InputError(f"{name} is {text[:60]!r}; expected a JSON object such as {{}}")
    return value


CHANGES = (
    Change("/runs/retry", "Let runs go on", RetryRuns, retry_all),
    Change("/runs/{id}/retry", "Let a run go on", RetryRun, retry),
    Change("/runs/{id}/cancel", "End a run", RunChange, cancel),
    Change("/runs/{id}/resolve", "Resolve a step", ResolveStep, resolve),
    Change("/runs/{id}/answer", "Answer an approval", AnswerApproval, answer),
    Change("/events/{id}/resend", "Decide an event anew", ResendEvent, resend),
    *trying.CHANGES,
)
