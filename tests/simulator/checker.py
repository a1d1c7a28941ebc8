"""What every flow must have got, and may have got, of a world that was lived through."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import Any

from simulator.host import Host
from simulator.store import Sweep, read_starts
from simulator.world import START, FlowPlan, Lead, moment

from connector.flows import durations

TOLERANCE = 65.0
"""Seconds by which a lead that is told may be older than the start: a minute, and what the answers take."""


@dataclass(slots=True)
class Verdict:
    """Sentences about what is wrong, by promise; all empty where nothing is."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    replayed: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)
    """Sweeps that were called clean and had missed a lead."""
    unswept: list[str] = field(default_factory=list)
    """Agents without a clean sweep since the world is calm."""
    impolite: list[str] = field(default_factory=list)
    """Rounds that took more than one request where nothing happened in an ordered list, or very many anywhere."""

    late: list[str] = field(default_factory=list)
    """Leads of a rush that the next poll of an ordered list did not find."""

    @property
    def problems(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.replayed, *self.unsound, *self.unswept, *self.impolite, *self.late]


@dataclass(frozen=True, slots=True)
class _Caught:
    """The sweep that showed what was old, and from when on everything unseen is new."""

    sweep: Sweep
    since: float


class Checker:
    """Judges a host."""

    def __init__(self, host: Host) -> None:
        self.host, self.world, self.now = host, host.world, host.now()
        self.sizes = Counter(lead.group for lead in self.world.leads)
        self._caught: dict[tuple[str, str], _Caught | None] = {}

    def judge(self) -> Verdict:
        verdict = Verdict()
        runs, held = self._count()
        for plan in self.world.flows:
            self._judge_flow(plan, verdict, runs[plan.name], held[plan.name])
        verdict.unsound += self._unsound()
        verdict.unswept += self._unswept()
        verdict.impolite += self._impolite()
        verdict.late += self._late()
        return verdict

    def _judge_flow(self, plan: FlowPlan, verdict: Verdict, runs: Mapping[int, int], held: Mapping[int, int]) -> None:
        must, may = Counter[int](), Counter[int]()
        for lead in self.world.leads:
            must[lead.group] += self.must(plan, lead)
            # A webhook may be taken for the twin of its lead that is older than the flow.
            may[lead.group] += self.may(plan, lead) or (self.sizes[lead.group] > 1 and plan.trigger == "lead_captured")
        for lead in self.world.leads:
            if lead.group != int(lead.id.removeprefix("lead-")):
                continue
            place = f"{plan.name} ({plan.start}) and {lead.id} of {lead.agent}"
            started = runs.get(lead.group, 0)
            if started + held.get(lead.group, 0) < must[lead.group] and self.world.cap > 1:
                verdict.lost.append(f"{place}: {started} instead of {must[lead.group]}")
            if started > may[lead.group]:
                kind = verdict.doubled if may[lead.group] else verdict.replayed
                kind.append(f"{place}: {started} instead of {may[lead.group]}")

    def must(self, plan: FlowPlan, lead: Lead) -> bool:
        """Whether the flow is to be started for the lead."""
        if plan.agent not in (None, lead.agent):
            return False
        is_gone = lead.gone < inf or not self.world.exists(lead.agent, self.now) or lead.listed > self.now
        # The webhook of a lead that is gone may be taken for its twin.
        if self._is_acknowledged(plan, lead) and not (is_gone and self.sizes[lead.group] > 1):
            return True
        start = self._start(plan)[1]
        if is_gone or start is None or (lead.dated is not None and lead.dated >= start + timedelta(seconds=2)):
            return not is_gone
        caught = self.caught(plan, lead.agent)
        if caught is None:
            return False
        late = (start - START).total_seconds() + (3_700 if self.world.jumps else 60)
        return lead.listed > max(caught.since, late if plan.start != "now" else 0)

    def _is_acknowledged(self, plan: FlowPlan, lead: Lead) -> bool:
        """Whether the flow was there for the lead's webhook, which names the agent as the flow does."""
        named = plan.agent is None or f'"agent_id": "{plan.agent}"' in lead.webhook
        tried = plan.name in self.host.tried.get(lead.id, frozenset())
        return plan.trigger == "lead_captured" and named and tried and lead.id in self.host.acknowledged

    def may(self, plan: FlowPlan, lead: Lead) -> bool:
        """Whether the flow may be started for the lead."""
        if plan.agent not in (None, lead.agent):
            return False
        if plan.trigger == "lead_captured" and any(at >= plan.begins for at in lead.webhooks):
            return True
        start = self._start(plan)[0]
        if start is None or (lead.dated is not None and lead.dated >= start - timedelta(seconds=TOLERANCE)):
            return True
        caught = self.caught(plan, lead.agent)
        if caught is None:
            return False
        if self.world.order == "unstable" and lead.id not in caught.sweep.served:
            return True
        return not self.world.was_listed(lead, caught.sweep.began, caught.sweep.ended)

    def caught(self, plan: FlowPlan, agent: str) -> _Caught | None:
        """From when on everything that is new in the agent's list is for the flow."""
        if (plan.name, agent) not in self._caught:
            self._caught[plan.name, agent] = self._catch(plan, agent)
        return self._caught[plan.name, agent]

    def _catch(self, plan: FlowPlan, agent: str) -> _Caught | None:
        began = self.host.observer.began.get(plan.name, inf)
        sweeps = [sweep for sweep in self.host.observer.sweeps if sweep.agent == agent]
        return next((_Caught(sweep, sweep.ended) for sweep in sweeps if sweep.began >= began), None)

    def _start(self, plan: FlowPlan) -> tuple[datetime | None, datetime | None]:
        """The earliest and the latest start of the flow by the vendor's clock; None: from the beginning.

        They differ where our clock was set before the vendor's was known.
        """
        if plan.start == "all":
            return None, None
        if plan.start != "now":
            return datetime.fromisoformat(plan.start), datetime.fromisoformat(plan.start)
        began = self.host.observer.began.get(plan.name, self.now)
        answered = self.host.observer.answered.get(plan.name, self.now)
        if any(began <= when <= answered for when, _ in self.world.jumps):
            return moment(began - 3_600), moment(answered)
        return moment(began), moment(began)

    def _count(self) -> tuple[dict[str, Counter[int]], dict[str, Counter[int]]]:
        groups = {lead.id: lead.group for lead in self.world.leads}
        runs = {plan.name: Counter[int]() for plan in self.world.flows}
        held = {plan.name: Counter[int]() for plan in self.world.flows}
        for start in read_starts(self.host.connection):
            group = groups[_lead_of(start)]
            if start["run_id"]:
                runs[start["flow"]][group] += 1
            held[start["flow"]][group] += start["held"]
        return runs, held

    def _unsound(self) -> Iterator[str]:
        if self.world.cap == 1 or self.world.order == "unstable":
            return
        for sweep in self.host.observer.sweeps:
            for lead in self.world.leads:
                missed = lead.agent == sweep.agent and lead.id not in sweep.served
                if missed and self.world.was_listed(lead, sweep.began, sweep.ended):
                    yield f"the sweep of {sweep.agent} from {sweep.began:.0f} to {sweep.ended:.0f} missed {lead.id}"

    def _unswept(self) -> Iterator[str]:
        swept = {sweep.agent for sweep in self.host.observer.sweeps if sweep.began >= self.world.calm}
        for agent in self.world.agents:
            if (
                self.world.cap > 1
                and self.world.order != "unstable"
                and agent.exists(self.now)
                and agent.id not in swept
                and self._is_watched(agent.id)
            ):
                yield f"{agent.id} was not swept"

    def _impolite(self) -> Iterator[str]:
        if self.world.order != "unstable":
            yield from (f"a poll took {count} requests" for count in self.host.observer.rounds if count != 1)
        longest = self.host.observer.longest
        if longest > 20 + 2 * len(self.world.leads) / self.world.cap:
            yield f"a poll took {longest} requests"

    def _late(self) -> Iterator[str]:
        pauses = [durations.seconds(plan.every) or 0.0 for plan in self.world.flows]
        for lead in self.world.leads:
            rushed = self.world.rush <= lead.listed < self.world.rush + 10
            if rushed and self.host.observer.ordered.get(lead.agent, inf) < self.world.rush:
                late = self.host.observer.seen.get(lead.id, inf) - lead.listed
                if late > max(pauses) + 120:
                    yield f"{lead.id} of {lead.agent} was seen {late:.0f} s late"

    def _is_watched(self, agent: str) -> bool:
        return any(plan.agent in (None, agent) for plan in self.world.flows)


def _lead_of(start: Mapping[str, Any]) -> str:
    """The lead that an event is about, whatever way it came."""
    if start["identity"].startswith("lead:"):
        return str(start["identity"].removeprefix("lead:"))
    return str(start["text"]["data"]["conversation_summary"])
