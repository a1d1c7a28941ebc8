"""The action `analytics_change`: what an agent's numbers have changed by, from samples and one more where that is due.

Get Analytics is asked by `get_analytics`, which answers as the vendor does and keeps nothing: hosts that have no store
use it too. This action is what keeps samples, and still a `read`: nothing changes at ChatForge, and repeating it tells
the same. So whoever wants an agent sampled only has to call it; it decides itself whether a sample is due, also where
several processes call it.
"""

from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from connector.chatforge.analytics import store
from connector.chatforge.analytics.change import LENGTHS, NEAR, Counted, Part, Unit, floor, measure, split
from connector.chatforge.analytics.sample import Sample, read_sample
from connector.chatforge.analytics.store import Agent
from connector.chatforge.client import ChatForge
from connector.chatforge.inputs import AgentId, StrictInput
from connector.chatforge.models import Time
from connector.chatforge.times import EARLIEST, read_time
from connector.declare import ActionContext, action
from connector.errors import InputError
from connector.flows.durations import seconds

FRESH = timedelta(hours=1)
"""A sample is due where the newest one is older."""
CLOSING = timedelta(minutes=10)
"""One more is taken so shortly before a month ends in UTC; in which time zone the vendor's do is not documented."""
_MOST_PARTS = 400


def _check_since(text: str) -> str:
    if seconds(text) is None and read_time(text) is None:
        raise ValueError("should be a duration such as '7d', or a time such as '2026-03-01T00:00:00Z'")
    return text


class ChangeOf(StrictInput):
    """Which agent, and since when."""

    agent_id: AgentId
    since: Annotated[str, AfterValidator(_check_since)] = Field(
        description="How long ago, such as '7d', or a time, such as '2026-03-01T00:00:00Z'."
    )
    until: Time | None = Field(None, description="Up to when; now where nothing is given.")
    by: Unit | None = Field(
        None, description="Also give the numbers of each hour, day or month (UTC); at most 400 of them."
    )
    fresh: bool = Field(True, description="Whether to ask ChatForge where the newest sample is older than an hour.")


class ChangePart(BaseModel):
    """What came in an hour, a day or a month; null where nobody knows."""

    at: Time = Field(description="When it begins.")
    conversations: int | None
    leads: int | None
    conversion: float | None
    messages: int | None


class AnalyticsChange(BaseModel):
    """How much came. A number is null where nobody knows: ChatForge does not tell it, or nothing was sampled then."""

    conversations: int | None
    leads: int | None
    conversion: float | None = Field(description="Leads per conversation; null without conversations.")
    messages: int | None
    counted_from: Time | None = Field(description="From when on it was counted: a sample, or the beginning of a month.")
    counted_until: Time | None = Field(description="When the last sample of these was taken.")
    complete: bool = Field(description="Whether samples reach back to `since`, to within 35 minutes, without a gap.")
    first_sample: Time | None = Field(description="When this agent was sampled for the first time.")
    last_sample: Time | None = Field(description="When it was sampled for the last time.")
    parts: list[ChangePart] = Field(description="One for each hour, day or month, where `by` asks for them.")


@action(
    effect="read",
    title="Sum up analytics",
    example={"agent_id": "uuid", "since": "7d"},
    one_at_a_time=lambda given: str(given.agent_id),
    local=True,
)
async def analytics_change(input: ChangeOf, context: ActionContext[Any]) -> AnalyticsChange:
    """Say how many conversations, leads and messages an agent got since a time, from samples that are kept here.

    ChatForge tells the numbers of the current month only, so `chatforge serve` takes a sample of each agent once an
    hour. This answers from them, and takes one more where the newest is older than an hour. What came before the first
    sample is known for that month only, as a whole.
    """
    path, agent = _path_of(context), Agent(context.connection_name, input.agent_id)
    since, until = _span(input, context.now)
    newest = await store.use(path, lambda connection: store.read_newest(connection, agent))
    if input.fresh and is_due(newest, context.now):
        taken = read_sample(await ChatForge.of(context).get_analytics(input.agent_id), context.now)
        await store.use(path, lambda connection: store.add(connection, agent, taken), writing=True)
        newest = taken
    first, samples = await store.use(
        path,
        lambda connection: (
            store.read_first(connection, agent),
            store.read_since(connection, agent, since - NEAR),
        ),
    )
    change = measure(samples, since, until)
    return AnalyticsChange(
        **_numbers(change.counted),
        counted_from=change.start,
        counted_until=change.end,
        complete=change.complete,
        first_sample=first.at if first else None,
        last_sample=newest.at if newest else None,
        parts=[_part(one) for one in split(change.increases, since, until, input.by)] if input.by else [],
    )


def is_due(newest: Sample | None, now: datetime) -> bool:
    """Whether to ask for another sample; also where the clock was put back behind the newest one."""
    if newest is None or not timedelta(0) <= now - newest.at < FRESH:
        return True
    closing = floor(floor(now, "month") + timedelta(days=31), "month") - CLOSING
    return newest.at < closing <= now


def _span(input: ChangeOf, now: datetime) -> tuple[datetime, datetime]:
    """From when until when; raises InputError."""
    until = min(input.until or now, now)
    since = read_time(input.since) or _ago(seconds(input.since) or 0.0, now)
    if since >= until:
        raise InputError(f"since is {input.since!r}, which is not before {until.isoformat()}; give an earlier one")
    if input.by and (until - since) / LENGTHS[input.by] > _MOST_PARTS:
        raise InputError(f"by is {input.by!r}, which gives more than {_MOST_PARTS} parts; take a longer one")
    return since, until


def _ago(amount: float, now: datetime) -> datetime:
    return now - timedelta(seconds=amount) if (now - EARLIEST).total_seconds() > amount else EARLIEST


def _path_of(context: ActionContext[Any]) -> Path:
    path: Path | None = context.connection.analytics_file
    if path is None:
        raise InputError("this connection keeps no samples of analytics; give it an analytics_file")
    return path


def _numbers(counted: Counted) -> dict[str, Any]:
    return {**asdict(counted), "conversion": counted.conversion}


def _part(part: Part) -> ChangePart:
    return ChangePart(at=part.at, **_numbers(part.counted))
