"""The poller as a whole, over hours that take no time; the vendor is the simulator's."""

import asyncio
import itertools
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from simulator.host import Host, SimulatedAdapter, make_flow
from simulator.loop import run
from simulator.plan import Maker
from simulator.store import SimulatedStore
from simulator.world import Agent, Fault, FlowPlan, Lead, Order, Spell, World, text_of

from connector.declare import PolledList
from connector.runs.intake import Intake
from connector.runs.polling import poll_states
from connector.runs.polling.poller import Poller
from connector.runs.polling.watches import find_watches

UNHURRIED = FlowPlan("main", "lead_captured", 0.0, "now", "10m", None)


def make_host(agents: int, leads: int, *, limit: int = 100, busy: int = 0, named: str | None = None) -> Host:
    """Each agent has so many leads, in no order, 20 a page."""
    flow = FlowPlan("main", "lead_captured", 0.0, "all", "1m", named)
    host = make_empty_host(agents, flow, limit=limit)
    maker = Maker(Random(1), {})  # noqa: S311 - the same leads each time
    for agent in host.world.agents:
        for _ in range(leads):
            maker.old(agent.id, 3)
    host.world = World(1, "arbitrary", 20, host.world.agents, maker.leads, [flow], calm=0.0, limit=limit)
    host.busy = busy
    return host


def make_empty_host(
    agents: int,
    flow: FlowPlan,
    *,
    leads: Sequence[Lead] = (),
    spells: Sequence[Spell] = (),
    order: Order = "newest_first",
    limit: int = 100,
) -> Host:
    names = [Agent(f"agent-{number}") for number in range(agents)]
    return Host(World(1, order, 50, names, leads, [flow], calm=0.0, spells=spells, limit=limit))


def make_leads(*made: float, late: float = 0.0) -> list[Lead]:
    """Plain ones of the first agent that are made at these times, and listed so much later."""
    maker = Maker(Random(1), {})  # noqa: S311 - the same leads each time
    return [maker.plain("agent-0", at, at + late) for at in made]


def send(lead: Lead, at: float, called: str) -> Lead:
    """Let its webhook be sent then, which names the agent so."""
    lead.webhook, lead.webhooks = text_of(called, lead.made, lead.payload, lead.id), (at,)
    return lead


def times(host: Host, action: str, agent: str | None = None) -> list[float]:
    return [when for when, asked, of in host.asked if asked == action and of == agent]


def pauses(moments: Sequence[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(moments)]


def started(host: Host) -> dict[str, str | None]:
    """The lead ids by lead; None where a webhook started its flow by itself."""
    rows = [json.loads(row["trigger"]) for row in host.connection.execute("SELECT trigger FROM runs")]
    return {row["conversation_summary"]: row["lead_id"] for row in rows}


async def live_and_look(host: Host, until: float, when: float, look: Callable[[], None]) -> None:
    """Look in the middle, while the process lives."""
    living = asyncio.create_task(host.live(until))
    await asyncio.sleep(when)
    look()
    await living


def failing_once(field: str, error: Exception, times: int = 1) -> Callable[[PolledList], PolledList]:
    """A plugin with a fault in a function of its list, the first so many times."""
    left = [times]

    def alter(polled: PolledList) -> PolledList:
        right = getattr(polled, field)

        def fail(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] >= 0:
                raise error
            return right(*arguments)

        return replace(polled, **{field: fail})

    return alter


def test_long_walks_of_many_agents_do_not_keep_each_other_waiting() -> None:
    host = make_host(agents=6, leads=45, limit=12)
    run(host.live(7_200))
    assert {sweep.agent for sweep in host.observer.sweeps} == {f"agent-{number}" for number in range(6)}


@pytest.mark.parametrize("busy", range(1, 8))
def test_database_that_is_busy_for_one_write_does_not_end_the_poller(busy: int) -> None:
    host = make_host(agents=1, leads=3, busy=busy, named="agent-0")
    run(host.live(300))
    assert host.connection.execute("SELECT count(*) FROM runs").fetchone()[0] == 3


@pytest.mark.parametrize("fault", ["server", "page", "not_found"])
@pytest.mark.parametrize("length", [0, 2_000], ids=["empty", "long, the oldest first"])
def test_list_is_polled_though_its_count_cannot_be_had(fault: Fault, length: int) -> None:
    leads = make_leads(*range(-length, 0), 400.0)
    spell = Spell(fault, 0.0, 1e9, action="get_analytics")
    flow = FlowPlan("main", "new_lead", 0.0, "all", "1m", None)
    host = make_empty_host(1, flow, leads=leads, spells=[spell], order="oldest_first")
    run(host.live(1_000))
    assert times(host, "get_analytics", "agent-0")
    assert len(started(host)) == length + 1
    assert poll_states.read_polls(host.connection)[0].retired_at is None


def test_agent_is_asked_no_sooner_than_it_wants_whatever_webhooks_come() -> None:
    leads = [send(lead, lead.listed - 5_000, "agent-0") for lead in make_leads(*range(100, 2_000, 100), late=5_000.0)]
    spell = Spell("server", 60.0, 1_860.0, retry_after=300.0, action="list_leads")
    host = make_empty_host(1, replace(UNHURRIED, every="1m"), leads=leads, spells=[spell])
    run(host.live(1_800))
    assert min(pauses([when for when in times(host, "list_leads", "agent-0") if when > 60])) > 299


def test_agents_are_asked_for_no_sooner_than_wanted() -> None:
    spell = Spell("server", 0.0, 3_600.0, retry_after=900.0, action="list_agents")
    host = make_empty_host(1, UNHURRIED, spells=[spell])
    run(host.live(3_600))
    assert min(pauses(times(host, "list_agents"))) > 899


def test_agents_are_asked_for_less_often_while_that_fails() -> None:
    host = make_empty_host(1, UNHURRIED, spells=[Spell("page", 0.0, 3_600.0, action="list_agents")])
    run(host.live(1_200))
    assert [round(pause, -1) for pause in pauses(times(host, "list_agents"))] == [60, 120, 240, 300, 300]


def test_pause_after_a_failure_stays_where_that_cannot_be_noted() -> None:
    named = replace(UNHURRIED, agent="agent-0")
    host = make_empty_host(1, named, spells=[Spell("server", 0.0, 10.0, retry_after=200.0)])
    host.busy = 5  # after the beginning, the subscription, the poll and its round

    def look() -> None:
        assert poll_states.read_polls(host.connection)[0].failing_since is None

    run(live_and_look(host, 700, 100, look))
    assert pauses(times(host, "list_leads", "agent-0"))[0] > 199


def test_fault_of_a_plugin_is_shown_with_the_poll_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    host = make_empty_host(1, UNHURRIED, leads=make_leads(100.0))
    host.alter = failing_once("take", KeyError("secret"), times=3)

    def look() -> None:
        [poll] = poll_states.read_polls(host.connection)
        assert poll.failing_since is not None
        assert poll.error == "KeyError, a fault of this program or of a plugin; the log has its traceback"

    run(live_and_look(host, 2_000, 700, look))
    [poll] = poll_states.read_polls(host.connection)
    assert (poll.failing_since, poll.error, len(started(host))) == (None, None, 1)
    begins, ends = [record for record in caplog.records if "polling" in record.getMessage()]
    assert begins.exc_info
    assert "works again" in ends.getMessage()


def test_poll_whose_state_is_of_a_later_release_begins_anew_and_tells_nothing_twice() -> None:
    flow = FlowPlan("main", "new_lead", 0.0, "all", "1m", None)
    host = make_empty_host(1, flow, leads=make_leads(-20.0, -10.0, 900.0))

    def look() -> None:
        host.connection.execute("UPDATE polls SET state = json_set(state, '$.later', 1, '$.number', 70), walk = 70")

    run(live_and_look(host, 1_200, 600, look))
    assert host.connection.execute("SELECT walk FROM polls").fetchone()[0] > 70
    assert host.connection.execute("SELECT count(*) FROM runs").fetchone()[0] == 3
    assert poll_states.read_polls(host.connection)[0].failing_since is None


@pytest.mark.parametrize("broken", ["agent-0", "agent-1"])
def test_agent_that_is_refused_costs_no_other_agent_its_lead_ids(broken: str) -> None:
    [lead] = make_leads(340.0, late=60.0)
    spell = Spell("authentication", 0.0, 1e9, agent=broken)
    flow = replace(UNHURRIED, every="1m")
    host = make_empty_host(2, flow, leads=[send(lead, 340.0, "agent-0")], spells=[spell])
    run(host.live(700))
    assert started(host) == {lead.id: None if broken == "agent-0" else lead.id}


def test_webhook_starts_its_flow_at_once_while_all_agents_are_refused() -> None:
    [lead] = make_leads(300.0)
    spell = Spell("authentication", 0.0, 1e9)
    host = make_empty_host(2, UNHURRIED, leads=[send(lead, 300.0, "another")], spells=[spell])
    run(host.live(340))
    assert started(host) == {lead.id: None}


def test_webhooks_that_may_be_of_any_agent_leave_the_polls_their_pace() -> None:
    maker = Maker(Random(1), {})  # noqa: S311 - the same leads each time
    leads = [
        send(maker.plain(f"agent-{number}", at, at + 180), at, f"name-{number}")
        for number, at in enumerate(range(600, 2_400, 60))
    ]
    host = make_empty_host(50, replace(UNHURRIED, every="1m"), leads=leads)
    run(host.live(2_400))
    assert sum(when > 600 for when, *_ in host.asked) / 30 < 65
    polled = times(host, "list_leads", "agent-49")
    assert max(pauses([when for when in polled if when > 600])) < 65


def test_webhook_of_a_known_agent_has_it_looked_at_at_once_whatever_else_waits() -> None:
    maker = Maker(Random(1), {})  # noqa: S311 - the same leads each time
    leads = [send(maker.plain("agent-1", at, 5_000.0), at, f"name-{at}") for at in range(1_000, 1_060)]
    known = send(maker.plain("agent-0", 1_060.5, 5_000.0), 1_060.5, "agent-0")
    host = make_empty_host(30, UNHURRIED, leads=[*leads, known])
    run(host.live(1_100))
    assert any(1_060.5 <= when < 1_061 for when in times(host, "list_leads", "agent-0"))


def test_webhook_of_an_unknown_agent_has_few_agents_looked_at_at_once() -> None:
    [lead] = make_leads(1_000.0, late=5_000.0)
    host = make_empty_host(3, UNHURRIED, leads=[send(lead, 1_000.5, "another")])
    run(host.live(1_100))
    for number in range(3):
        assert any(1_000.5 <= when < 1_001 for when in times(host, "list_leads", f"agent-{number}"))


def test_fault_of_a_plugin_in_the_agents_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    host = make_empty_host(1, UNHURRIED, leads=make_leads(100.0))
    host.alter = failing_once("read_partitions", KeyError("ids"))
    run(host.live(1_200))
    assert len(started(host)) == 1
    assert [record.exc_info is not None for record in caplog.records if "partitions" in record.getMessage()] == [True]


def test_fault_of_this_program_does_not_end_the_poller() -> None:
    class Faulty(Host):
        def clock(self) -> Any:
            if self.now() == 0:
                raise OverflowError("there is no such date")
            return super().clock()

    host = make_empty_host(1, UNHURRIED, leads=make_leads(100.0))
    host = Faulty(host.world)
    run(host.live(1_200))
    assert len(started(host)) == 1


def test_agent_that_is_gone_leaves_nothing_behind() -> None:
    missing = Spell("not_found", 1_000.0, 1e9, agent="agent-1", action="list_leads")
    host = make_empty_host(3, UNHURRIED, spells=[missing, Spell("page", 1_000.0, 1e9, agent="agent-2")])
    host.world.agents[2].ends = 2_000.0

    def look() -> None:
        [partitions] = host.poller._partitions
        assert [*partitions.walkers] == ["agent-0"]
        assert (len(partitions.pace.needs), partitions.pace.failing) == (1, {})
        assert len([task for task in asyncio.all_tasks() if "the leads of" in task.get_name()]) == 1

    run(live_and_look(host, 4_500, 4_000, look))


def test_walker_that_has_ended_is_started_again() -> None:
    host = make_empty_host(1, UNHURRIED, leads=make_leads(700.0))

    def look() -> None:
        [(_, task)] = host.poller._partitions[0].walkers.values()
        task.cancel()

    run(live_and_look(host, 2_000, 100, look))
    assert len(started(host)) == 1


def test_poller_stops_within_a_second_though_a_request_does_not_end() -> None:
    class Stubborn(SimulatedAdapter):
        async def ask(self, *_arguments: Any) -> dict[str, Any]:
            try:
                await asyncio.sleep(3_600)
            except asyncio.CancelledError:
                await asyncio.sleep(60)
            return {}

    async def stop() -> float:
        host = make_empty_host(1, replace(UNHURRIED, agent="agent-0"))
        store = SimulatedStore(host.connection, host.observer, host.random, crashes=0.0)
        adapter, flows = Stubborn(host, store), [make_flow(plan) for plan in host.world.flows]
        intake = Intake(adapter, store, flows)  # type: ignore[arg-type]
        poller = Poller(intake, find_watches(adapter, flows, intake.decide), host.clock, host.now)
        working = asyncio.create_task(poller.work())
        await asyncio.sleep(10)
        poller.stop()
        await working
        return host.now() - 10

    assert run(stop()) < 1.1
