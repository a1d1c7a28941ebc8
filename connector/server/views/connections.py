"""Connections: whether each has what it needs, how it is polled, and a test of each stage of one."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from connector.adapter import DEFAULT
from connector.database import Connection
from connector.declare import connector_of
from connector.diagnosis.connections import check_connection
from connector.diagnosis.findings import Status
from connector.errors import ConnectorError
from connector.flows.flow import Flow
from connector.runs.polling.poll_states import read_partition_failures, read_polls
from connector.server.pages import Page, Params
from connector.server.site import Site


class ConnectionsParams(Params):
    test: str | None = Field(None, max_length=200, description="CONNECTOR/NAME of a connection that is tested now.")


class Stage(BaseModel):
    """As `chatforge doctor --json` has it."""

    check: str
    status: Status
    detail: str
    next_step: str | None = Field(description="What to do where its status is warn or fail.")


class ConnectionRow(BaseModel):
    connector: str
    name: str
    title: str
    used_by: Sequence[str] = Field(description="The flows that use it.")
    fault: str | None = Field(description="What it lacks.")
    failing: str | None = Field(description="Why its lists are not polled.")
    tested: Sequence[Stage] = Field(description="What was found at each stage; empty unless it was asked for.")


class ConnectionsShown(BaseModel):
    connections: Sequence[ConnectionRow]


async def read_connections(site: Site, wanted: ConnectionsParams) -> ConnectionsShown:
    failing = await site.read(_find_failing)
    rows = []
    for connector, name in names_of(site):
        row = _row(site, connector, name, failing.get((connector, name)))
        if wanted.test == f"{connector}/{name}":
            row = row.model_copy(update={"tested": await _test(site, connector, name)})
        rows.append(row)
    return ConnectionsShown(connections=rows)


def _find_failing(connection: Connection) -> dict[tuple[str, str], str]:
    """Why the lists of a connection are not polled."""
    polls = [one for one in read_polls(connection) if one.error is not None and one.retired_at is None]
    lists = {(one.connector, one.connection): one.error or "" for one in polls}
    return lists | {(one.connector, one.connection): one.error for one in read_partition_failures(connection)}


def names_of(site: Site) -> list[tuple[str, str]]:
    """Those of connections.yaml, and those that flows use."""
    named = {(entry.connector, name) for name, entry in site.settings.connections.items()}
    return sorted(named | {place for flow in site.flows for place in _used(flow)})


def _used(flow: Flow) -> set[tuple[str, str]]:
    called = {(connector_of(call.uses), call.connection) for _, call in flow.calls_of_actions()}
    trigger = {(connector_of(flow.trigger.uses), flow.trigger.connection)} if flow.trigger else set()
    return called | trigger


def _row(site: Site, connector: str, name: str, failing: str | None) -> ConnectionRow:
    declared = site.adapter.registry.connections.get(connector)
    return ConnectionRow(
        connector=connector,
        name=name,
        title=declared.title if declared else connector,
        used_by=sorted({flow.name for flow in site.flows if (connector, name) in _used(flow)}),
        fault=find_fault(site, connector, name),
        failing=failing,
        tested=(),
    )


def find_fault(site: Site, connector: str, name: str = DEFAULT) -> str | None:
    """What a connection lacks, as a sentence."""
    if connector not in site.adapter.registry.connections:
        return None
    try:
        site.adapter.require_connection(connector, name)
    except ConnectorError as error:
        return str(error)
    return None


async def _test(site: Site, connector: str, name: str) -> list[Stage]:
    plugins = site.adapter.registry
    stages = check_connection(plugins, site.settings, connector, name, site.clock(), lambda _text: None)
    return [
        Stage(check=one.check, status=one.status, detail=one.detail, next_step=one.next_step)
        for one in await site.diagnoses.collect(stages)
    ]


def _asks(wanted: ConnectionsParams) -> bool:
    return wanted.test is not None


PAGES = (
    Page(
        "/connections", "Connections", "connections.html", ConnectionsParams, ConnectionsShown, read_connections, _asks
    ),
)
