"""The triggers that belong to no connector, and so have no dot in their names: `schedule` and `manual`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connector.declare import Event, Missed, Timetable, Trigger
from connector.flows.durations import seconds
from connector.flows.zones import zone_of
from connector.plugins.timetable import Cron, Every, check_cron


def _check_duration(text: str) -> str:
    if (seconds(text) or 0) < 1:
        raise ValueError("should be a duration of at least 1s, such as '30s', '5m' or '1h'")
    return text


def _check_timezone(text: str) -> str:
    zone_of(text)
    return text


class Schedule(BaseModel):
    """When to start: `every` so often, or by a `cron` line in a time zone."""

    model_config = ConfigDict(extra="forbid")

    every: Annotated[str, AfterValidator(_check_duration)] | None = Field(
        None, description="The time between two starts, such as 1h.", json_schema_extra={"format": "flow-duration"}
    )
    cron: Annotated[str, AfterValidator(check_cron)] | None = Field(
        None, description="Minute, hour, day of month, month, day of week, such as 0 9 * * mon-fri."
    )
    timezone: Annotated[str, AfterValidator(_check_timezone)] = Field("UTC", description="In which cron is meant.")
    missed: Missed = Field(
        "one",
        description="For the starts that were due while no server ran: skip drops them, one makes up for the newest, "
        "all for each, at most for the newest 1,000.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.every is None) == (self.cron is None):
            raise ValueError("expected either every or cron")
        return self


class Tick(BaseModel):
    """A start by the clock."""

    scheduled_at: datetime


class NoInput(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Start(BaseModel):
    """A start by hand."""

    started_at: datetime


def _timetable(schedule: Schedule) -> Timetable:
    zone = zone_of(schedule.timezone)
    ticks = Cron(schedule.cron, zone) if schedule.cron else Every(timedelta(seconds=seconds(schedule.every or "") or 0))
    key = schedule.model_dump_json(exclude={"missed"})
    return Timetable(key, zone, schedule.missed, ticks.due, ticks.following)


def _select_tick(event: Event, _input: Schedule, received_at: datetime) -> Tick | None:
    return Tick(scheduled_at=event.occurred_at or received_at) if event.source == "schedule" else None


def _select_start(event: Event, _input: NoInput, received_at: datetime) -> Start | None:
    return Start(started_at=event.occurred_at or received_at) if event.source == "manual" else None


_NOON = datetime(2026, 3, 25, 12, 0, tzinfo=UTC)

SCHEDULE = Trigger(
    name="schedule",
    title="Schedule",
    description="The clock: every so often, or by a cron line.",
    input=Schedule,
    output=Tick,
    select=_select_tick,
    sample=Event("schedule", "schedule:2026-03-25T12:00:00Z", _NOON, {}, "schedule"),
    sources=("schedule",),
    timetable=_timetable,
)
MANUAL = Trigger(
    name="manual",
    title="Manual start",
    description="A person, with `chatforge run`.",
    input=NoInput,
    output=Start,
    select=_select_start,
    sample=Event("manual", "manual:1", _NOON, {}, "manual"),
    sources=("manual",),
)
TRIGGERS = (SCHEDULE, MANUAL)
