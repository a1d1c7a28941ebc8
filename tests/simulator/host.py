"""Lives through a world with the real poller and intake: starts, polls, takes webhooks, crashes, starts again."""

import asyncio
import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from sqlite3 import Connection
from typing import Any

from simulator.store import CrashedError, Observer, SimulatedStore, open_database
from simulator.world import FlowPlan, Lead, World

from connector import registry, settings
from connector.adapter import DEFAULT, Adapter, Delivery
from connector.chatforge import webhooks
from connector.declare import PolledList, PollRequest
from connector.errors import StoreError
from connector.flows.check import check
from connector.flows.flow import Flow
from connector.runs.intake import Intake
from connector.runs.polling.poller import Poller
from connector.runs.polling.watches import find_watches

LOOK_EVERY = 30.0
"""Seconds between two looks for webhooks whose wait is over."""
_FOLDER = Path(__file__).parent


@functools.cache
def _registry() -> registry.Registry:
    return registry.load()


@functools.cache
def make_adapter() -> Adapter:
    """The real one, without a key."""
    return Adapter(_registry(), settings.load(_FOLDER, environ={}))


@functools.lru_cache(1000)
def make_flow(plan: FlowPlan) -> Flow:
    agent = f", agent_id: {plan.agent}" if plan.agent else ""
    text = (
        f"flow: {plan.name}\n"
        f"trigger: {{uses: chatforge.{plan.trigger}, with: {{every: {plan.every}, start: '{plan.start}'{agent}}}}}\n"
        "steps:\n- {id: look, uses: chatforge.list_agents}\n"
    )
    checked = check(text, "flow.yaml", make_adapter().catalogue)
    assert checked.flow, checked.problems
    return checked.flow


class SimulatedAdapter(Adapter):
    """The real adapter, except that requests go to the world."""

    def __init__(self, host: "Host", store: SimulatedStore) -> None:
        super().__init__(_registry(), make_adapter()._settings, host.clock)
        self._host, self._store = host, store

    def rate_limit(self, connector: str, connection: str = DEFAULT) -> int | None:
        return self._host.world.limit

    async def ask(self, polled: PolledList, request: PollRequest, connector: str, connection: str) -> dict[str, Any]:
        agent = request.input.get("agent_id")
        self._host.asked.append((self._host.now(), request.action, agent))
        self._host.observer.asked(agent, patient=self._store.patient.get(agent or "", False))
        await asyncio.sleep(self._host.random.uniform(0.05, 1.0))
        answer = self._host.world.answer(request.action, request.input, self._host.now())
        await asyncio.sleep(self._host.random.uniform(0.05, 1.0))
        return answer


@dataclass(slots=True)
class Host:
    """`tried` are the flows that were served when the first webhook of a lead came, `acknowledged` the leads of those
    that were."""

    world: World
    connection: Connection = field(default_factory=open_database)
    busy: int = 0
    """Which write of each process fails."""
    alter: Callable[[PolledList], PolledList] = lambda polled: polled
    """What a plugin with a fault makes of a list."""
    asked: list[tuple[float, str, str | None]] = field(default_factory=list)
    """(when, action, agent) of each request."""
    poller: Poller | None = None
    """Of the process that lives, or lived last."""
    tried: dict[str, frozenset[str]] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    observer: Observer = field(init=False)
    random: Random = field(init=False)
    _intake: Intake | None = None
    _store: SimulatedStore | None = None

    def __post_init__(self) -> None:
        self.random = Random(self.world.seed)  # noqa: S311 - a failing seed must fail again
        self.observer = Observer(self.now, self.world.calm)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def clock(self) -> Any:
        return self.world.clock(self.now())

    async def live(self, until: float) -> None:
        """Until then, or a little longer."""
        sending = asyncio.create_task(self._send()) if self.now() == 0 else None
        while self.now() < until:
            await self._work(min([until, *(flow.begins for flow in self.world.flows if flow.begins > self.now())]))
        if sending is not None:
            await sending

    async def _work(self, until: float) -> None:
        """One process; it ends at `until`, or crashes."""
        certain = min(self.world.calm, self.world.rush)
        crashes = self.world.crashes if self.now() < certain else 0.0
        store = SimulatedStore(self.connection, self.observer, self.random, crashes, self.busy)
        poller, intake = self._start(store, [flow for flow in self.world.flows if flow.begins <= self.now()])
        working = asyncio.create_task(poller.work())
        crashing = asyncio.create_task(store.gone.wait())
        self._intake = intake
        end = until if self.now() >= certain else min(until, certain)
        await asyncio.wait((working, crashing), timeout=end - self.now(), return_when=asyncio.FIRST_COMPLETED)
        self._intake = None
        crashed = store.gone.is_set()
        if working.done() and not crashed:
            working.result()
        store.gone.set()
        for task in (working, crashing):
            task.cancel()
        await asyncio.gather(working, crashing, return_exceptions=True)
        self.observer.restarted()
        if crashed and self.random.random() < 0.3:
            await asyncio.sleep(self.random.uniform(1, 200))

    def _start(self, store: SimulatedStore, plans: Sequence[FlowPlan]) -> tuple[Poller, Intake]:
        adapter = SimulatedAdapter(self, store)
        flows = [make_flow(plan) for plan in plans]
        intake = Intake(adapter, store, flows)  # type: ignore[arg-type]
        watches = [replace(watch, list=self.alter(watch.list)) for watch in find_watches(adapter, flows, intake.decide)]
        self.poller = Poller(intake, watches, self.clock, self.now, LOOK_EVERY)
        return self.poller, replace(intake, watches=watches, arrived=self.poller.arrived)

    async def _send(self) -> None:
        """Send the webhooks at their times; one that is not acknowledged is lost, perhaps."""
        planned = sorted(((at, lead) for lead in self.world.leads for at in lead.webhooks), key=lambda pair: pair[0])
        sending = []
        for at, lead in planned:
            await asyncio.sleep(max(0.0, at - self.now()))
            sending.append(asyncio.create_task(self._deliver(lead)))
        await asyncio.gather(*sending)

    async def _deliver(self, lead: Lead) -> None:
        intake = self._intake
        if intake is None:
            return
        event = webhooks.parse(lead.webhook)
        delivery = Delivery("chatforge", DEFAULT, event, lead.webhook, self.clock())
        self.tried.setdefault(lead.id, frozenset(flow.name for flow in intake.flows))
        with suppress(CrashedError, StoreError):
            await intake.accept(delivery)
            self.acknowledged.add(lead.id)
