"""Starts flows by the clock, each tick once.

A tick is stored as an event before the database says that it was dealt with, and its identity is its flow and its
time: after a crash between both it comes again and is recognised.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector.adapter import Delivery
from connector.database import Connection, Row
from connector.declare import Timetable, connector_of
from connector.errors import StoreError
from connector.flows.expressions.functions import from_time
from connector.flows.flow import Flow
from connector.runs.intake import Intake
from connector.runs.records import read_time, write_time

log = logging.getLogger(__name__)

LOOK_EVERY = 5.0  # seconds; somebody may set the clock meanwhile
AGAIN_AFTER = 1.0  # seconds, while the database cannot be used
PUNCTUAL = timedelta(minutes=1)
"""A tick that is noticed later than this was missed."""
SET_BACK = timedelta(days=1)
"""Where the clock was set back by more, schedules begin anew instead of waiting until it has come so far again."""
MOST = 1_000
"""Missed ticks of one flow that are made up for."""


@dataclass(slots=True)
class _Plan:
    flow: Flow
    timetable: Timetable
    anchor: datetime
    last: datetime
    """Ticks up to this one were dealt with."""
    next: datetime | None

    def advance(self, last: datetime) -> None:
        self.last, self.next = last, self.timetable.following(self.anchor, last)


class Scheduler:
    """Starts the flows of `intake` whose trigger has a timetable. For a database only one process may do so.

    `running_since` is that of the scheduler before it in the same process: what came due between both is not missed.
    """

    def __init__(self, intake: Intake, clock: Callable[[], datetime], running_since: datetime | None = None) -> None:
        self._intake = intake
        self._clock = clock
        self._timetables = {flow.name: (flow, found) for flow in intake.flows if (found := _timetable(intake, flow))}
        self._plans: list[_Plan] | None = None
        self.running_since = running_since
        """Since the first look; None before it."""
        self._failing = self._looked = False
        self._stopping = asyncio.Event()

    async def work(self) -> None:
        """Start flows until `stop`."""
        while not self._stopping.is_set():
            seconds = await self.look()
            try:
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Start nothing more. What is due then is the next process's."""
        self._stopping.set()

    @property
    def upcoming(self) -> Mapping[str, datetime] | None:
        """When each flow starts next, in the time zone of its schedule; None before the first look is over."""
        if self._plans is None or not self._looked:
            return None
        return {plan.flow.name: plan.next.astimezone(plan.timetable.zone) for plan in self._plans if plan.next}

    async def look(self) -> float:
        """Start what is due. Returns the seconds until the next look."""
        try:
            await self.tick(self._clock())
        except StoreError as error:
            if not self._failing:
                log.error("no flow is started by the clock until this ends: %s", error)  # noqa: TRY400 - the sentence says it all
            self._failing = True
            return AGAIN_AFTER
        except Exception:
            if not self._failing:
                log.exception("no flow is started by the clock, after a fault of this program; it is tried again")
            self._failing = True
            return LOOK_EVERY
        if self._failing:
            log.info("flows are started by the clock again")
        self._failing = False
        return self._seconds_left()

    async def tick(self, now: datetime) -> None:
        """Start what is due at `now`. Raises StoreError; then the next call tries again."""
        self.running_since = min(self.running_since or now, now)
        if self._plans is None or any(plan.last - now > SET_BACK for plan in self._plans):
            self._plans = await self._begin(now)
        due = [plan for plan in self._plans if plan.next and plan.next <= now]
        outcomes = await asyncio.gather(*(self._start(plan, now) for plan in due), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        self._looked = True

    def _seconds_left(self) -> float:
        moments = [plan.next for plan in self._plans or () if plan.next]
        left = (min(moments) - self._clock()).total_seconds() if moments else LOOK_EVERY
        return max(0.0, min(LOOK_EVERY, left))

    async def _begin(self, now: datetime) -> list[_Plan]:
        keys = {name: timetable.key for name, (_, timetable) in self._timetables.items()}
        moments = await self._intake.store.write(lambda connection: _take_up(connection, keys, now))
        plans = []
        for name, (flow, timetable) in self._timetables.items():
            anchor, last = moments[name]
            plans.append(_Plan(flow, timetable, anchor, last, timetable.following(anchor, last)))
        return plans

    async def _start(self, plan: _Plan, now: datetime) -> None:
        due = plan.timetable.due(plan.anchor, plan.last, now, MOST)
        wanted = self._wanted(plan.timetable, due, now)
        if len(wanted) < len(due):
            left = [moment for moment in due if moment not in wanted]
            last, rule = from_time(left[-1]), plan.timetable.missed
            log.warning("the flow %s missed %d starts up to %s (missed: %s)", plan.flow.name, len(left), last, rule)
        for moment in wanted:
            if self._stopping.is_set():
                return
            await self._accept(plan.flow, moment, now)
        await self._intake.store.write(lambda connection: _advance(connection, plan.flow.name, due[-1]))
        plan.advance(due[-1])

    def _wanted(self, timetable: Timetable, due: Sequence[datetime], now: datetime) -> Sequence[datetime]:
        """Those that start the flow. Missed is what was due before this process, or long ago, or before another one."""
        if timetable.missed == "all":
            return due
        since = max(self.running_since or now, now - PUNCTUAL)
        return due[-1:] if timetable.missed == "one" or due[-1] >= since else ()

    async def _accept(self, flow: Flow, moment: datetime, now: datetime) -> None:
        """Store the tick as an event that concerns this flow alone."""
        trigger = self._intake.adapter.registry.trigger(flow.started_by.uses)
        payload = {"scheduled_at": from_time(moment)}
        identity = f"schedule:{flow.name}:{from_time(moment)}"
        event = replace(trigger.sample, identity=identity, occurred_at=moment, payload=payload)
        connector = connector_of(flow.started_by.uses)
        delivery = Delivery(connector, flow.started_by.connection, event, json.dumps(payload), now)
        await replace(self._intake, flows=[flow]).accept(delivery)


def _timetable(intake: Intake, flow: Flow) -> Timetable | None:
    use = flow.trigger if flow.enabled else None
    return intake.adapter.timetable(use.uses, use.input) if use else None


def _take_up(connection: Connection, keys: Mapping[str, str], now: datetime) -> dict[str, tuple[datetime, datetime]]:
    """(anchor, last) of each flow: as they were, or from now on. Other flows are forgotten."""
    rows = connection.execute("SELECT * FROM schedules").fetchall()
    kept = {row["flow"]: _moments(row, now) for row in rows if row["key"] == json.dumps(keys.get(row["flow"]))}
    start = now.replace(microsecond=0)
    moments = {flow: kept.get(flow) or (start, start) for flow in keys}
    connection.execute("DELETE FROM schedules")
    connection.executemany(
        "INSERT INTO schedules VALUES (?, ?, ?, ?)",
        [(flow, json.dumps(keys[flow]), *map(write_time, moments[flow])) for flow in keys],
    )
    return moments


def _moments(row: Row, now: datetime) -> tuple[datetime, datetime] | None:
    try:
        anchor, last = read_time(row["anchor"]), read_time(row["last"])
        too_far = max(anchor, last) - now > SET_BACK
    except (ValueError, TypeError):
        log.warning("the schedule of the flow %s begins anew: its row is damaged", row["flow"])
        return None
    if too_far:
        log.warning("the schedule of the flow %s begins anew: the clock was set back", row["flow"])
        return None
    return anchor, last


def _advance(connection: Connection, flow: str, last: datetime) -> None:
    connection.execute("UPDATE schedules SET last = ? WHERE flow = ?", (write_time(last), flow))
