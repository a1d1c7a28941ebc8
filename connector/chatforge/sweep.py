"""Finds what is new in the lists of ChatForge, page by page. Pure: it says what to ask and reads what came.

A round walks the whole list of each agent, because the order of the lists is not documented. What is told in the first
round depends on its date; after a clean round, in which nothing can have been missed, all that is new is told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from connector.chatforge.models import Time
from connector.declare import Event, Page, Poll, PollRequest, PollStep
from connector.errors import NotFoundError

PAGE = 50
AGENTS_AGE = timedelta(minutes=10)
"""How long the list of agents is taken as it was."""
START_TOLERANCE = timedelta(seconds=60)
"""The clocks differ: what is a little older than the start counts as new."""

_AGENTS = "agents"
_MOST_PAGES = 2_000
"""Of one list in one round: a list without an end must not keep the others waiting."""


class Wanted(Protocol):
    """What a flow asks of a poll."""

    agent_id: str | None
    start: str
    """`now`, `all` or a time."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of list: the action that gives a page, the key of its items, and what an item tells."""

    action: str
    key: str
    tell: Callable[[str, Mapping[str, Any], int | None], Event | None]
    """(agent, item, the version that was seen before) → the event, or None where there is nothing to tell."""
    version: Callable[[Mapping[str, Any]], int] = lambda _item: 0
    """A number that rises when an item has changed."""


class SweepState(BaseModel):
    """What a poll remembers. Times are UTC."""

    model_config = ConfigDict(extra="forbid")

    started: Time
    agents: list[str] = []
    agents_at: Time | None = None
    asked: str | None = None
    """`agents`, or the id of the agent whose list is walked."""
    queue: list[str] = []
    """The agents whose lists are still to be walked in this round."""
    offset: int = 0
    pages: int = 0
    last_page: list[str] = []
    at_end: bool = False
    """Whether the last page held nothing but what the one before it had shown."""
    missed: bool = False
    """Whether items may have slipped between two pages of this list."""
    seen: dict[str, dict[str, int]] = {}
    """agent → item → version."""
    swept: list[str] = []
    """The agents whose list was walked once without a doubt; what appears there from now on is new."""


def make_poll(resource: Resource) -> Poll:
    """The poll of one kind of list."""

    def poll(wanted: Wanted, state: Mapping[str, Any] | None, page: Page, now: datetime) -> PollStep:
        sweep = SweepState(started=now) if state is None else SweepState.model_validate(state)
        events: Sequence[Event] = ()
        if page is None:
            _begin(sweep, wanted, now)
        elif isinstance(page, NotFoundError):
            _retire(sweep, wanted, page)
        elif sweep.asked == _AGENTS:
            sweep.agents, sweep.agents_at = list(dict.fromkeys(agent["id"] for agent in page["agents"])), now
            sweep.queue = list(sweep.agents)
            _go_on(sweep)
        else:
            events = _take(sweep, resource, wanted, page[resource.key], now)
        return PollStep(events, sweep.model_dump(mode="json"), _request(sweep, resource))

    return poll


def _begin(sweep: SweepState, wanted: Wanted, now: datetime) -> None:
    if wanted.agent_id is not None:
        sweep.queue = [wanted.agent_id]
    elif sweep.agents_at is None or now - sweep.agents_at >= AGENTS_AGE:
        sweep.asked = _AGENTS
        return
    else:
        sweep.queue = list(sweep.agents)
    _go_on(sweep)


def _go_on(sweep: SweepState) -> None:
    """Turn to the next agent."""
    sweep.asked = sweep.queue.pop(0) if sweep.queue else None
    sweep.offset, sweep.pages, sweep.last_page = 0, 0, []
    sweep.at_end = sweep.missed = False


def _retire(sweep: SweepState, wanted: Wanted, error: NotFoundError) -> None:
    """An agent that was listed is gone; one that the flow names is the user's mistake."""
    if wanted.agent_id is not None or sweep.asked is None or sweep.asked == _AGENTS:
        raise error
    sweep.agents = [agent for agent in sweep.agents if agent != sweep.asked]
    sweep.swept = [agent for agent in sweep.swept if agent != sweep.asked]
    sweep.seen.pop(sweep.asked, None)
    _go_on(sweep)


def _take(
    sweep: SweepState, resource: Resource, wanted: Wanted, items: Sequence[Mapping[str, Any]], now: datetime
) -> Sequence[Event]:
    agent = sweep.asked or ""
    seen = sweep.seen.setdefault(agent, {})
    start = _start(sweep, wanted, swept=agent in sweep.swept, now=now)
    events = []
    for item in items:
        before, version = seen.get(item["id"]), resource.version(item)
        seen[item["id"]] = max(version, before or 0)
        event = resource.tell(agent, item, before)
        if event is not None and (start is None or (event.occurred_at is not None and event.occurred_at >= start)):
            events.append(event)
    _turn(sweep, agent, [item["id"] for item in items])
    return events


def _start(sweep: SweepState, wanted: Wanted, *, swept: bool, now: datetime) -> datetime | None:
    """What is older is not told; None: everything new is."""
    if wanted.start == "all":
        return None
    start = sweep.started if wanted.start == "now" else datetime.fromisoformat(wanted.start)
    return None if swept and start <= now else start - START_TOLERANCE


def _turn(sweep: SweepState, agent: str, ids: list[str]) -> None:
    """Go to the next page, or to the next agent where the list ends.

    Until a list was walked without a doubt, each page begins within the one before, so that deletions show.
    """
    sure = agent in sweep.swept
    known, sweep.pages = {*ids} <= {*sweep.last_page}, sweep.pages + 1
    if (
        not ids
        or (known and sweep.at_end)
        or sweep.pages >= _MOST_PAGES
        or sweep.offset > len(sweep.seen[agent]) + PAGE
    ):
        if not sure and not ids and not sweep.missed and (sweep.at_end or sweep.offset <= 1):
            sweep.swept.append(agent)
        _go_on(sweep)
        return
    sweep.missed |= bool(sweep.last_page) and not {*ids} & {*sweep.last_page}
    overlap = 0 if sure or known else min(len(ids) - 1, max(5, len(ids) // 10))
    sweep.offset, sweep.at_end = sweep.offset + len(ids) - overlap, known
    sweep.last_page = sweep.last_page if known else ids


def _request(sweep: SweepState, resource: Resource) -> PollRequest | None:
    if sweep.asked is None:
        return None
    if sweep.asked == _AGENTS:
        return PollRequest("list_agents", {})
    return PollRequest(resource.action, {"agent_id": sweep.asked, "limit": PAGE, "offset": sweep.offset})
