"""Makes worlds from seeds: what there is at first, what changes, what goes wrong, and who watches."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from random import Random

from simulator.world import START, Agent, Fault, FlowPlan, Lead, Order, Spell, World, moment, text_of

from connector.chatforge import joining
from connector.chatforge.times import read_time

_CAPS = (1, 2, 5, 20, 25, 50, 100)
_CAP_WEIGHTS = (1, 6, 8, 15, 15, 40, 15)
_PAGES = 110
"""About how many pages of long walks there is time for while a world changes."""
_FAULTS: Sequence[Fault] = ("server", "page", "rate_limit", "authentication", "network", "empty", "wiped", "offset")
_NONSENSE = ("", "yesterday", 1_774_000_000, "2026-02-31T10:00:00Z", "0001-01-01T00:00:00+14:00", True)
_RETYPED = ({"visitor_name": 42}, {"visitor_name": ["a"]}, {"conversation_summary": {}}, {"extra": [1, None]})


@dataclass(slots=True)
class Maker:
    """Makes leads, each with what its visitor left."""

    random: Random
    aliases: dict[str, str]
    """By what webhooks call an agent."""
    lag: bool = False
    leads: list[Lead] = field(default_factory=list)

    def old(self, agent: str, days: float) -> Lead:
        """One that is there at first."""
        made = START - timedelta(seconds=self.random.uniform(30, days * 86_400))
        return self._add(agent, made, -inf, self._visitor(), odd=0.06)

    def new(self, agent: str, now: float, *, sent: bool = True) -> Lead:
        """One that is made now, and perhaps listed later."""
        chance, made = self.random.random(), moment(now)
        if chance < 0.08:  # imported
            made -= timedelta(days=self.random.choice((0.02, 1, 6.9, 8, 40)))
            return self._add(agent, made, now, self._visitor(), odd=0.1)
        listed = now + (self.random.uniform(0, 300) if self.lag and self.random.random() < 0.7 else 0.0)
        twin = self._twin(agent, made) if chance > 0.95 else None
        visitor = {name: twin.payload[name] for name in self._visitor() if name in twin.payload} if twin else None
        lead = self._add(agent, made, listed, visitor or self._visitor(), odd=0.0 if sent else 0.1)
        if twin is not None:
            lead.group = twin.group
        if sent and lead.dated is not None:
            self._send(lead, now)
        return lead

    def plain(self, agent: str, now: float, listed: float) -> Lead:
        """One that is made now and listed then, with nothing odd about it, and not sent yet."""
        return self._add(agent, moment(now), listed, self._visitor(), odd=0.0, retyped=0.0)

    def _twin(self, agent: str, made: datetime) -> Lead | None:
        """A lead that the same visitor has left, perhaps at another agent."""
        near = [lead for lead in self.leads if abs(lead.made - made) < joining.WITHIN and lead.dated is not None]
        near = [lead for lead in near if lead.agent == agent or self._are_alike(lead.agent, agent)]
        return self.random.choice(near) if near else None

    def _are_alike(self, one: str, other: str) -> bool:
        """Whether webhooks call both by their names, or neither; a vendor who does this and that is not tried."""
        return (self.aliases.get(one, one) == one) == (self.aliases.get(other, other) == other)

    def _visitor(self) -> dict[str, object]:
        number = len(self.leads)
        who = {
            "visitor_name": f"Visitor {number}",
            "visitor_email": f"visitor-{number}@example.com",
            "visitor_phone": f"+49 170 {number:07}",
            "source_page_url": f"https://example.com/{number % 7}",
        }
        for name, chance in (("visitor_email", 0.2), ("visitor_phone", 0.5)):
            if self.random.random() < chance:
                who[name] = None
        return who

    def _add(
        self, agent: str, made: datetime, listed: float, visitor: dict[str, object], odd: float, retyped: float = 0.03
    ) -> Lead:
        number = len(self.leads)
        payload = {"id": f"lead-{number}", **visitor, "conversation_summary": f"lead-{number}"}
        payload["created_at"] = made.isoformat()
        if self.random.random() < odd:
            payload["created_at"] = self.random.choice(_NONSENSE)
        elif self.random.random() < odd / 2:
            del payload["created_at"]
        if self.random.random() < retyped:
            payload |= self.random.choice(_RETYPED)
        dated = read_time(payload.get("created_at"))
        lead = Lead(f"lead-{number}", agent, made, payload, listed, dated, self.random.random(), group=number)
        self.leads.append(lead)
        return lead

    def _send(self, lead: Lead, now: float) -> None:
        times = self.random.choices((0, 1, 2, 3, 5), (2, 6, 2, 1, 1))[0]
        late = self.random.choice((2.0, 60.0, 900.0))
        lead.webhooks = tuple(now + self.random.expovariate(1 / late) for _ in range(times))
        called = self.aliases[lead.agent]
        lead.webhook = text_of(
            called, lead.made + timedelta(seconds=self.random.uniform(-20, 5)), lead.payload, lead.id
        )


def make_world(seed: int, order: Order) -> World:
    """The world of that seed and order."""
    chance = Random(f"{order} {seed}")  # noqa: S311 - a failing seed must fail again
    cap = chance.choices(_CAPS, _CAP_WEIGHTS)[0]
    limit = chance.choice((100, 20, 6))
    ordered = cap > 8 and order in ("newest_first", "oldest_first")
    lasting = chance.uniform(1_200, 9_000) if ordered else _PAGES / (0.3 * limit) * 60
    agents = _make_agents(chance, lasting)
    maker = Maker(chance, {one.id: one.id if chance.random() < 0.5 else f"abc{n}" for n, one in enumerate(agents)})
    if shared := Random(f"shared {order} {seed}").random() < 0.2:  # noqa: S311 - as above
        maker.aliases = {one.id: "abc" for one in agents}
    maker.lag = chance.random() < 0.4
    days = chance.choice((0.2, 5, 30))
    for agent in agents:
        for _ in range(_choose_size(chance, cap)):
            maker.old(agent.id, days)
    _change(chance, maker, agents, cap, lasting)
    rush = _rush(chance, maker, agents[0], cap, lasting) if ordered and chance.random() < 0.5 else inf
    calm = max([lasting, *(lead.listed for lead in maker.leads), *(at for lead in maker.leads for at in lead.webhooks)])
    return World(
        seed=seed,
        order=order,
        cap=cap,
        agents=agents,
        leads=maker.leads,
        flows=_make_flows(chance, agents, lasting, long=ordered, shared=shared),
        calm=calm + 400,
        rush=rush,
        spells=[*_make_spells(chance, agents, lasting), *_make_uncounted(Random(f"uncounted {order} {seed}"), lasting)],  # noqa: S311 - a failing seed must fail again
        limit=limit,
        errors=chance.choice((0.0, 0.0, 0.05, 0.2)),
        crashes=chance.choice((0.0, 0.01, 0.02, 0.05)),
        skew=chance.choice((0.0, 0.0, chance.uniform(-45, 45))),
        jumps=[(chance.uniform(100, lasting), chance.choice((-3600.0, 3600.0)))] if chance.random() < 0.2 else [],
        ticks=chance.choice((60.0, 3_600.0, 86_400.0)),
        random=chance,
    )


def _make_agents(chance: Random, lasting: float) -> list[Agent]:
    agents = [Agent(f"agent-{number}") for number in range(chance.choice((1, 1, 2, 3)))]
    for agent in agents[1:]:
        if chance.random() < 0.3:
            agent.begins = chance.uniform(0, lasting)
        elif chance.random() < 0.3:
            agent.ends = chance.uniform(0, lasting)
            agent.returns = chance.choice((inf, chance.uniform(agent.ends, lasting)))
    return agents


def _choose_size(chance: Random, cap: int) -> int:
    kind = chance.random()
    if kind < 0.25:
        return chance.randrange(4)
    if kind < 0.6:
        return max(0, cap * chance.randrange(1, 4) + chance.choice((-1, 0, 1)))
    most = min(400, cap * 12)
    return int(math.exp(chance.uniform(0, math.log(most + 1))))


def _change(chance: Random, maker: Maker, agents: Sequence[Agent], cap: int, lasting: float) -> None:
    """Leads come and go, one by one and many at once."""
    for _ in range(chance.choice((0, 3, 10, 25))):
        agent, now = chance.choice(agents), chance.uniform(0, lasting)
        most = chance.choice((1, 1, 1, 3, min(cap, 12)))
        if chance.random() < 0.65:
            for _ in range(chance.randint(1, most)):
                maker.new(agent.id, now + chance.uniform(0, 3))
            continue
        there = [lead for lead in maker.leads if lead.agent == agent.id and lead.listed < now < lead.gone]
        there.sort(key=lambda lead: lead.made)
        begin = chance.randrange(len(there)) if there else 0
        for lead in there[begin : begin + most]:
            lead.gone = now + chance.uniform(0, 3)


def _rush(chance: Random, maker: Maker, agent: Agent, cap: int, lasting: float) -> float:
    """More leads than fit on a page, long enough after all else that the list has been looked at."""
    now = lasting + 4_000
    for number in range(cap + chance.randrange(2 * cap)):
        maker.plain(agent.id, now + number / 100, now + number / 100)
    return now


def _make_spells(chance: Random, agents: Sequence[Agent], lasting: float) -> list[Spell]:
    spells = []
    for fault in _FAULTS:
        if chance.random() < 0.12:
            begin = chance.uniform(0, lasting)
            end = begin + math.exp(chance.uniform(math.log(3), math.log(max(4, lasting - begin))))
            agent = chance.choice((None, chance.choice(agents).id))
            spells.append(Spell(fault, begin, end, agent, chance.choice((None, 30.0))))
    return spells


def _make_uncounted(chance: Random, lasting: float) -> list[Spell]:
    """Get Analytics fails for a while or for ever, in some worlds."""
    if chance.random() > 0.2:
        return []
    begins, ends = chance.choice((0.0, chance.uniform(0, lasting))), chance.choice((lasting, inf))
    fault = chance.choice(("server", "page", "not_found"))
    return [Spell(fault, begins, ends, action="get_analytics")]


def _make_flows(chance: Random, agents: Sequence[Agent], lasting: float, *, long: bool, shared: bool) -> list[FlowPlan]:
    """Where all agents share a name, no flow takes webhooks of one: until that is known, it gets those of others."""
    every = ("1m", "10m", "30m", "1h") if long else ("20s", "1m", "5m")
    weights = (1, 9, 9, 9) if long else (1, 3, 3)

    def flow(name: str, begins: float, trigger: str, agent: str | None) -> FlowPlan:
        start = chance.choice(("now", "now", "all", moment(begins + chance.choice((-200_000, -600, 900))).isoformat()))
        return FlowPlan(name, trigger, begins, start, chance.choices(every, weights)[0], agent)

    flows = [flow("main", 0.0, "lead_captured", None)]
    if chance.random() < 0.5:
        flows.append(flow("listed", 0.0, "new_lead", None))
    if chance.random() < 0.3:
        trigger = chance.choice(("lead_captured", "new_lead"))
        flows.append(flow("named", 0.0, "new_lead" if shared else trigger, agents[0].id))
    if chance.random() < 0.5:
        flows.append(flow("later", chance.uniform(1, lasting), chance.choice(("lead_captured", "new_lead")), None))
    return flows
