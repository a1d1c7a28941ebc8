"""Analytics: how many conversations, leads and messages an agent got over time, from the samples that are kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from connector.errors import ConnectorError
from connector.runs.sampling import ACTION, SampledAgent
from connector.server.pages import Page, Params
from connector.server.site import Site

Period = Literal["24h", "7d", "30d", "12m"]
_UNITS: Mapping[Period, Literal["hour", "day", "month"]] = {"24h": "hour", "7d": "day", "30d": "day", "12m": "month"}


class AnalyticsParams(Params):
    agent: str | None = Field(None, max_length=300, description="CONNECTION/ID; the first one where none is given.")
    period: Period = "7d"


class AgentChoice(BaseModel):
    value: str = Field(description="CONNECTION/ID.")
    name: str


class Numbers(BaseModel):
    """Null is what nobody knows."""

    conversations: int | None
    leads: int | None
    conversion: float | None = Field(description="Leads per conversation.")
    messages: int | None


class Bar(Numbers):
    at: datetime


class Summed(Numbers):
    """What came in the whole time."""

    counted_from: datetime | None
    counted_until: datetime | None
    complete: bool
    first_sample: datetime | None
    last_sample: datetime | None
    parts: Sequence[Bar]


class AnalyticsShown(BaseModel):
    agents: Sequence[AgentChoice]
    agent: str | None
    period: Period
    unit: Literal["hour", "day", "month"]
    since: datetime
    total: Summed | None = Field(description="Null where no agent is known, and where it cannot be read.")
    untimed: Mapping[str, int] = Field(description="What came at times of which nobody knows more.")
    error: str | None
    failing: Sequence[str] = Field(description="Why agents are not sampled.")
    sampled: bool = Field(description="Whether there is a connection whose agents are sampled.")


async def read_analytics(site: Site, wanted: AnalyticsParams) -> AnalyticsShown:
    agents = [AgentChoice(value=_value(one), name=one.name) for one in site.sampler.agents]
    chosen = wanted.agent or (agents[0].value if agents else None)
    if chosen and chosen not in [one.value for one in agents]:  # it may be gone, or not be listed yet
        agents.append(AgentChoice(value=chosen, name=chosen.partition("/")[2] or chosen))
    since, total, error = _since(wanted.period, site.clock()), None, None
    try:
        total = await _sum_up(site, chosen, since, _UNITS[wanted.period]) if chosen else None
    except ConnectorError as found:
        error = str(found)
    return AnalyticsShown(
        agents=agents,
        agent=chosen,
        period=wanted.period,
        unit=_UNITS[wanted.period],
        since=since,
        total=total,
        untimed=_find_untimed(total) if total else {},
        error=error,
        failing=site.sampler.faults,
        sampled=bool(site.sampler.connections),
    )


def _value(agent: SampledAgent) -> str:
    return f"{agent.connection}/{agent.id}"


async def _sum_up(site: Site, agent: str, since: datetime, unit: str) -> Summed:
    """From what is kept: a page asks ChatForge nothing. Raises ConnectorError."""
    connection, _, agent_id = agent.partition("/")
    given = {"agent_id": agent_id, "since": since.isoformat(), "by": unit, "fresh": False}
    return Summed.model_validate(await site.adapter.run(ACTION, given, connection=connection))


def _since(period: Period, now: datetime) -> datetime:
    """When the first bar begins; the last one is that of now."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    if period == "24h":
        return hour - timedelta(hours=23)
    if period == "12m":
        return day.replace(year=day.year - (day.month < 12), month=day.month % 12 + 1, day=1)
    return day - timedelta(days=6 if period == "7d" else 29)


def _find_untimed(total: Summed) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in ("conversations", "leads", "messages"):
        placed = sum(getattr(part, name) or 0 for part in total.parts)
        if (rest := (getattr(total, name) or 0) - placed) > 0:
            found[name] = rest
    return found


PAGES = (Page("/analytics", "Analytics", "analytics.html", AnalyticsParams, AnalyticsShown, read_analytics),)
