"""The first page: whether all is well, and what needs a person."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import get_args

from pydantic import BaseModel, Field

from connector.database import Connection
from connector.runs import search
from connector.runs.polling.poll_states import PollState, read_partition_failures, read_polls
from connector.runs.records import RunStatus, first_id, read_time
from connector.runs.search import EventFilter, RunFilter
from connector.server.pages import Page, Params
from connector.server.site import Site
from connector.server.views import budgets
from connector.server.views.budgets import Budget
from connector.server.views.files import path_of
from connector.server.views.runs import RunRow, row_of

_HOURS = 24
_FIRST = 10
"""Runs that are shown of those that need a person."""
_URGENT: tuple[RunStatus, ...] = ("held", "failed")


class Trouble(BaseModel):
    """Something that is not well: what, and where to look."""

    sentence: str
    path: str


class Hour(BaseModel):
    at: datetime
    runs: dict[RunStatus, int]


class Polled(BaseModel):
    """The list of an agent that is polled."""

    connection: str
    list: str
    agent: str
    polled_at: datetime | None
    swept_at: datetime | None = Field(description="When the list was seen whole for the last time.")
    error: str | None


class HomeShown(BaseModel):
    healthy: bool
    troubles: Sequence[Trouble]
    hours: Sequence[Hour] = Field(description="The last 24, the oldest first.")
    most: int = Field(description="Runs in the hour that has most of them.")
    statuses: Sequence[RunStatus] = Field(description="Of these runs.")
    urgent: Sequence[RunRow] = Field(
        description="Held runs, failed ones of the last 24 hours, then those that fail now."
    )
    approvals: Sequence[RunRow] = Field(description="Runs that ask a person.")
    last_webhook: datetime | None
    polls: Sequence[Polled]
    budgets: Sequence[Budget] = Field(description="Of connections with a rate limit.")
    flows: int


async def read_home(site: Site, _wanted: Params) -> HomeShown:
    now, used = site.clock(), await budgets.find(site)

    def read(connection: Connection) -> HomeShown:
        polls = [one for one in read_polls(connection) if one.retired_at is None and one.unwatched_at is None]
        urgent = list(_find_urgent(connection, now))
        waiting = search.find_runs(connection, RunFilter(status="waiting"), 200)
        rows = [row_of(connection, run) for run in waiting]
        asking = [row for row in rows if row.why and " asks a person" in row.why]
        failing = [row for row in rows if row.why and " failed, and is tried again" in row.why]
        urgent += failing[:_FIRST]
        troubles = [
            *_find_troubles(connection, polls, urgent),
            *_find_waiting(asking, failing),
            *_find_refused(site, last_webhook(connection), now),
            *_find_off(site),
            *_find_broken(site),
            *_find_untold(site),
        ]
        hours = _count(connection, now)
        return HomeShown(
            healthy=not troubles,
            troubles=troubles,
            hours=hours,
            most=max((sum(hour.runs.values()) for hour in hours), default=0),
            statuses=sorted({status for hour in hours for status in hour.runs}),
            urgent=urgent,
            approvals=asking[:_FIRST],
            last_webhook=last_webhook(connection),
            polls=[_polled(one) for one in polls],
            budgets=used,
            flows=len(site.flows),
        )

    return await site.read(read)


def _find_urgent(connection: Connection, now: datetime) -> Iterator[RunRow]:
    for status in _URGENT:
        since = now - timedelta(hours=_HOURS) if status == "failed" else None
        for run in search.find_runs(connection, RunFilter(status=status, since=since), _FIRST):
            yield row_of(connection, run)


def _find_troubles(connection: Connection, polls: Sequence[PollState], urgent: Sequence[RunRow]) -> Iterator[Trouble]:
    for status in _URGENT:
        found = sum(1 for run in urgent if run.status == status)
        if found:
            many = f"{found} or more runs" if found == _FIRST else f"{found} run{'s' * (found > 1)}"
            yield Trouble(sentence=f"{many} {status}", path=f"/runs?status={status}")
    if events := search.find_events(connection, EventFilter(held=True), _FIRST):
        yield Trouble(sentence=f"{len(events)} event{'s' * (len(events) > 1)} held", path="/events?held=true")
    for failure in read_partition_failures(connection):
        place = f"{failure.connector}/{failure.connection}"
        yield Trouble(sentence=f"{place} is not polled: {failure.error}", path="/connections")
    for poll in polls:
        if poll.error is not None:
            yield Trouble(sentence=f"{poll.list} of {poll.partition} are not polled: {poll.error}", path="/connections")


def _find_waiting(asking: Sequence[RunRow], failing: Sequence[RunRow]) -> Iterator[Trouble]:
    if asking:
        say = "1 run asks" if len(asking) == 1 else f"{len(asking)} runs ask"
        yield Trouble(sentence=f"{say} a person", path="/runs?status=waiting")
    if failing:
        many = f"{len(failing)} run{'s' * (len(failing) > 1)}"
        yield Trouble(sentence=f"{many} of which a step failed, and is tried again", path="/runs?status=waiting")


def _find_off(site: Site) -> Iterator[Trouble]:
    """Where no event can start anything."""
    started = [flow for flow in site.flows if flow.trigger is not None]
    if started and not any(flow.enabled for flow in started):
        yield Trouble(sentence="every flow is off (enabled: false), so nothing starts", path="/flows")


def _find_broken(site: Site) -> Iterator[Trouble]:
    for file in site.serving.files:
        if file.why is not None:
            rest = "its last good revision goes on" if file.flow else "nothing of it is served"
            yield Trouble(sentence=f"{file.path} is not taken over, {rest}: {file.why}", path=path_of(file))


def _find_refused(site: Site, accepted: datetime | None, now: datetime) -> Iterator[Trouble]:
    """Those of the last day, unless a delivery was accepted since: anybody can send one that is refused."""
    day = now - timedelta(hours=_HOURS)
    since = max(accepted, day) if accepted else day
    found = [one for one in site.refusals if one.at > since]
    if found:
        word = "1 delivery was" if len(found) == 1 else f"{len(found)} deliveries were"
        yield Trouble(sentence=f"{word} refused, the last one: {found[0].reason}", path="/events")


def _find_untold(site: Site) -> Iterator[Trouble]:
    if site.alerts.failing is not None:
        yield Trouble(sentence=f"nobody is told of failures: {site.alerts.failing}", path="/runs?status=failed")


def _count(connection: Connection, now: datetime) -> list[Hour]:
    first = (now - timedelta(hours=_HOURS - 1)).replace(minute=0, second=0, microsecond=0)
    counted: dict[str, Counter[RunStatus]] = {}
    known = get_args(RunStatus)
    rows = connection.execute(
        "SELECT substr(created_at, 1, 13) AS hour, status, count(*) AS runs FROM runs WHERE id >= ? "
        "GROUP BY substr(created_at, 1, 13), status",
        (first_id("run", first),),
    )
    for row in rows:
        if row["status"] in known:  # one of a damaged row is none
            counted.setdefault(row["hour"], Counter())[row["status"]] = row["runs"]
    hours = [first + timedelta(hours=number) for number in range(_HOURS)]
    return [Hour(at=hour, runs=dict(counted.get(f"{hour:%Y-%m-%dT%H}", {}))) for hour in hours]


def last_webhook(connection: Connection) -> datetime | None:
    """When the newest of those came whose row is not damaged; None where all of the last ones are."""
    query = "SELECT received_at FROM events WHERE source = 'webhook' ORDER BY id DESC LIMIT ?"
    for row in connection.execute(query, (_FIRST,)):  # Postgres would send them all
        with suppress(ValueError, TypeError):
            return read_time(row["received_at"])
    return None


def _polled(poll: PollState) -> Polled:
    return Polled(
        connection=f"{poll.connector}/{poll.connection}",
        list=poll.list,
        agent=poll.partition,
        polled_at=poll.polled_at,
        swept_at=poll.swept_at,
        error=poll.error,
    )


PAGES = (Page("/", "Home", "home.html", Params, HomeShown, read_home),)
