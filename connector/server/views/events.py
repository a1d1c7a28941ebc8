"""Events: what came in, what was refused, and what each flow made of it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from connector.database import Connection
from connector.declare import connector_of
from connector.runs import records
from connector.runs.journal import DamagedRowError, Journal
from connector.runs.records import Damaged, RunStatus
from connector.runs.search import EventFilter, find_events
from connector.server.pages import Page, Params
from connector.server.site import Site
from connector.server.views.runs import about, why_of

MOST = 50
_EXACT = "it is believed, as its signature fits the body as it came"
_REWRITTEN = "it is believed: the body was written anew on its way, and its signature fits what JavaScript makes of it"
_SOURCES = {
    "poll": "found in a list that was polled",
    "schedule": "the clock",
    "manual": "a person made it",
}


class EventsParams(Params):
    text: str | None = Field(None, max_length=200, description="Part of an e-mail, a name or a message, or an id.")
    name: str | None = Field(None, max_length=200)
    held: bool = False
    before: str | None = Field(None, max_length=100, description="The id of an event: only older ones.")


class StartShown(BaseModel):
    """What a flow made of the event."""

    flow: str
    run_id: str | None
    status: RunStatus | None = Field(description="Of the run.")
    reason: str | None = Field(description="Why it has started nothing, or why its run has not succeeded.")
    held: bool
    due_at: datetime | None = Field(description="When it starts without the entry of the list that it waits for.")


class EventRow(BaseModel):
    """All but the id is null where the row of the event is damaged."""

    id: str
    name: str | None
    source: str | None
    status: Literal["accepted", "held", "damaged"]
    about: str | None
    received_at: datetime | None
    connection: str | None
    starts: Sequence[StartShown]
    damaged: str | None = Field(description="What is damaged: the row of the event, or of what a flow made of it.")


class RefusalShown(BaseModel):
    """A delivery that was not accepted. Anybody may have sent it."""

    at: datetime
    connection: str
    status: int
    reason: str
    headers: Mapping[str, str]
    body: str


class EventsShown(BaseModel):
    events: Sequence[EventRow]
    older: str | None = Field(description="`before` of the next page; null on the last one.")
    refused: Sequence[RefusalShown] = Field(description="Since the server started, the newest first.")


async def read_events(site: Site, wanted: EventsParams) -> EventsShown:
    chosen = EventFilter(name=wanted.name, held=wanted.held, text=wanted.text, before=wanted.before)

    def read(connection: Connection) -> list[EventRow]:
        return [_row_or_damaged(site, connection, event) for event in find_events(connection, chosen, MOST + 1)]

    rows = await site.read(read)
    text = (wanted.text or "").strip().lower()
    refused = [
        RefusalShown(
            at=one.at,
            connection=f"{one.connector}/{one.connection}",
            status=one.status,
            reason=one.reason,
            headers=one.headers,
            body=one.body,
        )
        for one in site.refusals
        if text in one.body.lower() and not wanted.before
    ]
    return EventsShown(events=rows[:MOST], older=rows[MOST - 1].id if len(rows) > MOST else None, refused=refused)


def _row_or_damaged(site: Site, connection: Connection, event: records.Event | Damaged) -> EventRow:
    if isinstance(event, Damaged):
        unknown: dict[str, Any] = dict.fromkeys(("name", "source", "about", "received_at", "connection"))
        return EventRow(id=event.id, status="damaged", starts=(), damaged=f"damaged: {event.sentence}", **unknown)
    try:
        return _row(event, _starts(connection, event.id) or _off(site, event))
    except DamagedRowError as error:
        return _row(event, (), f"damaged: {error}")


def _row(event: records.Event, starts: Sequence[StartShown], damaged: str | None = None) -> EventRow:
    return EventRow(
        id=event.id,
        name=event.name,
        source=event.source,
        status=event.status,
        about=_about(event.text),
        received_at=event.received_at,
        connection=f"{event.connector}/{event.connection}",
        starts=starts,
        damaged=damaged,
    )


def _starts(connection: Connection, event_id: str) -> list[StartShown]:
    journal = Journal(connection)
    made = [_start(connection, one) for one in journal.starts(event_id)]
    waiting = [
        StartShown(flow=flow, run_id=None, status=None, reason=_WAITS, held=False, due_at=due_at)
        for flow, due_at in journal.waiting(event_id).items()
    ]
    return made + waiting


def _off(site: Site, event: records.Event) -> list[StartShown]:
    """The flows that would be asked if they were on."""
    place = (event.connector, event.connection)
    return [
        StartShown(flow=flow.name, run_id=None, status=None, reason=_OFF, held=False, due_at=None)
        for flow in site.flows
        if not flow.enabled and flow.trigger and (connector_of(flow.trigger.uses), flow.trigger.connection) == place
    ]


_OFF = "it is off (enabled: false)"
_WAITS = "it waits until the list has the entry that this webhook tells of"


def _start(connection: Connection, start: records.Start) -> StartShown:
    run = Journal(connection).run(start.run_id) if start.run_id else None
    return StartShown(
        flow=start.flow,
        run_id=start.run_id,
        status=run.status if run else None,
        reason=why_of(connection, run) if run else start.reason,
        held=start.held,
        due_at=None,
    )


def _about(text: str | None) -> str | None:
    try:
        payload = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(payload, dict):
        return None
    inner = [value for value in payload.values() if isinstance(value, dict)]
    return next((found for one in [*inner, payload] if (found := about(one))), None)


class EventParams(Params):
    id: str = Field(max_length=100)
    again: str | None = Field(None, max_length=200, description="The flow for which it was just decided anew.")


class FlowChoice(BaseModel):
    name: str
    enabled: bool = Field(description="Whether events start it by themselves.")


class EventShown(BaseModel):
    event: EventRow
    verdict: str = Field(description="Why it was believed.")
    occurred_at: datetime | None
    headers: Mapping[str, str] = Field(description="Of a webhook, without secrets.")
    body: Any = Field(description="As JSON; the text where it is none; null once it was removed.")
    text: str | None = Field(description="The body as it was signed.")
    flows: Sequence[FlowChoice] = Field(description="Those that could decide it anew.")


async def read_event(site: Site, wanted: EventParams) -> EventShown | None:
    def read(connection: Connection) -> tuple[records.Event, EventRow] | None:
        event = Journal(connection).event(wanted.id)
        return None if event is None else (event, _row(event, _starts(connection, event.id) or _off(site, event)))

    found = await site.read(read)
    if found is None:
        return None
    event, row = found
    started = {start.flow for start in row.starts if start.run_id}
    return EventShown(
        event=row,
        verdict=_verdict(event),
        headers=event.headers or {},
        occurred_at=event.occurred_at,
        body=_body(event.text),
        text=event.text,
        flows=[
            FlowChoice(name=flow.name, enabled=flow.enabled)
            for flow in site.flows
            if flow.trigger is not None and flow.name not in started
        ],
    )


def _verdict(event: records.Event) -> str:
    if event.source == "webhook":
        return _EXACT if event.exact else _REWRITTEN
    return _SOURCES.get(event.source, event.source)


def _body(text: str | None) -> Any:
    try:
        return json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        return text


PAGES = (
    Page("/events", "Events", "events.html", EventsParams, EventsShown, read_events),
    Page("/events/{id}", "Event", "event.html", EventParams, EventShown, read_event),
)
