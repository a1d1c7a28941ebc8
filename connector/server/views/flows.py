"""Flows: the text of each, what starts it, and how its runs ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

from pydantic import BaseModel, Field

from connector import flow_graph
from connector.database import Connection
from connector.flow_graph import Graph
from connector.flows.durations import render
from connector.flows.flow import Flow
from connector.runs.records import RunStatus
from connector.runs.search import RunFilter, find_runs
from connector.server.flow_files import FlowFile
from connector.server.pages import Page, Params
from connector.server.site import Site
from connector.server.views import files
from connector.server.views.files import FileRow, LineShown
from connector.server.views.runs import RunRow, row_of

_RECENT = 10


class FlowRow(BaseModel):
    name: str
    description: str
    enabled: bool
    starts: str = Field(description="What starts it.")
    next_at: datetime | None = Field(description="When the clock starts it next.")
    last: RunRow | None
    file: FileRow = Field(description="Its file, as it is now.")


class FlowsShown(BaseModel):
    flows: Sequence[FlowRow]
    files: Sequence[FileRow] = Field(description="Others, of which nothing is served.")
    folder: str


async def read_flows(site: Site, _wanted: Params) -> FlowsShown:
    now = site.serving.files

    def read(connection: Connection) -> list[FlowRow]:
        rows = [_row(site, connection, file.flow, file) for file in now if file.flow]
        return sorted(rows, key=lambda row: row.name)

    others = [files.row_of(file) for file in now if file.flow is None]
    return FlowsShown(flows=await site.read(read), files=others, folder=str(site.folder))


def _row(site: Site, connection: Connection, flow: Flow, file: FlowFile) -> FlowRow:
    last = find_runs(connection, RunFilter(flow=flow.name), 1)
    return FlowRow(
        name=flow.name,
        description=flow.description,
        enabled=flow.enabled,
        starts=_starts(site, flow),
        next_at=(site.serving.upcoming or {}).get(flow.name),
        last=row_of(connection, last[0]) if last else None,
        file=files.row_of(file),
    )


def _starts(site: Site, flow: Flow) -> str:
    if flow.trigger is None:
        return "a person, or another flow"
    use = flow.trigger
    watching = site.adapter.watch(use.uses, use.input)
    account = "" if use.connection == "default" else f" of {use.connection}"
    return f"{use.uses}{account}" + (f", polled every {render(watching.every)}" if watching else "")


class FlowParams(Params):
    id: str = Field(max_length=200, description="The name of the flow.")


class FlowShown(BaseModel):
    flow: FlowRow
    source: str = Field(description="As it is served.")
    lines: Sequence[LineShown] = Field(description="Of its file as it is now.")
    steps: Sequence[str]
    graph: Graph
    counts: dict[RunStatus, int] = Field(description="Of all runs that are kept.")
    recent: Sequence[RunRow]


async def read_flow(site: Site, wanted: FlowParams) -> FlowShown | None:
    file = next((one for one in site.serving.files if one.flow and one.flow.name == wanted.id), None)
    if file is None or file.flow is None:
        return None
    flow = file.flow

    def read(connection: Connection) -> FlowShown:
        counted = connection.execute(
            "SELECT status, count(*) AS runs FROM runs WHERE flow = ? GROUP BY status", (flow.name,)
        )
        return FlowShown(
            flow=_row(site, connection, flow, file),
            source=flow.source,
            lines=files.lines_of_file(file),
            steps=[step.id for step in flow.walk()],
            graph=flow_graph.draw(flow),
            counts={row["status"]: row["runs"] for row in counted if row["status"] in get_args(RunStatus)},
            recent=[row_of(connection, run) for run in find_runs(connection, RunFilter(flow=flow.name), _RECENT)],
        )

    return await site.read(read)


PAGES = (
    Page("/flows", "Flows", "flows.html", Params, FlowsShown, read_flows),
    Page("/flows/{id}", "Flow", "flow.html", FlowParams, FlowShown, read_flow),
)
