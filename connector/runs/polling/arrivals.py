"""Webhooks that tell of an entry of a list without naming it, and which entry each of them is.

Binding is one to one and works in both orders. Of several that could be meant, one in the partition that the webhook
seems to name goes first, then the nearest in time. Each function works in its caller's transaction.
"""

import functools
import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connector.adapter import Delivery
from connector.database import Connection, Row
from connector.declare import Item
from connector.runs import awaited, events, records
from connector.runs.events import Decision
from connector.runs.polling import aliases, twins
from connector.runs.polling.matching import ENTRY, join_of, measure, read_facts, unbound_entries
from connector.runs.polling.reclaims import reclaim
from connector.runs.polling.watches import Poll, Watch
from connector.runs.records import read_time, write_time

BINDABLE = timedelta(days=7)
"""How long a webhook can be recognised as an entry."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A webhook that was recognised as an entry before it started `flows` by itself."""

    event_id: str
    flows: frozenset[str]


def is_recent(at: datetime, now: datetime) -> bool:
    """Whether a webhook may still be recognised as what happened at that time."""
    return at >= now - BINDABLE


def forget_facts(connection: Connection, poll_id: int, now: datetime) -> None:
    """Of entries that no webhook can be recognised as any more: they hold what a visitor wrote."""
    connection.execute(
        "UPDATE observed SET facts = NULL WHERE poll_id = ? AND facts IS NOT NULL AND at < ?",
        (poll_id, write_time(now - BINDABLE)),
    )


def arrive(connection: Connection, watch: Watch, event_id: str, delivery: Delivery) -> Sequence[records.Start]:
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
            told = find_told(connection, watch, entry, watcher.flow.name) if entry else None
            starts.append(events.add_start(connection, event_id, delivery.received_at, told or decision))
    return starts


def note(connection: Connection, watch: Watch, event_id: str, delivery: Delivery) -> tuple[Row | None, Delivery]:
    """Note a webhook, and its entry where that was seen before; the delivery then names what is known of it."""
    join = join_of(watch)
    facts = join.facts(delivery.event, delivery.received_at)
    named = join.partition(delivery.event)
    likely = aliases.find_partition(connection, watch, named)
    known = likely if likely == named else None
    at = delivery.event.occurred_at or delivery.received_at
    entry = _find_entry(connection, watch, known, likely, facts, at)
    if entry is None and known is not None:
        entry = reclaim(connection, watch, known, facts, at, delivery.received_at)
    values = (event_id, *watch.key, _text(named), _text(known), write_time(at), json.dumps(facts))
    connection.execute("INSERT INTO arrivals VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)", values)
    if entry is not None:
        _bind(connection, watch, event_id, entry, delivery.received_at)
        likely = json.loads(entry["partition"])
    item = json.loads(entry["item"]) if entry else None
    return entry, replace(delivery, event=join.place(delivery.event, likely, item))


def find_told(connection: Connection, watch: Watch, entry: Row, flow: str) -> Decision | None:
    """Why a webhook that is this entry starts nothing: the flow has decided on the entry before."""
    row = twins.find_decided(connection, watch, json.loads(entry["partition"]), json.loads(entry["item"]), flow)
    if row is None:
        return None
    what = f", which started {row['run_id']}" if row["run_id"] else ""
    return Decision(flow, reason=f"it is {json.loads(entry['item'])!r} of the list, seen before{what}")


def bind_new(
    connection: Connection, watch: Watch, poll: Poll, items: Sequence[Item], now: datetime
) -> dict[str, Bound]:
    """Recognise webhooks among entries that were not seen before; by the id of the entry."""
    if watch.list.join is None:
        return {}
    bound: dict[str, Bound] = {}
    taken: set[str] = set()
    groups = _near_each_other([item for item in items if item.facts], now)
    pairs = [pair for group in groups for pair in _find_pairs(connection, watch, poll, group, now)]
    for *_, event_id, item_id in sorted(pairs):
        if event_id not in taken and item_id not in bound:
            taken.add(event_id)
            _bind(connection, watch, event_id, _entry(connection, poll, item_id), now)
            bound[item_id] = Bound(event_id, _end_waits(connection, watch, poll, event_id, item_id, now))
    return bound


def find_bound(connection: Connection, watch: Watch, partition: str, item: str) -> str | None:
    """The webhook that was recognised as the entry."""
    row = connection.execute(
        "SELECT event_id FROM arrivals WHERE connector = ? AND connection = ? AND list = ? AND partition = ? "
        "AND item = ?",
        (*watch.key, json.dumps(partition), json.dumps(item)),
    ).fetchone()
    return row["event_id"] if row else None


def started_flows(connection: Connection, watch: Watch, partition: str, item: str) -> dict[str, Decision]:
    """The flows that the webhook of an entry has started already: what they make of the entry itself."""
    rows = connection.execute(
        "SELECT flow, run_id, event_id FROM arrivals JOIN starts USING (event_id) "
        "WHERE connector = ? AND connection = ? AND list = ? AND partition = ? AND item = ? AND run_id IS NOT NULL",
        (*watch.key, json.dumps(partition), json.dumps(item)),
    )
    return {
        row["flow"]: Decision(row["flow"], reason=f"its webhook {row['event_id']} has started {row['run_id']}")
        for row in rows
    }


def partitions_to_hurry(connection: Connection, watch: Watch) -> set[str | None]:
    """The partitions in which flows that are served wait for an entry; None where it may be any."""
    rows = connection.execute(
        "SELECT DISTINCT coalesce(a.partition, l.partition) AS partition FROM waiting_starts w "
        "JOIN arrivals a USING (event_id) LEFT JOIN aliases l ON l.connector = a.connector "
        "AND l.connection = a.connection AND l.named = a.named AND l.wrong < ? "
        "WHERE a.connector = ? AND a.connection = ? AND a.list = ? AND a.item IS NULL "
        "AND w.flow IN (SELECT value FROM json_each(?))",
        (aliases.WRONG, *watch.key, json.dumps(watch.flows)),
    )
    return {json.loads(row["partition"]) if row["partition"] else None for row in rows}


def _find_entry(
    connection: Connection,
    watch: Watch,
    known: str | None,
    likely: str | None,
    facts: Mapping[str, Any],
    at: datetime,
) -> Row | None:
    """The unbound entry that a webhook tells of; in the partition `known`, or in any, then rather in the `likely`."""
    near = []
    for row in unbound_entries(connection, watch, at):
        partition = json.loads(row["partition"])
        apart = measure(watch, facts, read_facts(row["facts"])) if known in (None, partition) else None
        if apart is not None:
            near.append((likely not in (None, partition), apart, row))
    return min(near, key=lambda one: one[:2])[2] if near else None


def _near_each_other(items: Sequence[Item], now: datetime) -> list[Sequence[Item]]:
    """Those of the last days together; each older one by itself, since years may lie between them."""
    recent = [item for item in items if is_recent(item.occurred_at or now, now)]
    return [*([recent] if recent else []), *([item] for item in items if item not in recent)]


def _find_pairs(
    connection: Connection, watch: Watch, poll: Poll, items: Sequence[Item], now: datetime
) -> list[tuple[int, float, str, str]]:
    """Which webhook may be which entry: (doubt, seconds between them, event, entry)."""
    within, read = join_of(watch).within, functools.cache(read_facts)
    times = {item.id: item.occurred_at or now for item in items}
    rows = _unbound_arrivals(connection, watch, poll, min(times.values()) - within, max(times.values()) + within)
    order = [row["at"] for row in rows]
    pairs = []
    for item in items:
        first = bisect_left(order, write_time(times[item.id] - within))
        last = bisect_right(order, write_time(times[item.id] + within))
        for row in rows[first:last]:
            apart = measure(watch, read(row["facts"]), item.facts)
            if apart is not None:
                pairs.append((_doubt(connection, watch, poll, row), apart, row["event_id"], item.id))
    return pairs


def _unbound_arrivals(connection: Connection, watch: Watch, poll: Poll, first: datetime, last: datetime) -> list[Row]:
    """Those that may tell of an entry of the partition, in the order of their times."""
    partition = json.dumps(poll.partition)
    return connection.execute(
        "SELECT event_id, named, partition, at, facts FROM arrivals WHERE connector = ? AND connection = ? "
        "AND list = ? AND item IS NULL AND coalesce(partition, ?) = ? AND at BETWEEN ? AND ? ORDER BY at",
        (*watch.key, partition, partition, write_time(first), write_time(last)),
    ).fetchall()


def _doubt(connection: Connection, watch: Watch, poll: Poll, row: Row) -> int:
    """0: the webhook names the partition. 1: nobody knows which one it names. 2: it seems to name another one."""
    if row["partition"] is not None:
        return 0
    likely = aliases.find_partition(connection, watch, _value(row["named"]))
    return 1 if likely is None else 2 * (likely != poll.partition)


def _entry(connection: Connection, poll: Poll, item: str) -> Row:
    row: Row = connection.execute(f"{ENTRY} WHERE o.poll_id = ? AND o.item = ?", (poll.id, json.dumps(item))).fetchone()
    return row


def _bind(connection: Connection, watch: Watch, event_id: str, entry: Row, now: datetime) -> None:
    """Note that a webhook is that entry."""
    arrival = connection.execute("SELECT * FROM arrivals WHERE event_id = ?", (event_id,)).fetchone()
    _learn_alias(connection, watch, arrival, entry)
    connection.execute(
        "UPDATE arrivals SET item = ?, partition = ?, bound_at = ? WHERE event_id = ?",
        (entry["item"], entry["partition"], write_time(now), event_id),
    )
    if entry["event_id"] is not None:
        awaited.withdraw(connection, event_id, entry["event_id"])
    connection.execute(
        "UPDATE observed SET facts = NULL WHERE poll_id = ? AND item = ?", (entry["poll_id"], entry["item"])
    )


def _end_waits(
    connection: Connection, watch: Watch, poll: Poll, event_id: str, item: str, now: datetime
) -> frozenset[str]:
    """The flows that wait no more, since the entry is told to them. Whom it is not told to goes on waiting."""
    told = [one.flow.name for one in watch.watchers if one.partition in (None, poll.partition)]
    waiting = connection.execute(
        "DELETE FROM waiting_starts WHERE event_id = ? AND flow IN (SELECT value FROM json_each(?)) RETURNING flow",
        (event_id, json.dumps(told)),
    )
    flows = frozenset(row["flow"] for row in waiting.fetchall())
    for flow in flows:
        reason = f"it is the same as {item!r} of the list, whose own event decides"
        events.add_start(connection, event_id, now, Decision(flow, reason=reason))
    return flows


def _learn_alias(connection: Connection, watch: Watch, arrival: Row, entry: Row) -> None:
    """Remember the name that the webhook has for the partition, unless it could be an entry of another one too."""
    if arrival["partition"] is not None or arrival["named"] is None:
        return
    facts = read_facts(arrival["facts"])
    others = (
        row
        for row in unbound_entries(connection, watch, read_time(arrival["at"]))
        if row["partition"] != entry["partition"]
    )
    if all(measure(watch, facts, read_facts(row["facts"])) is None for row in others):
        aliases.learn(connection, watch, json.loads(arrival["named"]), json.loads(entry["partition"]))


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _text(value: str | None) -> str | None:
    return None if value is None else json.dumps(value)
