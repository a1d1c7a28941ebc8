"""The vendor: agents and their lists of leads, which change as planned while they are asked for. `plan` makes one.

Times are seconds of the simulation; the vendor's clock is right, ours need not be.
"""

import bisect
import heapq
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from random import Random
from typing import Any, Literal

from connector.errors import (
    AuthenticationError,
    NetworkError,
    NotFoundError,
    OutputError,
    RateLimitError,
    ServerError,
)

START = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)

Order = Literal["newest_first", "oldest_first", "arbitrary", "unstable"]
ORDERS: Sequence[Order] = ("newest_first", "oldest_first", "arbitrary", "unstable")
Fault = Literal["server", "page", "rate_limit", "authentication", "network", "not_found", "empty", "wiped", "offset"]
"""empty: no leads are listed. wiped: none are counted either. offset: `offset` is ignored."""


def moment(seconds: float) -> datetime:
    """The vendor's clock."""
    return START + timedelta(seconds=seconds)


@dataclass(slots=True, eq=False)
class Lead:
    """One lead. `made` is the vendor's own time of it, `dated` what a reader of the list sees."""

    id: str
    agent: str
    made: datetime
    payload: Mapping[str, Any]
    listed: float
    dated: datetime | None
    place: float
    gone: float = inf
    group: int = 0
    """Leads of one group cannot be told apart by what the visitor left."""
    webhooks: Sequence[float] = ()
    webhook: str = ""


@dataclass(frozen=True, slots=True)
class Spell:
    """Something that is wrong for a while, for all agents or one, and for all that is asked or one action."""

    fault: Fault
    begins: float
    ends: float
    agent: str | None = None
    retry_after: float | None = None
    action: str | None = None

    def is_met(self, action: str, agent: str | None, now: float) -> bool:
        return self.begins <= now < self.ends and self.agent in (None, agent) and self.action in (None, action)


@dataclass(slots=True)
class Agent:
    id: str
    begins: float = -inf
    ends: float = inf
    returns: float = inf

    def exists(self, now: float) -> bool:
        return self.begins <= now < self.ends or now >= self.returns


@dataclass(frozen=True, slots=True)
class FlowPlan:
    """A flow that is served from `begins` on. `start` is `now`, `all` or a time of the vendor's clock."""

    name: str
    trigger: str
    begins: float
    start: str
    every: str
    agent: str | None = None


@dataclass(slots=True)
class World:
    seed: int
    order: Order
    cap: int
    agents: Sequence[Agent]
    leads: Sequence[Lead]
    flows: Sequence[FlowPlan]
    calm: float
    """From then on nothing changes, and nothing fails, except perhaps the counts."""
    rush: float = inf
    """When more leads than fit on a page come at once; from then on nothing fails."""
    spells: Sequence[Spell] = ()
    limit: int = 100
    """Requests a minute that the account may send."""
    errors: float = 0.0
    """The part of the requests that fail."""
    crashes: float = 0.0
    """The part of the transactions in which the process ends."""
    skew: float = 0.0
    """By how much our clock is ahead."""
    jumps: Sequence[tuple[float, float]] = ()
    """(when, by how much) our clock is set."""
    ticks: float = 0.0
    """Leads of an unstable list with the same `made`, in steps of so many seconds, change places at each request."""
    random: Random = field(default_factory=Random)
    _lists: dict[str, list[tuple[float, float, Lead]]] = field(default_factory=dict)
    _changes: list[tuple[float, int, bool, Lead]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lists = {agent.id: [] for agent in self.agents}
        for lead in self.leads:
            if lead.listed <= 0:
                self._lists[lead.agent].append(self._key(lead))
        for listed in self._lists.values():
            listed.sort()
        number = itertools.count()
        self._changes = [(lead.listed, next(number), True, lead) for lead in self.leads if lead.listed > 0]
        self._changes += [(lead.gone, next(number), False, lead) for lead in self.leads if lead.gone < inf]
        heapq.heapify(self._changes)

    def clock(self, now: float) -> datetime:
        """Our clock, as it is set."""
        return moment(now + self.skew + sum(by for when, by in self.jumps if when <= now))

    def exists(self, agent: str, now: float) -> bool:
        return any(one.id == agent and one.exists(now) for one in self.agents)

    def answer(self, action: str, input: Mapping[str, Any], now: float) -> dict[str, Any]:
        """What the vendor answers. Raises ActionError."""
        self._advance(now)
        agent = input.get("agent_id")
        spells = [spell for spell in self.spells if spell.is_met(action, agent, now)]
        for spell in spells:
            _fail(spell.fault, spell.retry_after)
        if now < min(self.calm, self.rush) and self.random.random() < self.errors:
            _fail(self.random.choice(("server", "page", "rate_limit", "network")), None)
        if action == "list_agents":
            return {"ids": [one.id for one in self.agents if one.exists(now)]}
        if not self.exists(input["agent_id"], now):
            raise NotFoundError("agent not found", status=404)
        faults = {spell.fault for spell in spells}
        if action == "get_analytics":
            return {"total": 0 if "wiped" in faults else len(self._lists[input["agent_id"]])}
        offset = 0 if "offset" in faults else input["offset"]
        size = min(self.cap, input["limit"])
        items = [] if faults & {"empty", "wiped"} else self._page(input["agent_id"], offset, size)
        return {"items": items, "answered_at": moment(int(now)).isoformat()}

    def was_listed(self, lead: Lead, begin: float, end: float) -> bool:
        """Whether the lead was in its list all the time; also while that was empty, where its count shows it."""
        agent = next(agent for agent in self.agents if agent.id == lead.agent)
        hidden = [(agent.ends, agent.returns), (-inf, agent.begins)]
        counted = all(spell.action != "get_analytics" for spell in self.spells)
        unseen = {"wiped"} if counted else {"wiped", "empty"}
        hidden += [
            (spell.begins, spell.ends)
            for spell in self.spells
            if spell.fault in unseen and spell.agent in (None, lead.agent)
        ]
        return (
            lead.listed <= begin and lead.gone > end and not any(one < end and other > begin for one, other in hidden)
        )

    def _page(self, agent: str, offset: int, size: int) -> list[Mapping[str, Any]]:
        listed: Iterable[tuple[float, float, Lead]] = self._lists[agent]
        if self.order == "unstable":
            listed = sorted(listed, key=lambda entry: (entry[0], self.random.random()))
        return [lead.payload for _, _, lead in itertools.islice(listed, offset, offset + size)]

    def _advance(self, now: float) -> None:
        while self._changes and self._changes[0][0] <= now:
            _, _, appears, lead = heapq.heappop(self._changes)
            listed, entry = self._lists[lead.agent], self._key(lead)
            if appears:
                bisect.insort(listed, entry, key=lambda one: one[:2])
            elif entry in listed:
                listed.remove(entry)

    def _key(self, lead: Lead) -> tuple[float, float, Lead]:
        made = lead.made.timestamp()
        if self.order == "arbitrary":
            return lead.place, 0.0, lead
        if self.order == "unstable":
            made -= made % self.ticks
            return made if self.seed % 2 else -made, lead.place, lead
        return made if self.order == "oldest_first" else -made, lead.place, lead


def _fail(fault: str, retry_after: float | None) -> None:
    if fault == "server":
        raise ServerError("the vendor failed", processed="unknown", transient=True, status=503, retry_after=retry_after)
    if fault == "page":
        raise OutputError("the answer is a page of HTML", processed="unknown")
    if fault == "rate_limit":
        raise RateLimitError("too many requests", transient=True, status=429, retry_after=retry_after)
    if fault == "authentication":
        raise AuthenticationError("the key is not accepted", status=401)
    if fault == "not_found":
        raise NotFoundError("there is no such thing", status=404)
    if fault == "network":
        raise NetworkError("no answer came", processed="unknown", transient=True)


def text_of(agent: str, when: datetime, lead: Mapping[str, Any], token: str) -> str:
    """The webhook of a lead as it is sent."""
    names = ("visitor_name", "visitor_email", "visitor_phone")
    data = {name: lead[name] for name in names if lead.get(name) is not None}
    data |= {"page_url": lead["source_page_url"], "conversation_summary": token}
    return json.dumps({"event": "lead.captured", "agent_id": agent, "timestamp": when.isoformat(), "data": data})
