"""Polls a list for hosts that keep nothing but a poll's state: what was seen is in it.

One round walks the list of each agent. What is told before an agent's list was swept once depends on its date; from
then on, all that is new is told. Our own executor keeps what was seen in its database instead.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from connector.chatforge.models import Time
from connector.declare import Event, ListStep, Page, Poll, PolledList, PollRequest, PollStep
from connector.errors import NotFoundError

AGENTS_AGE = timedelta(minutes=10)
"""How long the list of agents is taken as it was."""
START_TOLERANCE = timedelta(seconds=60)
"""The clocks differ: what is a little older than the start counts as new."""


class Rounds(BaseModel):
    """What a poll remembers. Times are UTC."""

    model_config = ConfigDict(extra="forbid")

    started: Time
    agents: list[str] = []
    agents_at: Time | None = None
    asked: str | None = None
    """The agent whose list is walked; None while the agents are asked for, or at rest."""
    queue: list[str] = []
    """The agents whose lists are still to be walked in this round."""
    walks: dict[str, dict[str, Any]] = {}
    seen: dict[str, dict[str, int]] = {}
    """agent → item → version."""
    swept: list[str] = []
    """The agents whose list was walked once without a doubt; what appears there from now on is new."""


def make_poll(polled: PolledList, name: str) -> Poll:
    """The poll of one kind of list for the events called `name`."""

    def poll(wanted: Any, state: Mapping[str, Any] | None, page: Page, now: datetime) -> PollStep:
        rounds = Rounds(started=now) if state is None else Rounds.model_validate(state)
        events: list[Event] = []
        request: PollRequest | None = None
        if page is None:
            request = _begin(rounds, polled, wanted, now)
        elif isinstance(page, NotFoundError):
            _retire(rounds, polled.partition(wanted), page)
        elif rounds.asked is None:
            rounds.agents, rounds.agents_at = list(dict.fromkeys(agent["id"] for agent in page["agents"])), now
            rounds.queue = list(rounds.agents)
        else:
            found, request = _take(rounds, polled, wanted, page, now)
            events = [event for event in found if event.name == name]
        request = request or _next_agent(rounds, polled, now)
        return PollStep(events, rounds.model_dump(mode="json"), request)

    return poll


def _begin(rounds: Rounds, polled: PolledList, wanted: Any, now: datetime) -> PollRequest | None:
    rounds.asked = None
    if (agent := polled.partition(wanted)) is not None:
        rounds.queue = [agent]
    elif rounds.agents_at is None or now - rounds.agents_at >= AGENTS_AGE:
        return polled.partitions
    else:
        rounds.queue = list(rounds.agents)
    return None


def _next_agent(rounds: Rounds, polled: PolledList, now: datetime) -> PollRequest | None:
    """Begin with the next agent of the queue."""
    while rounds.queue:
        rounds.asked = rounds.queue.pop(0)
        step = polled.begin(rounds.asked, rounds.walks.get(rounds.asked), now, rounds.asked not in rounds.swept)
        if (request := _keep(rounds, step)) is not None:
            return request
    rounds.asked = None
    return None


def _keep(rounds: Rounds, step: ListStep) -> PollRequest | None:
    assert rounds.asked is not None  # noqa: S101 - a step is of an agent
    rounds.walks[rounds.asked] = dict(step.state)
    if step.swept is not None and rounds.asked not in rounds.swept:
        rounds.swept.append(rounds.asked)
    return step.request


def _retire(rounds: Rounds, named: str | None, error: NotFoundError) -> None:
    """An agent that was listed is gone; one that the flow names is the user's mistake."""
    if named is not None or rounds.asked is None:
        raise error
    rounds.agents = [agent for agent in rounds.agents if agent != rounds.asked]
    rounds.swept = [agent for agent in rounds.swept if agent != rounds.asked]
    rounds.seen.pop(rounds.asked, None)
    rounds.walks.pop(rounds.asked, None)


def _take(
    rounds: Rounds, polled: PolledList, wanted: Any, page: Mapping[str, Any], now: datetime
) -> tuple[list[Event], PollRequest | None]:
    agent = rounds.asked or ""
    seen = rounds.seen.setdefault(agent, {})
    items = polled.read(page, now)
    start = _start(rounds, polled.start(wanted), swept=agent in rounds.swept, now=now)
    request = _keep(rounds, polled.take(agent, rounds.walks[agent], page, {item.id for item in items} & {*seen}, now))
    events: list[Event] = []
    for item in items:
        before = seen.get(item.id)
        seen[item.id] = max(item.version, before or 0)
        events += [event for event in polled.tell(agent, item, before) if _is_told(event, before, start)]
    return events, request


def _is_told(event: Event, before: int | None, start: datetime | None) -> bool:
    """Whether an event is new enough; a change of something that was seen always is."""
    return start is None or before is not None or (event.occurred_at is not None and event.occurred_at >= start)


def _start(rounds: Rounds, wanted: str, *, swept: bool, now: datetime) -> datetime | None:
    """What is older is not told; None: everything new is."""
    if wanted == "all":
        return None
    start = rounds.started if wanted == "now" else datetime.fromisoformat(wanted)
    return None if swept and start <= now else start - START_TOLERANCE
