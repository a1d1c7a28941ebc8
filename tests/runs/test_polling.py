"""The poller as a whole, over hours that take no time; the vendor is the simulator's."""

from random import Random

import pytest
from simulator.host import Host
from simulator.loop import run
from simulator.plan import Maker
from simulator.world import Agent, FlowPlan, World


def make_host(agents: int, leads: int, *, limit: int = 100, busy: int = 0, named: str | None = None) -> Host:
    """Each agent has so many leads, in no order, 20 a page."""
    maker = Maker(Random(1), {})  # noqa: S311 - the same leads each time
    names = [Agent(f"agent-{number}") for number in range(agents)]
    for agent in names:
        for _ in range(leads):
            maker.old(agent.id, 3)
    flow = FlowPlan("main", "lead_captured", 0.0, "all", "1m", named)
    return Host(World(1, "arbitrary", 20, names, maker.leads, [flow], calm=0.0, limit=limit), busy=busy)


def test_long_walks_of_many_agents_do_not_keep_each_other_waiting() -> None:
    host = make_host(agents=6, leads=45, limit=12)
    run(host.live(7_200))
    assert {sweep.agent for sweep in host.observer.sweeps} == {f"agent-{number}" for number in range(6)}


@pytest.mark.parametrize("busy", range(1, 8))
def test_database_that_is_busy_for_one_write_does_not_end_the_poller(busy: int) -> None:
    host = make_host(agents=1, leads=3, busy=busy, named="agent-0")
    run(host.live(300))
    assert host.connection.execute("SELECT count(*) FROM runs").fetchone()[0] == 3
