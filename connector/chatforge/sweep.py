"""Finds what is new in the lists of ChatForge, page by page. Pure: it says what to ask and reads what came.

A round walks the whole list of each agent, because the order of the lists is not documented.
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
    last_page: list[str] = []
    seen: dict[str, dict[str, int]] = {}
    """agent → item → version."""
    swept: list[str] = []
    """The agents whose list was walked to its end once; what appears there from now on is new."""


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
            sweep.agents, sweep.agents_at = [agent["id"] for agent in page["agents"]], now
            sweep.queue = list(sweep.agents)
            _go_on(sweep)
        else:
            events = _take(sweep, resource, wanted, page[resource.key])
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
    sweep.offset, sweep.last_page = 0, []


def _retire(sweep: SweepState, wanted: Wanted, error: NotFoundError) -> None:
    """An agent that was listed is gone; one that the flow names is the user's mistake."""
    if wanted.agent_id is not None or sweep.asked == _AGENTS:
        raise error
    sweep.agents = [agent for agent in sweep.agents if agent != sweep.asked]
    _go_on(sweep)


def _take(sweep: SweepState, resource: Resource, wanted: Wanted, items: Sequence[Mapping[str, Any]]) -> Sequence[Event]:
    agent = sweep.asked or ""
    seen = sweep.seen.setdefault(agent, {})
    events = []
    for item in items:
        before, version = seen.get(item["id"]), resource.version(item)
        seen[item["id"]] = max(version, before or 0)
        event = resource.tell(agent, item, before)
        if event is not None and (agent in sweep.swept or _is_recent(event, wanted, sweep.started)):
            events.append(event)
    _turn(sweep, agent, [item["id"] for item in items])
    return events


def _turn(sweep: SweepState, agent: str, ids: list[str]) -> None:
    """Go to the next page, or to the next agent after the end: an empty page, or one that repeats the last."""
    if ids and ids != sweep.last_page:
        sweep.offset, sweep.last_page = sweep.offset + len(ids), ids
        return
    if agent not in sweep.swept:
        sweep.swept.append(agent)
    _go_on(sweep)


def _is_recent(event: Event, wanted: Wanted, started: datetime) -> bool:
    if wanted.start == "all":
        return True
    start = started if wanted.start == "now" else datetime.fromisoformat(wanted.start)
    return event.occurred_at is not None and event.occurred_at >= start - START_TOLERANCE


def _request(sweep: SweepState, resource: Resource) -> PollRequest | None:
    if sweep.asked is None:
        return None
    if sweep.asked == _AGENTS:
        return PollRequest("list_agents", {})
    return PollRequest(resource.action, {"agent_id": sweep.asked, "limit": PAGE, "offset": sweep.offset})
