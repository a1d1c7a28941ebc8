"""Events and what flows make of them: where runs are created. Each function works in its caller's transaction."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.adapter import Delivery
from connector.database import Connection
from connector.declare import Source
from connector.flows.flow import Flow
from connector.runs import awaited, pins, records, revisions
from connector.runs.journal import Journal
from connector.runs.pins import Pins
from connector.runs.records import as_json, as_key, first_id, read_time, write_time

BY_HAND = "manual-"
"""With this begins the identity of an event that a person made for one run."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    connector: str
    connection: str
    identity: str
    name: str
    occurred_at: datetime | None
    received_at: datetime
    text: str
    source: Source
    headers: Mapping[str, str] | None = None
    exact: bool = True

    @classmethod
    def of(cls, delivery: Delivery) -> "NewEvent":
        """The delivery as the journal keeps it."""
        event = delivery.event
        return cls(
            connector=delivery.connector,
            connection=delivery.connection,
            identity=event.identity,
            name=event.name,
            occurred_at=event.occurred_at,
            received_at=delivery.received_at,
            text=delivery.text,
            source=event.source,
            headers=delivery.headers or None,
            exact=delivery.exact,
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What one flow makes of an event: a trigger payload to run with, or the reason why not."""

    flow: str
    pinned: Flow | None = None
    """What the run would be pinned to."""
    trigger: Mapping[str, Any] | None = None
    """What its flow reads as `trigger` or `inputs`."""
    reason: str | None = None
    held: bool = False
    dedupe_key: Any = None
    dedupe_since: datetime | None = None
    """A run with the same key that started after this keeps the event from starting another."""
    lane: Any = None
    """The key of its flow's `concurrency`."""
    backfill: bool = False
    """Whether the run waits for those that are about something new."""
    without_once: bool = False
    """Whether the run leaves out the steps that act on somebody once."""
    pins: Pins = field(default_factory=dict)
    """What steps of the run are given instead of being done."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored event. `new` is False where it had been stored before; then nothing was started."""

    event_id: str
    new: bool
    starts: Sequence[records.Start]


def new_id(kind: str, now: datetime) -> str:
    """Ids of one kind order by time: milliseconds, then randomness."""
    return first_id(kind, now) + secrets.token_hex(5)


def add_event(connection: Connection, event: NewEvent, decisions: Sequence[Decision]) -> Stored:
    """Store an event and queue its runs, or recognise it."""
    event_id, new = keep_event(connection, event, held=any(one.held for one in decisions))
    if not new:
        return Stored(event_id, new=False, starts=Journal(connection).starts(event_id))
    starts = [_keep_start(connection, event_id, event.received_at, one) for one in decisions]
    return Stored(event_id, new=True, starts=starts)


def keep_event(
    connection: Connection, event: NewEvent, *, is_news: bool = True, same_as: str | None = None, held: bool = False
) -> tuple[str, bool]:
    """The id of the event, and whether it is new.

    Steps wait for what `is_news`. `same_as` is an event that told of the same before.
    """
    event_id = new_id("evt", event.received_at)
    kept = connection.execute(
        "INSERT INTO events (id, connector, connection, identity, name, occurred_at, received_at, status, text, "
        "source, same_as, headers, exact) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (connector, connection, identity) DO NOTHING",
        (
            event_id,
            event.connector,
            event.connection,
            event.identity,
            json.dumps(event.name),
            write_time(event.occurred_at) if event.occurred_at else None,
            write_time(event.received_at),
            "held" if held else "accepted",
            json.dumps(event.text),
            event.source,
            same_as if is_news else event_id,
            as_json(event.headers),
            int(event.exact),
        ),
    )
    if not kept.rowcount:
        row = connection.execute(
            "SELECT id FROM events WHERE connector = ? AND connection = ? AND identity = ?",
            (event.connector, event.connection, event.identity),
        ).fetchone()
        return row["id"], False
    if is_news and same_as is None:
        awaited.offer(connection, event_id, event.connector, event.connection, event.received_at)
    return event_id, True


def add_start(connection: Connection, event_id: str, now: datetime, decision: Decision) -> records.Start:
    """What the flow makes of the event, once and for all; one that is held may be decided anew."""
    row = connection.execute(
        "SELECT * FROM starts WHERE event_id = ? AND flow = ?", (event_id, decision.flow)
    ).fetchone()
    if row and not row["held"]:
        return records.Start(row["flow"], row["run_id"], json.loads(row["reason"] or "null"))
    start = _keep_start(connection, event_id, now, decision)
    connection.execute(
        "UPDATE events SET status = CASE WHEN EXISTS (SELECT 1 FROM starts WHERE event_id = events.id AND held = 1) "
        "THEN 'held' ELSE 'accepted' END WHERE id = ?",
        (event_id,),
    )
    return start


def _keep_start(connection: Connection, event_id: str, now: datetime, decision: Decision) -> records.Start:
    start = _start(connection, event_id, now, decision)
    connection.execute(
        "INSERT INTO starts (event_id, flow, run_id, reason, held) VALUES (?, ?, ?, ?, ?) ON CONFLICT (event_id, flow) "
        "DO UPDATE SET run_id = excluded.run_id, reason = excluded.reason, held = excluded.held",
        (event_id, start.flow, start.run_id, as_json(start.reason), start.held),
    )
    return start


def _start(connection: Connection, event_id: str, now: datetime, decision: Decision) -> records.Start:
    if decision.trigger is None or decision.pinned is None:
        return records.Start(decision.flow, None, decision.reason, held=decision.held)
    run_id = new_id("run", now)
    if reason := find_duplicate(connection, decision) or _find_same_lane(connection, decision):
        return records.Start(decision.flow, None, reason)
    if decision.dedupe_since:
        kept = (decision.flow, as_key(decision.dedupe_key), write_time(now), run_id)
        connection.execute(
            "INSERT INTO dedupe VALUES (?, ?, ?, ?) ON CONFLICT (flow, key) "
            "DO UPDATE SET started_at = excluded.started_at, run_id = excluded.run_id",
            kept,
        )
    revisions.keep(connection, decision.pinned)
    values = (run_id, decision.flow, decision.pinned.revision, event_id, json.dumps(decision.trigger), write_time(now))
    connection.execute(
        "INSERT INTO runs (id, flow, revision, event_id, trigger, status, created_at, without_once, backfill, lane, "
        "lane_limit, lane_place) VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)",
        (*values, decision.without_once, decision.backfill, *_find_lane(connection, decision)),
    )
    pins.keep(connection, run_id, decision.pins)
    return records.Start(decision.flow, run_id, None)


def _find_lane(connection: Connection, decision: Decision) -> tuple[str | None, int | None, int | None]:
    """The key of the lane, how many of it go on, and the place behind the others."""
    concurrency = decision.pinned.concurrency if decision.pinned else None
    if concurrency is None:
        return None, None, None
    key = as_key(decision.lane)
    row = connection.execute(
        "SELECT coalesce(max(lane_place), 0) AS last FROM runs WHERE flow = ? AND lane = ? AND finished_at IS NULL",
        (decision.flow, key),
    ).fetchone()
    return key, concurrency.limit, row["last"] + 1


def _find_same_lane(connection: Connection, decision: Decision) -> str | None:
    """Why `concurrency` with the mode `single` keeps the event from starting a run."""
    concurrency = decision.pinned.concurrency if decision.pinned else None
    if concurrency is None or concurrency.mode != "single":
        return None
    key = as_key(decision.lane)
    row = connection.execute(
        "SELECT id, status FROM runs WHERE flow = ? AND lane = ? AND finished_at IS NULL", (decision.flow, key)
    ).fetchone()
    return row and f"the run {row['id']} with the same concurrency key {key} is {row['status']}"


def find_duplicate(connection: Connection, decision: Decision) -> str | None:
    """Why `dedupe` keeps the event from starting a run."""
    if decision.dedupe_since is None:
        return None
    key = as_key(decision.dedupe_key)
    row = connection.execute("SELECT * FROM dedupe WHERE flow = ? AND key = ?", (decision.flow, key)).fetchone()
    if row is None or read_time(row["started_at"]) <= decision.dedupe_since:
        return None
    return f"the run {row['run_id']} with the same dedupe key {key} started at {row['started_at']}"
