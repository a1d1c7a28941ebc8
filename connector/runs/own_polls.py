"""Polls the triggers that find their events by themselves, one poll for each flow.

The events of a step, the runs that they start and the state behind it are kept together. A trigger that tells of an
event twice starts a flow once: events are recognised by their identity.
"""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.adapter import Delivery, Polled
from connector.declare import connector_of
from connector.errors import ConnectorError
from connector.flows.flow import Flow
from connector.runs import events
from connector.runs.events import NewEvent
from connector.runs.intake import Intake
from connector.runs.pace import Pace
from connector.runs.watches import Decide

log = logging.getLogger(__name__)

LONGEST_PAUSE = 300.0
"""Seconds between two tries at most, while requests fail."""


def read_state(connection: sqlite3.Connection, flow: Flow) -> dict[str, Any] | None:
    """Where the flow's poll stands; None where it is new, or its trigger was edited."""
    row = connection.execute("SELECT * FROM own_polls WHERE flow = ?", (flow.name,)).fetchone()
    return json.loads(row["state"]) if row and row["watched"] == _watched(flow) else None


def forget(connection: sqlite3.Connection, flow: str) -> None:
    """The flow is off: it begins anew when it is on again."""
    connection.execute("DELETE FROM own_polls WHERE flow = ?", (flow,))


def keep(
    connection: sqlite3.Connection, flow: Flow, polled: Polled, deliveries: Sequence[Delivery], decide: Decide
) -> bool:
    """Keep what a step brought; whether runs were created."""
    started = False
    for delivery in deliveries:
        decision = decide(flow, delivery)
        if decision is not None:
            event_id, _ = events.keep_event(connection, NewEvent.of(delivery))
            started |= events.add_start(connection, event_id, delivery.received_at, decision).run_id is not None
    connection.execute(
        "INSERT INTO own_polls VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET watched = excluded.watched, "
        "state = excluded.state",
        (flow.name, _watched(flow), json.dumps(polled.state)),
    )
    return started


def _watched(flow: Flow) -> str:
    return json.dumps([flow.trigger.uses, flow.trigger.connection, dict(flow.trigger.input)], sort_keys=True)


@dataclass(slots=True, eq=False)
class OwnPoll:
    """The poll of one flow. `pause` is in seconds."""

    flow: Flow
    pause: float
    intake: Intake
    pace: Pace
    clock: Callable[[], datetime]

    async def work(self) -> None:
        """Poll until cancelled."""
        failures, place = 0, f"for the flow {self.flow.name}"
        while True:
            try:
                more = await self._step()
            except ConnectorError as error:
                failures += 1
                self.pace.begin_failure(place, error)
                asked = getattr(error, "retry_after", None) or 0.0
                await asyncio.sleep(max(asked, min(LONGEST_PAUSE, self.pause * 2.0 ** min(failures - 1, 20))))
            except Exception:
                log.exception("the poll %s failed after a fault of this program; it is tried again", place)
                await asyncio.sleep(LONGEST_PAUSE)
            else:
                failures = 0
                self.pace.end_failure(place)
                await asyncio.sleep(0 if more else self.pause)

    async def _step(self) -> bool:
        """One request; whether another one follows at once."""
        uses, connection = self.flow.trigger.uses, self.flow.trigger.connection
        state = self.intake.store.query(read_state, self.flow)
        polled = await self.intake.adapter.poll(uses, self.flow.trigger.input, state, connection=connection)
        now = self.clock()
        deliveries = [
            Delivery(connector_of(uses), connection, event, json.dumps(event.payload), now) for event in polled.events
        ]
        if await self.intake.store.write(keep, self.flow, polled, deliveries, self.intake.decide):
            self.intake.wake()
        return polled.more
