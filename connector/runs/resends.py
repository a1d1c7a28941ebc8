"""Decides a stored event anew: for flows that held it, or for one that a person names.

Each function works in its caller's transaction.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connector.adapter import Adapter, Delivery
from connector.database import Connection
from connector.declare import Event
from connector.errors import EventError
from connector.flows.flow import Flow
from connector.runs import events, records
from connector.runs.events import Decision
from connector.runs.intake import TOO_EARLY
from connector.runs.polling import aliases, arrivals, twins
from connector.runs.polling.matching import join_of
from connector.runs.polling.twins import Twin
from connector.runs.polling.watches import Decide, Watch
from connector.runs.records import write_time

NOT_WANTED = "its trigger does not want the event"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A flow that shall decide anew, and the list that it watches."""

    flow: Flow
    watch: Watch | None


def read_delivery(adapter: Adapter, stored: records.Event) -> Delivery:
    """The event as it came in. Raises WebhookError or EventError."""
    if stored.text is None:
        raise EventError(
            f"the content of {stored.id} was removed, as it was kept long enough or its person was erased; "
            "nothing can be decided on it any more"
        )
    if stored.source == "webhook":
        event = replace(adapter.read_webhook(stored.connector, stored.text), identity=stored.identity)
    else:
        event = Event(
            stored.name, stored.identity, stored.occurred_at, _read_payload(stored.id, stored.text), stored.source
        )
    return Delivery(stored.connector, stored.connection, event, stored.text, stored.received_at)


def _read_payload(event_id: str, text: str) -> dict[str, object]:
    try:
        payload = json.loads(text)
    except ValueError as error:
        raise EventError(f"the body of {event_id} cannot be read: {error}") from error
    return payload if isinstance(payload, dict) else {"value": payload}


def resend(
    connection: Connection,
    event_id: str,
    delivery: Delivery,
    wanted: Sequence[Wanted],
    decide: Decide,
    now: datetime,
) -> list[records.Start]:
    """What the flows make of the event now. None starts twice for it, nor for what it tells of."""
    return [_resend(connection, event_id, delivery, one, decide, now) for one in wanted]


def _resend(
    connection: Connection, event_id: str, delivery: Delivery, wanted: Wanted, decide: Decide, now: datetime
) -> records.Start:
    flow = wanted.flow.name
    row = connection.execute("SELECT * FROM starts WHERE event_id = ? AND flow = ?", (event_id, flow)).fetchone()
    if row and row["run_id"]:
        return records.Start(flow, None, f"it has started {row['run_id']} before")
    twin, placed = _find_twin(connection, event_id, delivery, wanted)
    if twin is not None and twin.run_id is None:
        return records.Start(flow, None, f"its webhook {twin.event_id} waits for it and then starts the flow")
    told = twin and _say(twin)
    decision = Decision(flow, reason=told) if told else decide(wanted.flow, placed)
    if decision is None and row is None:
        return records.Start(flow, None, NOT_WANTED)
    connection.execute("DELETE FROM waiting_starts WHERE event_id = ? AND flow = ?", (event_id, flow))
    connection.execute("DELETE FROM starts WHERE event_id = ? AND flow = ?", (event_id, flow))
    return events.add_start(connection, event_id, now, decision or Decision(flow, reason=NOT_WANTED))


def _say(twin: Twin) -> str:
    if twin.certain:
        return f"{twin.event_id} tells of the same and has started {twin.run_id}"
    return (
        f"{twin.event_id}, of about the same time, may tell of the same; it has started {twin.run_id}, and was removed"
    )


def _find_twin(
    connection: Connection, event_id: str, delivery: Delivery, wanted: Wanted
) -> tuple[Twin | None, Delivery]:
    """What else tells of the same and has started the flow, and the delivery with all that is known of it."""
    watch, flow = wanted.watch, wanted.flow.name
    if watch is None or watch.list.join is None:
        return None, delivery
    if (found := watch.list.entry(delivery.event, delivery.received_at)) is not None:
        return twins.find_webhook(connection, watch, *found, delivery.received_at, flow), delivery
    if delivery.event.source != "webhook" or delivery.event.name != watch.list.join.event:
        return None, delivery
    if delivery.event.identity.startswith(events.BY_HAND):
        return None, delivery  # it stands for no entry
    return _find_entry(connection, watch, event_id, delivery, flow)


def _find_entry(
    connection: Connection, watch: Watch, event_id: str, delivery: Delivery, flow: str
) -> tuple[Twin | None, Delivery]:
    join = join_of(watch)
    select = "SELECT * FROM arrivals WHERE event_id = ?"
    if connection.execute(select, (event_id,)).fetchone() is None:
        arrivals.note(connection, watch, event_id, delivery)  # so that its entry starts nothing either, when it comes
    row = connection.execute(select, (event_id,)).fetchone()
    if row["item"] is not None:
        partition, item = json.loads(row["partition"]), json.loads(row["item"])
        placed = replace(delivery, event=join.place(delivery.event, partition, item))
        decided = twins.find_decided(connection, watch, partition, item, flow)
        twin = Twin(decided["event_id"], decided["run_id"]) if decided and decided["run_id"] else None
        return twin, placed
    known, named = (json.loads(row[name] or "null") for name in ("partition", "named"))
    likely = aliases.find_partition(connection, watch, named)
    placed = replace(delivery, event=join.place(delivery.event, likely, None))
    event, received_at = delivery.event, delivery.received_at
    if event.occurred_at is not None and event.occurred_at - received_at > TOO_EARLY:
        event = replace(event, occurred_at=None)  # its entry has a time that can be
    at, facts = event.occurred_at or received_at, join.facts(event, received_at)
    values = (write_time(at), json.dumps(facts), event_id)
    connection.execute("UPDATE arrivals SET at = ?, facts = ? WHERE event_id = ?", values)
    return twins.find_entry(connection, watch, known, facts, at, flow), placed
