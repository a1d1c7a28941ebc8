"""Polls the triggers that find their events by themselves, one poll for each flow.

The events of a step, the runs that they start and the state behind it are kept together. A trigger that tells of an
event twice starts a flow once: events are recognised by their identity.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.adapter import Delivery, Polled
from connector.database import Connection
from connector.declare import connector_of
from connector.errors import StateError
from connector.flows.flow import Flow
from connector.runs import events
from connector.runs.events import NewEvent
from connector.runs.intake import Intake
from connector.runs.polling.pace import Pace
from connector.runs.polling.watches import Decide

log = logging.getLogger(__name__)


def read_state(connection: Connection, flow: Flow) -> dict[str, Any] | None:
    """Where the flow's poll stands; None where it is new, or polls something else now."""
    row = connection.execute("SELECT * FROM own_polls WHERE flow = ?", (flow.name,)).fetchone()
    return json.loads(row["state"]) if row and json.loads(row["watched"])[:2] == _watched(flow) else None


def forget(connection: Connection, flow: str) -> None:
    """The flow is off: it begins anew when it is on again."""
    connection.execute("DELETE FROM own_polls WHERE flow = ?", (flow,))


def keep(connection: Connection, flow: Flow, polled: Polled, deliveries: Sequence[Delivery], decide: Decide) -> bool:
    """Keep what a step brought; whether runs were created."""
    started = False
    for delivery in deliveries:
        decision = decide(flow, delivery)
        if decision is not None:
            event_id, _ = events.keep_event(connection, NewEvent.of(delivery))
            started |= events.add_start(connection, event_id, delivery.received_at, decision).run_id is not None
    connection.execute(
        "INSERT INTO own_polls VALUES (?, ?, ?) ON CONFLICT (flow) DO UPDATE SET watched = excluded.watched, "
        "state = excluded.state",
        (flow.name, json.dumps(_watched(flow)), json.dumps(polled.state)),
    )
    return started


def _watched(flow: Flow) -> list[str]:
    """What is polled; the input is in the state, as the plugin understood it."""
    return [flow.started_by.uses, flow.started_by.connection]


@dataclass(slots=True, eq=False)
class OwnPoll:
    """The poll of one flow. `pause` is in seconds."""

    flow: Flow
    pause: float
    intake: Intake
    pace: Pace
    clock: Callable[[], datetime]

    async def work(self) -> None:
        """Poll until cancelled. Whatever fails is tried again."""
        with self.pace.share(self, f"for the flow {self.flow.name}", self.pause) as failures:
            while True:
                try:
                    more = await self._step()
                except Exception as error:  # of this program or a plugin too: a poll does not end
                    pause = failures.begin(error, self.pause)
                else:
                    failures.end()
                    pause = 0.0 if more else self.pause * self.pace.stretch()
                await asyncio.sleep(pause)

    async def _step(self) -> bool:
        """One request; whether another one follows at once."""
        state = self.intake.store.query(read_state, self.flow)
        try:
            return await self._poll(state)
        except StateError:
            log.warning("the poll for the flow %s begins anew: its state is of another input", self.flow.name)
            await self._poll(None)
            return False

    async def _poll(self, state: dict[str, Any] | None) -> bool:
        uses, connection = self.flow.started_by.uses, self.flow.started_by.connection
        polled = await self.intake.adapter.poll(uses, self.flow.started_by.input, state, connection=connection)
        now = self.clock()
        deliveries = [
            Delivery(connector_of(uses), connection, event, json.dumps(event.payload), now) for event in polled.events
        ]
        if await self.intake.store.write(keep, self.flow, polled, deliveries, self.intake.decide):
            self.intake.wake()
        return polled.more
