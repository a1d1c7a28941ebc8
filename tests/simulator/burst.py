"""W2: a thousand leads that are told of by webhooks, again and again, and listed, sooner or later."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

from simulator.plan import Maker
from simulator.world import Agent, FlowPlan, Spell, World, moment, text_of

_PAUSE = 7.2
"""Seconds between two leads, on average."""


def make_burst(seed: int, leads: int = 1_000, *, outage: bool = False, crashes: float = 0.0) -> World:
    """Leads whose webhooks are sent 0–5 times by 8 senders, in no order, and that are listed up to 5 minutes later.

    With an outage, the vendor's API fails for a while in the middle, so that webhooks start flows by themselves first.
    A flow that wants all leads begins at the end, when all are there.
    """
    chance = Random(f"burst {seed}")  # noqa: S311 - a failing seed must fail again
    maker = Maker(chance, {"agent-0": "agent-0", "agent-1": "abc123"})
    senders = [chance.uniform(0, 900) ** 2 / 900 for _ in range(8)]
    for _ in range(leads):
        _add(chance, maker, senders, chance.uniform(0, leads * _PAUSE))
    calm = max(max((lead.listed, *lead.webhooks)) for lead in maker.leads) + 600
    first = FlowPlan("first", "lead_captured", 0.0, "now", "1m")
    return World(
        seed=seed,
        order="newest_first",
        cap=50,
        agents=[Agent("agent-0"), Agent("agent-1")],
        leads=maker.leads,
        flows=[
            first,
            replace(first, name="listed", trigger="new_lead", start="all"),
            replace(first, name="second", start=(moment(0) - timedelta(hours=1)).isoformat(), every="5m"),
            replace(first, name="look", begins=calm, start="all"),
        ],
        calm=calm,
        spells=[Spell("server", 2 * leads, 3 * leads), Spell("authentication", 4 * leads, 5 * leads)] if outage else [],
        crashes=crashes,
        random=chance,
    )


def _add(chance: Random, maker: Maker, delays: Sequence[float], now: float) -> None:
    """A lead and its webhooks; each sender has its own delay, so that they overtake each other."""
    agent = chance.choice(("agent-0", "agent-1"))
    lead = maker.plain(agent, now, now + chance.uniform(0, 300))
    lead.webhook = text_of(maker.aliases[agent], lead.made, lead.payload, lead.id)
    times = chance.randint(0, 5)
    lead.webhooks = tuple(now + chance.choice(delays) + chance.uniform(0, 30) for _ in range(times))
