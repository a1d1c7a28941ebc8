"""Counts what polling keeps and costs: `python -m simulator.measure [WORLDS] [SEED]`, run from `tests`."""

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from simulator.burst import make_burst
from simulator.host import Host
from simulator.loop import run
from simulator.plan import Maker
from simulator.simulate import Outcome, live, simulate
from simulator.world import ORDERS, Agent, FlowPlan, World

SIZES = (100, 1_000, 10_000, 100_000)
"""Leads of the lists whose sweep is measured."""


@dataclass(frozen=True, slots=True)
class SweepFigures:
    """One full sweep of a list, newest first, at 30 requests a minute."""

    leads: int
    requests: int
    minutes: float
    """Simulated."""
    cpu_seconds: float
    database_bytes: int


@dataclass(frozen=True, slots=True)
class BurstFigures:
    """W2: webhooks again and again, by several senders, while the list lags and the API fails for a while."""

    leads: int
    webhooks: int
    flows: int
    runs: int
    by_webhook: int
    """Runs that a webhook started by itself, before its lead was listed."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of `worlds` worlds of each order. What is lost, doubled or replayed is counted by flow and lead."""

    worlds: int
    leads: int
    crashes: int
    lost: int
    doubled: int
    replayed: int
    failed: Sequence[str]
    """`ORDER SEED` of each world in which a promise was broken."""
    requests_per_poll: float
    """Where nothing happens in an ordered list, sweeps apart."""
    sweeps: Sequence[SweepFigures]
    burst: BurstFigures


def measure(worlds: int, seed: int, sizes: Sequence[int] = SIZES) -> Figures:
    """Live through `worlds` worlds of each order, from that seed on."""
    outcomes = [simulate(number, order) for order in ORDERS for number in range(seed, seed + worlds)]
    rounds = [count for outcome in outcomes for count in outcome.observer.rounds]
    return Figures(
        worlds=worlds,
        leads=sum(len(outcome.world.leads) for outcome in outcomes),
        crashes=sum(outcome.observer.crashes for outcome in outcomes),
        lost=sum(len(outcome.verdict.lost) for outcome in outcomes),
        doubled=sum(len(outcome.verdict.doubled) for outcome in outcomes),
        replayed=sum(len(outcome.verdict.replayed) for outcome in outcomes),
        failed=[_name(outcome) for outcome in outcomes if outcome.verdict.problems],
        requests_per_poll=sum(rounds) / len(rounds) if rounds else 0.0,
        sweeps=[measure_sweep(leads) for leads in sizes],
        burst=measure_burst(seed),
    )


def measure_sweep(leads: int) -> SweepFigures:
    """Sweep such a list once."""
    maker = Maker(Random(leads), {})  # noqa: S311 - the same list each time
    for _ in range(leads):
        maker.old("agent", 300)
    flow = FlowPlan("main", "lead_captured", 0.0, "now", "1m")
    host = Host(World(0, "newest_first", 50, [Agent("agent")], maker.leads, [flow], calm=0.0))
    began = time.process_time()
    run(_sweep(host))
    cpu = time.process_time() - began
    sweep = host.observer.sweeps[0]
    [[pages]], [[size]] = (host.connection.execute(f"PRAGMA {name}").fetchall() for name in ("page_count", "page_size"))
    return SweepFigures(leads, sweep.requests, (sweep.ended - sweep.began) / 60, cpu, pages * size)


async def _sweep(host: Host) -> None:
    while not host.observer.sweeps:
        await host.live(host.now() + 600)


def measure_burst(seed: int) -> BurstFigures:
    """Live through W2, with an outage."""
    host = Host(make_burst(seed, outage=True))
    run(live(host))
    by_webhook = "SELECT count(*) FROM runs JOIN events ON events.id = event_id WHERE identity NOT LIKE 'lead:%'"
    return BurstFigures(
        leads=len(host.world.leads),
        webhooks=sum(len(lead.webhooks) for lead in host.world.leads),
        flows=len(host.world.flows),
        runs=host.connection.execute("SELECT count(*) FROM runs").fetchone()[0],
        by_webhook=host.connection.execute(by_webhook).fetchone()[0],
    )


def _name(outcome: Outcome) -> str:
    return f"{outcome.world.order} {outcome.world.seed}"


def write_table(figures: Figures) -> str:
    """The figures as Markdown."""
    burst = figures.burst
    lines = [
        "| what | figure |",
        "| --- | --- |",
        f"| worlds | {figures.worlds:,} × {len(ORDERS)} orders |",
        f"| leads, crashes | {figures.leads:,}, {figures.crashes:,} |",
        f"| leads lost, doubled, replayed | {figures.lost}, {figures.doubled}, {figures.replayed} |",
        f"| requests per poll of a rested, ordered list | {figures.requests_per_poll:.3f} |",
        f"| leads × flows of the burst, webhooks | {burst.leads:,} × {burst.flows}, {burst.webhooks:,} |",
        f"| its runs, of which before the lead was listed | {burst.runs:,}, {burst.by_webhook:,} |",
        "",
        "| leads | requests of a sweep | minutes | CPU seconds | database |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.leads:,} | {one.requests:,} | {one.minutes:.1f} | {one.cpu_seconds:.1f} "
        f"| {one.database_bytes / 1e6:.1f} MB |"
        for one in figures.sweeps
    ]
    return "\n".join([*lines, *(f"failed: {name}" for name in figures.failed)])


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # what fails in the worlds is not worth a line
    parser = argparse.ArgumentParser(prog="python -m simulator.measure")
    parser.add_argument("worlds", type=int, nargs="?", default=50)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    print(write_table(measure(**vars(parser.parse_args()))))
