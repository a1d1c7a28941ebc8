"""Runs: those that fit a filter, and all of one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from connector.database import Connection
from connector.runs import records, stories
from connector.runs.journal import DamagedRowError, Journal
from connector.runs.records import Damaged, RunStatus
from connector.runs.search import RunFilter, find_runs
from connector.runs.waits import find_waits
from connector.server.pages import Page, Params
from connector.server.site import Site

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
        why = why_of(connection, run)
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


def why_of(connection: Connection, run: records.Run) -> str | None:
    """Why it did not succeed as a whole, or what it waits for. Raises DamagedRowError."""
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


PAGES = (Page("/runs", "Runs", "runs.html", RunsParams, RunsShown, read_runs),)
