"""Lives through one world and judges it."""

from dataclasses import dataclass

from simulator.checker import Checker, Verdict
from simulator.host import Host
from simulator.loop import run
from simulator.plan import make_world
from simulator.store import Observer
from simulator.world import Order, World

_PATIENCE = 60 * 3_600.0
"""Simulated seconds after which a lead that is not found is called lost."""
_REQUESTS = 3_000
"""And so many requests."""


@dataclass(frozen=True, slots=True)
class Outcome:
    world: World
    verdict: Verdict
    observer: Observer


def simulate(seed: int, order: Order) -> Outcome:
    return run(live(Host(make_world(seed, order))))


async def live(host: Host) -> Outcome:
    """Until the world is calm and everything is found, or should have been."""
    await host.live(host.world.calm)
    most, pause = host.observer.requests + _REQUESTS, 900.0
    while True:
        await host.live(host.now() + pause)
        pause = min(pause * 2, 8 * 3_600.0)
        verdict = Checker(host).judge()
        late = host.now() > host.world.calm + _PATIENCE or host.observer.requests > most
        if late or not (verdict.lost or verdict.unswept):
            return Outcome(host.world, verdict, host.observer)
