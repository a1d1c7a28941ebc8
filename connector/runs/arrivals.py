"""Webhooks that tell of an entry of a list without naming it, and which entry each of them is.

Binding is one to one, the nearest in time first, and works in both orders. Each function works in its caller's
transaction.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connector.adapter import Delivery
from connector.declare import Event, Item, Join
from connector.runs import events, records, twins
from connector.runs.events import Decision
from connector.runs.records import read_time, write_time
from connector.runs.watches import Poll, Watch

BINDABLE = timedelta(days=7)
"""How long a webhook can be recognised as an entry."""

ReadEvent = Callable[[str, str], Event]
"""(connector, text of a stored webhook) → its event."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A webhook that was recognised as an entry before it started `flows` by itself."""

    event_id: str
    flows: frozenset[str]


def is_recent(at: datetime, now: datetime) -> bool:
    """Whether a webhook may still be recognised as what happened at that time."""
    return at >= now - BINDABLE


def forget_facts(connection: sqlite3.Connection, poll_id: int, now: datetime) -> None:
    """Of entries that no webhook can be recognised as any more: they hold what a visitor wrote."""
    connection.execute(
        "UPDATE observed SET facts = NULL WHERE poll_id = ? AND facts IS NOT NULL AND at < ?",
        (poll_id, write_time(now - BINDABLE)),
    )


def arrive(connection: sqlite3.Connection, watch: Watch, event_id: str, delivery: Delivery) -> Sequence[records.Start]:
    """Take in a webhook. Returns what flows make of it at once; the others wait for its entry."""
    entry, placed = note(connection, watch, event_id, delivery)
    starts = []
    for watcher in watch.watchers:
        decision = watch.decide(watcher.flow, placed)
        if decision is None:
            continue
        if decision.trigger is not None and entry is None:
            due_at = write_time(delivery.received_at + timedelta(seconds=watcher.patience))
            connection.execute("INSERT INTO waiting_starts VALUES (?, ?, ?)", (event_id, watcher.flow.name, due_at))
        else:
            told = _told(connection, watch, entry, watcher.flow.name) if entry else None
            starts.append(events.add_start(connection, event_id, delivery.received_at, told or decision))
    return starts


def note(
    connection: sqlite3.Connection, watch: Watch, event_id: str, delivery: Delivery
) -> tuple[sqlite3.Row | None, Delivery]:
    """Note a webhook, and its entry where that was seen before; the delivery then names what is known of it."""
    join = _join(watch)
    facts = join.facts(delivery.event, delivery.received_at)
    named = join.partition(delivery.event)
    partition = resolve(connection, watch, named)
    at = delivery.event.occurred_at or delivery.received_at
    entry = _nearest_entry(connection, watch, partition, facts, at)
    values = (event_id, *watch.key, _text(named), _text(partition), write_time(at), json.dumps(facts))
    connection.execute("INSERT INTO arrivals VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)", values)
    if entry is not None:
        _bind(connection, watch, event_id, entry, delivery.received_at)
        partition = json.loads(entry["partition"])
    item = json.loads(entry["item"]) if entry else None
    return entry, replace(delivery, event=join.place(delivery.event, partition, item))


def _told(connection: sqlite3.Connection, watch: Watch, entry: sqlite3.Row, flow: str) -> Decision | None:
    """Why the flow starts nothing: the entry was decided on before."""
    row = twins.find_decided(connection, watch, json.loads(entry["partition"]), json.loads(entry["item"]), flow)
    if row is None:
        return None
    what = f", which started {row['run_id']}" if row["run_id"] else ""
    return Decision(flow, "", "", reason=f"it is {json.loads(entry['item'])!r} of the list, seen before{what}")


def bind_new(
    connection: sqlite3.Connection, watch: Watch, poll: Poll, items: Sequence[Item], now: datetime
) -> dict[str, Bound]:
    """Recognise webhooks among entries that were not seen before; by the id of the entry."""
    join = watch.list.join
    recent = [item for item in items if item.facts and is_recent(item.occurred_at or now, now)]
    if join is None or not recent:
        return {}
    waiting = _unbound_arrivals(connection, watch, poll, join, [item.occurred_at or now for item in recent])
    pairs = [
        (apart, row["event_id"], item.id)
        for item in recent
        for row in waiting
        if (apart := join.distance(json.loads(row["facts"]), item.facts or {})) is not None
    ]
    bound: dict[str, Bound] = {}
    taken: set[str] = set()
    for _, event_id, item_id in sorted(pairs):
        if event_id not in taken and item_id not in bound:
            taken.add(event_id)
            entry = _entry(connection, poll, item_id)
            bound[item_id] = Bound(event_id, _bind(connection, watch, event_id, entry, now))
    return bound


def started_flows(connection: sqlite3.Connection, watch: Watch, partition: str, item: str) -> dict[str, Decision]:
    """The flows that the webhook of an entry has started already: what they make of the entry itself."""
    rows = connection.execute(
        "SELECT flow, run_id, event_id FROM arrivals JOIN starts USING (event_id) "
        "WHERE connector = ? AND connection = ? AND list = ? AND partition = ? AND item = ? AND run_id IS NOT NULL",
        (*watch.key, json.dumps(partition), json.dumps(item)),
    )
    return {
        row["flow"]: Decision(row["flow"], "", "", reason=f"its webhook {row['event_id']} has started {row['run_id']}")
        for row in rows
    }


def due(connection: sqlite3.Connection, refused: Collection[tuple[str, str]], now: datetime) -> list[sqlite3.Row]:
    """The flows whose wait for an entry is over.

    It is over at once for a connection in `refused`, whose lists cannot be had, and where the clock was set back.
    """
    return connection.execute(
        "SELECT w.flow, a.*, e.text, e.received_at FROM waiting_starts w JOIN arrivals a USING (event_id) "
        "JOIN events e ON e.id = w.event_id WHERE w.due_at <= :now OR e.received_at > :now "
        "OR a.connector || '/' || a.connection IN (SELECT value FROM json_each(:refused)) ORDER BY w.event_id",
        {"now": write_time(now), "refused": json.dumps(["/".join(pair) for pair in refused])},
    ).fetchall()


def fall_back(
    connection: sqlite3.Connection,
    watches: Sequence[Watch],
    refused: Collection[tuple[str, str]],
    read: ReadEvent,
    now: datetime,
) -> bool:
    """Start the flows that are `due` from their webhooks alone; whether runs were created."""
    started = [_fall_back(connection, watches, row, read, now) for row in due(connection, refused, now)]
    return any(started)


def partitions_to_hurry(connection: sqlite3.Connection, watch: Watch) -> set[str | None]:
    """The partitions in which flows wait for an entry; None where it may be any."""
    rows = connection.execute(
        "SELECT DISTINCT partition FROM waiting_starts JOIN arrivals USING (event_id) "
        "WHERE connector = ? AND connection = ? AND list = ?",
        watch.key,
    )
    return {json.loads(row["partition"]) if row["partition"] else None for row in rows}


def _fall_back(
    connection: sqlite3.Connection, watches: Sequence[Watch], row: sqlite3.Row, read: ReadEvent, now: datetime
) -> bool:
    key = (row["connector"], row["connection"], row["list"])
    watch = next((one for one in watches if one.key == key), None)
    watcher = next((one for one in watch.watchers if one.flow.name == row["flow"]), None) if watch else None
    if watch is None or watcher is None:
        return False  # it waits until the flow is served again
    connection.execute("DELETE FROM waiting_starts WHERE event_id = ? AND flow = ?", (row["event_id"], row["flow"]))
    text = json.loads(row["text"])
    partition = resolve(connection, watch, _value(row["named"]))
    event = _join(watch).place(read(row["connector"], text), partition, None)
    delivery = Delivery(row["connector"], row["connection"], event, text, read_time(row["received_at"]))
    decision = watch.decide(watcher.flow, delivery)
    facts, at = json.loads(row["facts"]), read_time(row["at"])
    if twin := twins.find_entry(connection, watch, partition, facts, at, watcher.flow.name):
        decision = Decision(watcher.flow.name, "", "", reason=f"its entry {twin.event_id} has started {twin.run_id}")
    if decision is None:
        return False
    return events.add_start(connection, row["event_id"], now, decision).run_id is not None


def _join(watch: Watch) -> Join:
    assert watch.list.join is not None  # noqa: S101 - callers have looked
    return watch.list.join


def resolve(connection: sqlite3.Connection, watch: Watch, named: str | None) -> str | None:
    """The partition that a webhook means; None where that is not known (yet)."""
    if named is None:
        return None
    known = connection.execute(
        "SELECT 1 FROM polls WHERE connector = ? AND connection = ? AND list = ? AND partition = ?",
        (*watch.key, json.dumps(named)),
    ).fetchone()
    if known:
        return named
    alias = connection.execute(
        "SELECT partition FROM aliases WHERE connector = ? AND connection = ? AND named = ?",
        (watch.connector, watch.connection, json.dumps(named)),
    ).fetchone()
    return json.loads(alias["partition"]) if alias else None


def _nearest_entry(
    connection: sqlite3.Connection, watch: Watch, partition: str | None, facts: Mapping[str, Any], at: datetime
) -> sqlite3.Row | None:
    """The unbound entry that a webhook tells of."""
    join = _join(watch)
    rows = connection.execute(
        "SELECT o.*, p.partition FROM observed o JOIN polls p ON p.id = o.poll_id "
        "WHERE p.connector = ? AND p.connection = ? AND p.list = ? AND coalesce(?, p.partition) = p.partition "
        "AND o.facts IS NOT NULL AND o.at BETWEEN ? AND ?",
        (*watch.key, _text(partition), write_time(at - join.within), write_time(at + join.within)),
    ).fetchall()
    near = [(apart, row) for row in rows if (apart := join.distance(facts, json.loads(row["facts"]))) is not None]
    return min(near, key=lambda pair: pair[0])[1] if near else None


def _unbound_arrivals(
    connection: sqlite3.Connection, watch: Watch, poll: Poll, join: Join, times: Sequence[datetime]
) -> list[sqlite3.Row]:
    return connection.execute(
        "SELECT event_id, facts FROM arrivals WHERE connector = ? AND connection = ? AND list = ? AND item IS NULL "
        "AND coalesce(partition, ?) = ? AND at BETWEEN ? AND ?",
        (
            *watch.key,
            json.dumps(poll.partition),
            json.dumps(poll.partition),
            write_time(min(times) - join.within),
            write_time(max(times) + join.within),
        ),
    ).fetchall()


def _entry(connection: sqlite3.Connection, poll: Poll, item: str) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute(
        "SELECT o.*, p.partition FROM observed o JOIN polls p ON p.id = o.poll_id WHERE o.poll_id = ? AND o.item = ?",
        (poll.id, json.dumps(item)),
    ).fetchone()
    return row


def _bind(
    connection: sqlite3.Connection, watch: Watch, event_id: str, entry: sqlite3.Row, now: datetime
) -> frozenset[str]:
    """Note that a webhook is that entry; the flows that waited for it."""
    arrival = connection.execute("SELECT * FROM arrivals WHERE event_id = ?", (event_id,)).fetchone()
    _learn_alias(connection, watch, arrival, entry["partition"])
    connection.execute(
        "UPDATE arrivals SET item = ?, partition = ?, bound_at = ? WHERE event_id = ?",
        (entry["item"], entry["partition"], write_time(now), event_id),
    )
    connection.execute(
        "UPDATE observed SET facts = NULL WHERE poll_id = ? AND item = ?", (entry["poll_id"], entry["item"])
    )
    waiting = connection.execute("DELETE FROM waiting_starts WHERE event_id = ? RETURNING flow", (event_id,))
    flows = frozenset(row["flow"] for row in waiting.fetchall())
    reason = f"it is {json.loads(entry['item'])!r} of the list, which is told of by itself"
    for flow in flows:
        events.add_start(connection, event_id, now, Decision(flow, "", "", reason=reason))
    return flows


def _learn_alias(connection: sqlite3.Connection, watch: Watch, arrival: sqlite3.Row, partition: str) -> None:
    """Remember the name that webhooks have for a partition, unless the entry could be of another one too."""
    if arrival["partition"] is not None or arrival["named"] is None:
        return
    join, at = _join(watch), read_time(arrival["at"])
    rows = connection.execute(
        "SELECT o.facts, p.partition FROM observed o JOIN polls p ON p.id = o.poll_id "
        "WHERE p.connector = ? AND p.connection = ? AND p.list = ? AND p.partition <> ? "
        "AND o.facts IS NOT NULL AND o.at BETWEEN ? AND ?",
        (*watch.key, partition, write_time(at - join.within), write_time(at + join.within)),
    ).fetchall()
    facts = json.loads(arrival["facts"])
    if any(join.distance(facts, json.loads(row["facts"])) is not None for row in rows):
        return
    connection.execute(
        "INSERT INTO aliases VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET partition = excluded.partition",
        (watch.connector, watch.connection, arrival["named"], partition),
    )


def _text(value: str | None) -> str | None:
    return None if value is None else json.dumps(value)


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)
