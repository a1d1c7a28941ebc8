"""The triggers that belong to no connector, and so have no dot in their names: `schedule` and `manual`."""

import re
from datetime import UTC, datetime
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connector.declare import Event, Trigger
from connector.flows.durations import seconds
from connector.validation import quoted

_MONTH = r"\d{1,2}|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_WEEKDAY = r"\d|mon|tue|wed|thu|fri|sat|sun"
_VALUES = (r"\d{1,2}", r"\d{1,2}", r"\d{1,2}", _MONTH, _WEEKDAY)
_CRON_FIELDS = tuple(
    re.compile(rf"{part}(,{part})*", re.ASCII | re.IGNORECASE)
    for part in (rf"(\*|({value})(-({value}))?)(/\d{{1,2}})?" for value in _VALUES)
)


def _check_duration(text: str) -> str:
    if not seconds(text):
        raise ValueError("should be a duration such as '30s', '5m' or '1h'")
    return text


def _check_cron(text: str) -> str:
    parts = text.split()
    if len(parts) != len(_CRON_FIELDS):
        raise ValueError("should be five fields, such as '0 9 * * mon-fri'")
    for part, field in zip(parts, _CRON_FIELDS, strict=True):
        if not field.fullmatch(part):
            raise ValueError(f"has a field {quoted(part)}; it takes numbers, names such as mon and jan, * , - and /")
    return text


def _check_timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError("should be the name of a time zone, such as 'Europe/Berlin'") from None
    return text


class Schedule(BaseModel):
    """When to start: `every` so often, or by a `cron` line in a time zone."""

    model_config = ConfigDict(extra="forbid")

    every: Annotated[str, AfterValidator(_check_duration)] | None = Field(
        None, description="The time between two starts, such as 1h.", json_schema_extra={"format": "flow-duration"}
    )
    cron: Annotated[str, AfterValidator(_check_cron)] | None = Field(
        None, description="Minute, hour, day of month, month, day of week."
    )
    timezone: Annotated[str, AfterValidator(_check_timezone)] = Field("UTC", description="In which cron is meant.")

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
