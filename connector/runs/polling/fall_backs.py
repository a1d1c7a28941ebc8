"""Starts flows from webhooks alone, where the wait for their entries of a list is over.

The functions work in their caller's transaction.
"""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.adapter import Delivery
from connector.database import Connection, Cursor, Row
from connector.declare import Event
from connector.errors import ConnectorError, StoreError
from connector.flows.expressions.functions import from_time
from connector.runs import events
from connector.runs.events import Decision
from connector.runs.intake import TOO_OLD, Intake
from connector.runs.polling import abandoned, aliases, arrivals, twins
from connector.runs.polling.matching import join_of
from connector.runs.polling.pace import FAULT_PAUSE, STORE_PAUSE
from connector.runs.polling.watches import Watch
from connector.runs.records import read_time, write_time

log = logging.getLogger(__name__)

MOST = 100
"""Waits that are ended in one transaction."""
SET_BACK = timedelta(minutes=1)
"""A webhook from later than that was received before the clock was set back."""

_WAITS = (
    "SELECT w.event_id, w.flow FROM waiting_starts w JOIN arrivals a USING (event_id) WHERE a.connector = :connector "
    "AND a.connection = :connection AND a.list = :list AND {} LIMIT :most"
)
_SERVED = "w.flow IN (SELECT value FROM json_each(:flows))"
_OVERDUE = _WAITS.format(f"{_SERVED} AND w.due_at <= :now")
_FROM_LATER = _WAITS.format(
    "w.event_id > :later AND w.flow || '' IN (SELECT value FROM json_each(:flows))"
)  # by the key of the table, not by the index of flows
_THERE = "(:all = 1 OR a.partition IN (SELECT value FROM json_each(:partitions)))"
_REFUSED = _WAITS.format(f"{_SERVED} AND {_THERE}")

Refused = Collection[tuple[str, str, str, str | None]]
"""(connector, connection, list, partition) of what cannot be had; the partition is None where it is all of them."""
ReadEvent = Callable[[str, str], Event]
"""(connector, text of a stored webhook) → its event."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A flow that waits for the entry of a webhook."""

    watch: Watch
    event_id: str
    flow: str


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of waits that are over."""

    started: bool
    """Whether runs were created."""
    held: Sequence[str]
    """Sentences about webhooks that could not be decided on."""


def find_due(connection: Connection, watches: Sequence[Watch], refused: Refused, now: datetime) -> list[Wait]:
    """At most MOST waits that are over, of flows that are served.

    A wait is over at once where the partition is refused, and where the clock was set back.
    """
    found: dict[tuple[str, str], Wait] = {}
    for watch in watches:
        for rows in _select_due(connection, watch, refused, now):
            found |= {(row["event_id"], row["flow"]): Wait(watch, row["event_id"], row["flow"]) for row in rows}
    return [found[key] for key in sorted(found)[:MOST]]


def _select_due(connection: Connection, watch: Watch, refused: Refused, now: datetime) -> Iterator[Cursor]:
    """One query for each way in which a wait ends: with OR they would read all of the table."""
    partitions = [partition for *key, partition in refused if tuple(key) == watch.key]
    values = {
        "flows": json.dumps(watch.flows),
        "connector": watch.connector,
        "connection": watch.connection,
        "list": watch.list.name,
        "most": MOST,
    }
    yield connection.execute(_OVERDUE, {**values, "now": write_time(now)})
    yield connection.execute(_FROM_LATER, {**values, "later": events.new_id("evt", now + SET_BACK)})
    if partitions:
        named = json.dumps([json.dumps(partition) for partition in partitions])
        yield connection.execute(_REFUSED, {**values, "all": None in partitions, "partitions": named})


def end_waits(
    connection: Connection, watches: Sequence[Watch], refused: Refused, read: ReadEvent, now: datetime
) -> Ended:
    """Start flows that `find_due` finds from their webhooks alone. A webhook that cannot be decided on is held."""
    started, held = False, []
    for wait in find_due(connection, watches, refused, now):
        connection.execute("DELETE FROM waiting_starts WHERE event_id = ? AND flow = ?", (wait.event_id, wait.flow))
        try:
            decision = _decide(connection, wait, read, now)
        except (sqlite3.Error, StoreError):
            raise
        except Exception as error:  # a damaged row, or a fault of a plugin: no reason to keep the others waiting
            reason = f"it cannot be decided on: {_explain(error)}"
            held.append(f"the webhook {wait.event_id} is held for the flow {wait.flow}: {reason}")
            decision = Decision(wait.flow, reason=reason, held=True)
        if decision is not None:
            started |= events.add_start(connection, wait.event_id, now, decision).run_id is not None
    return Ended(started, held)


def _explain(error: Exception) -> str:
    """What an exception says that is not ours may hold a secret."""
    if isinstance(error, ConnectorError):
        return str(error)
    return f"{type(error).__name__}, a fault of this program or of a plugin, or a damaged row of the database"


def _decide(connection: Connection, wait: Wait, read: ReadEvent, now: datetime) -> Decision | None:
    watch = wait.watch
    row = connection.execute(
        "SELECT a.*, e.text, e.received_at FROM arrivals a JOIN events e ON e.id = a.event_id WHERE e.id = ?",
        (wait.event_id,),
    ).fetchone()
    partition, item, named = (json.loads(row[name] or "null") for name in ("partition", "item", "named"))
    partition = partition or aliases.find_partition(connection, watch, named)
    text = json.loads(row["text"])
    event = join_of(watch).place(read(row["connector"], text), partition, item)
    delivery = Delivery(row["connector"], row["connection"], event, text, read_time(row["received_at"]))
    flow = next(one.flow for one in watch.watchers if one.flow.name == wait.flow)
    decision = _find_told(connection, wait, row) or watch.decide(flow, delivery)
    if decision and decision.trigger is not None and now - delivery.received_at > TOO_OLD:
        reason = (
            f"it came at {from_time(delivery.received_at)}, and no server has run since; resend it if it still counts"
        )
        return Decision(wait.flow, reason=reason, held=True)
    return decision


def _find_told(connection: Connection, wait: Wait, row: Row) -> Decision | None:
    """Why the flow starts nothing: it has started from the entry."""
    if row["item"] is not None:
        return arrivals.find_told(connection, wait.watch, row, wait.flow)
    known, facts, at = json.loads(row["partition"] or "null"), json.loads(row["facts"]), read_time(row["at"])
    twin = twins.find_entry(connection, wait.watch, known, facts, at, wait.flow)
    if twin is None or not twin.certain:  # a webhook that waits is not as old as what was removed
        return None
    return Decision(wait.flow, reason=f"its entry {twin.event_id} has started {twin.run_id}")


@dataclass(frozen=True, slots=True)
class FallBack:
    """Ends waits for `watches` as long as it works. `look_every` is in seconds."""

    intake: Intake
    watches: Sequence[Watch]
    refused: Callable[[], Refused]
    clock: Callable[[], datetime]
    look_every: float

    async def work(self) -> None:
        """Until cancelled. Whatever fails is tried again."""
        failing = False
        while True:
            pause = self.look_every
            try:
                await self._look()
                failing = False
            except StoreError as error:
                if not failing:
                    log.error("webhooks wait for their entries until this ends: %s", error)  # noqa: TRY400 - the sentence says it all
                failing, pause = True, STORE_PAUSE
            except Exception:
                log.exception("starting flows from webhooks failed after a fault of this program; it is tried again")
                pause = FAULT_PAUSE
            await asyncio.sleep(pause)

    async def _look(self) -> None:
        store, read = self.intake.store, self.intake.adapter.read_webhook
        refused, now = self.refused(), self.clock()
        served = [flow.name for flow in self.intake.flows]
        while store.query(abandoned.find, served, now):
            for sentence in await store.write(abandoned.hold, served, now):
                log.error("%s", sentence)
        while store.query(find_due, self.watches, refused, now):
            ended = await store.write(end_waits, self.watches, refused, read, now)
            for sentence in ended.held:
                log.error("%s", sentence)
            if ended.started:
                self.intake.wake()
