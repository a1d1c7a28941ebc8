"""What is kept of the lists that are polled: who watches them, where their walks stand, what was seen in them.

Each function works in its caller's transaction. A page, the events that it brings, the runs that these start, and the
place of the walk behind it are kept together or not at all.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.adapter import Delivery
from connector.declare import Event, Item, ListStep
from connector.runs import arrivals, events
from connector.runs.records import read_time, write_time
from connector.runs.watches import Poll, Watch, Watcher

START_TOLERANCE = timedelta(seconds=60)
"""What is a little older than the start of a subscription counts as new: the clocks differ."""
FORGOTTEN_AFTER = 3
"""Clean full walks without an entry until it is forgotten."""
FORGOTTEN_AGE = timedelta(days=7)
"""An entry is not forgotten sooner than that: a list may come back."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a page brought."""

    step: ListStep
    new: int
    """Entries that were not seen before."""
    started: bool
    """Whether runs were created."""


@dataclass(frozen=True, slots=True)
class _Subscription:
    watcher: Watcher
    begins_at: datetime | None
    """None: from the beginning."""
    caught_up: bool

    def admits(self, event: Event, now: datetime) -> bool:
        """Whether an entry is told that is seen for the first time."""
        if self.begins_at is None or (self.caught_up and self.begins_at <= now):
            return True
        return event.occurred_at is not None and event.occurred_at >= self.begins_at - START_TOLERANCE


def subscribe(connection: sqlite3.Connection, watch: Watch, now: datetime) -> None:
    """Let the flows of `watch` begin to watch, or go on where nothing of it was edited."""
    for watcher in watch.watchers:
        watched = json.dumps([watcher.flow.trigger.uses, *watch.key, watcher.start, watcher.partition])
        row = connection.execute("SELECT * FROM subscriptions WHERE flow = ?", (watcher.flow.name,)).fetchone()
        if row is None or row["watched"] != watched:
            unsubscribe(connection, watcher.flow.name)
            values = (watcher.flow.name, *watch.key, watched, write_time(now), write_time(now))
            connection.execute("INSERT INTO subscriptions VALUES (?, ?, ?, ?, ?, ?, NULL, ?)", values)
            if watcher.start == "now":
                _catch_up(connection, watch, watcher.flow.name)
        elif _has_missed(connection, watch, row):
            _begin_again(connection, row)


def unsubscribe(connection: sqlite3.Connection, flow: str) -> None:
    """Forget that the flow watches a list; it is off, or watches something else from now on."""
    connection.execute("DELETE FROM caught_up WHERE flow = ?", (flow,))
    connection.execute("DELETE FROM subscriptions WHERE flow = ?", (flow,))


def _catch_up(connection: sqlite3.Connection, watch: Watch, flow: str) -> None:
    """A list that was swept holds nothing unseen, so whatever is seen in it from now on is new."""
    connection.execute(
        "INSERT INTO caught_up SELECT ?, id FROM polls "
        "WHERE connector = ? AND connection = ? AND list = ? AND swept_at IS NOT NULL",
        (flow, *watch.key),
    )


def _has_missed(connection: sqlite3.Connection, watch: Watch, row: sqlite3.Row) -> bool:
    """Whether the list was polled for others while the flow was not served."""
    polled = connection.execute(
        "SELECT max(polled_at) AS at FROM polls WHERE connector = ? AND connection = ? AND list = ?", watch.key
    ).fetchone()["at"]
    return polled is not None and polled > row["live_at"]


def _begin_again(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
    connection.execute("DELETE FROM caught_up WHERE flow = ?", (row["flow"],))
    if row["begins_at"] is not None:
        begins_at = max(row["begins_at"], row["live_at"])
        connection.execute("UPDATE subscriptions SET begins_at = ? WHERE flow = ?", (begins_at, row["flow"]))


def open_poll(connection: sqlite3.Connection, watch: Watch, partition: str) -> Poll:
    """The poll of a partition, new or as it was left."""
    connection.execute(
        "INSERT INTO polls (connector, connection, list, partition) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET retired_at = NULL",
        (*watch.key, json.dumps(partition)),
    )
    row = connection.execute(
        "SELECT id FROM polls WHERE connector = ? AND connection = ? AND list = ? AND partition = ?",
        (*watch.key, json.dumps(partition)),
    ).fetchone()
    return Poll(row["id"], partition)


def open_polls(connection: sqlite3.Connection, watch: Watch) -> list[Poll]:
    """The polls of the list as they were left, without those that were retired."""
    rows = connection.execute(
        "SELECT id, partition FROM polls WHERE connector = ? AND connection = ? AND list = ? AND retired_at IS NULL",
        watch.key,
    )
    return [Poll(row["id"], json.loads(row["partition"])) for row in rows]


def retire(connection: sqlite3.Connection, poll: Poll, now: datetime) -> None:
    """The partition is gone. What was seen of it stays known, should it come back."""
    connection.execute(
        "UPDATE polls SET retired_at = ?, failing_since = NULL, error = NULL WHERE id = ?", (write_time(now), poll.id)
    )


def begin_round(connection: sqlite3.Connection, watch: Watch, poll: Poll, now: datetime) -> ListStep:
    """Begin a round, or let the head of the list be looked at again in the middle of one."""
    row = connection.execute("SELECT state FROM polls WHERE id = ?", (poll.id,)).fetchone()
    wanted = any(
        not one.caught_up and one.begins_at is None for one in _subscriptions(connection, watch, poll).values()
    )
    state = json.loads(row["state"]) if row["state"] else None
    step = watch.list.begin(poll.partition, state, now, wanted)
    _keep_step(connection, poll, step)
    return step


def fail(connection: sqlite3.Connection, poll: Poll, error: str, now: datetime) -> None:
    """Note that a request failed, and since when they do."""
    connection.execute(
        "UPDATE polls SET failing_since = coalesce(failing_since, ?), error = ? WHERE id = ?",
        (write_time(now), json.dumps(error), poll.id),
    )


def take_page(
    connection: sqlite3.Connection, watch: Watch, poll: Poll, output: Mapping[str, Any], now: datetime
) -> Taken:
    """Read the page that the walk has asked for, start what it brings, and keep where the walk stands."""
    row = connection.execute("SELECT state FROM polls WHERE id = ?", (poll.id,)).fetchone()
    items = {item.id: item for item in watch.list.read(output, now)}
    known = _known(connection, poll, items)
    step = watch.list.take(poll.partition, json.loads(row["state"]), output, known.keys(), now)
    _begin_subscriptions(connection, watch, watch.list.told_at(output), now)
    page = _Page(connection, watch, poll, step.number, now, _subscriptions(connection, watch, poll))
    started = page.take(items, known)
    _keep_step(connection, poll, step)
    connection.execute(
        "UPDATE polls SET polled_at = ?, failing_since = NULL, error = NULL WHERE id = ?", (write_time(now), poll.id)
    )
    if step.swept is not None:
        _end_walk(connection, watch, poll, step, now)
    return Taken(step, len(items) - len(known), started)


def _keep_step(connection: sqlite3.Connection, poll: Poll, step: ListStep) -> None:
    swept_at = write_time(step.swept_at) if step.swept_at else None
    connection.execute(
        "UPDATE polls SET state = ?, swept_at = ?, alert = ? WHERE id = ?",
        (json.dumps(step.state), swept_at, step.alert, poll.id),
    )


def _known(connection: sqlite3.Connection, poll: Poll, items: Iterable[str]) -> dict[str, int]:
    """Those of the items that were seen before, with their versions."""
    rows = connection.execute(
        "SELECT item, version FROM observed WHERE poll_id = ? AND item IN (SELECT value FROM json_each(?))",
        (poll.id, json.dumps([json.dumps(item) for item in items])),
    )
    return {json.loads(row["item"]): row["version"] for row in rows}


def _begin_subscriptions(connection: sqlite3.Connection, watch: Watch, told_at: datetime | None, now: datetime) -> None:
    """At the first page, see when a subscription begins by the clock of the other side; note that it is alive."""
    apart = told_at - now if told_at is not None else timedelta()
    for watcher in watch.watchers:
        row = connection.execute("SELECT * FROM subscriptions WHERE flow = ?", (watcher.flow.name,)).fetchone()
        begins_at = row["begins_at"]
        if begins_at is None and watcher.start == "now":
            begins_at = write_time(read_time(row["started_at"]) + apart)
        elif begins_at is None and watcher.start != "all":
            begins_at = write_time(datetime.fromisoformat(watcher.start))
        connection.execute(
            "UPDATE subscriptions SET begins_at = ?, live_at = ? WHERE flow = ?",
            (begins_at, write_time(now), watcher.flow.name),
        )


def _subscriptions(connection: sqlite3.Connection, watch: Watch, poll: Poll) -> dict[str, _Subscription]:
    """By flow; those that watch this partition."""
    found = {}
    for watcher in watch.watchers:
        if watcher.partition in (None, poll.partition):
            row = connection.execute(
                "SELECT begins_at, EXISTS (SELECT 1 FROM caught_up WHERE flow = :flow AND poll_id = :poll) "
                "AS caught_up FROM subscriptions WHERE flow = :flow",
                {"flow": watcher.flow.name, "poll": poll.id},
            ).fetchone()
            begins_at = read_time(row["begins_at"]) if row["begins_at"] else None
            found[watcher.flow.name] = _Subscription(watcher, begins_at, bool(row["caught_up"]))
    return found


def _end_walk(connection: sqlite3.Connection, watch: Watch, poll: Poll, step: ListStep, now: datetime) -> None:
    """The list was seen whole: who watched from the beginning of the walk on has caught up."""
    assert step.swept is not None  # noqa: S101 - the caller has looked
    for watcher in watch.watchers:
        connection.execute(
            "INSERT INTO caught_up SELECT flow, ? FROM subscriptions WHERE flow = ? AND started_at <= ? "
            "ON CONFLICT DO NOTHING",
            (poll.id, watcher.flow.name, write_time(step.swept)),
        )
    connection.execute(
        "DELETE FROM observed WHERE poll_id = ? AND walk <= ? AND seen_at < ?",
        (poll.id, step.number - FORGOTTEN_AFTER, write_time(now - FORGOTTEN_AGE)),
    )
    arrivals.forget_facts(connection, poll.id, now)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page while it is taken in."""

    connection: sqlite3.Connection
    watch: Watch
    poll: Poll
    walk: int
    now: datetime
    subscriptions: Mapping[str, _Subscription]

    def take(self, items: Mapping[str, Item], known: Mapping[str, int]) -> bool:
        """Note what was seen, and tell what is new; whether runs were created."""
        for item in items.values():
            self._observe(item, known.get(item.id))
        new = [item for item in items.values() if item.id not in known]
        bound = arrivals.bind_new(self.connection, self.watch, self.poll, new, self.now)
        started = [self._tell(item, known.get(item.id), bound.get(item.id)) for item in items.values()]
        return any(started)

    def _observe(self, item: Item, before: int | None) -> None:
        seen = {
            "poll": self.poll.id,
            "item": json.dumps(item.id),
            "version": max(item.version, before or 0),
            "walk": self.walk,
            "now": write_time(self.now),
        }
        if before is not None:
            update = "UPDATE observed SET version = :version, walk = :walk, seen_at = :now "
            # Not at each look: a list that nothing happens in should cost no writes.
            self.connection.execute(
                update + "WHERE poll_id = :poll AND item = :item AND (version < :version OR walk < :walk)", seen
            )
            return
        at = item.occurred_at or self.now
        facts = json.dumps(item.facts) if item.facts and arrivals.is_recent(at, self.now) else None
        self.connection.execute(
            "INSERT INTO observed VALUES (:poll, :item, :version, :walk, :now, :at, :facts, NULL)",
            {**seen, "at": write_time(at), "facts": facts},
        )

    def _tell(self, item: Item, before: int | None, arrival: arrivals.Bound | None) -> bool:
        """Tell the flows of an entry that is new to them, or has changed."""
        tell = self.watch.list.tell
        told: list[tuple[Event, Collection[_Subscription]]] = []
        if before is not None:
            changes = tell(self.poll.partition, item, before)
            told += [(event, self.subscriptions.values()) for event in changes]
        behind = [one for one in self.subscriptions.values() if before is None or not one.caught_up]
        forced = arrival.flows if arrival else frozenset[str]()
        for event in tell(self.poll.partition, item, None) if behind else ():
            admitted = [one for one in behind if one.watcher.flow.name in forced or one.admits(event, self.now)]
            told.append((event, admitted))
        started = [self._start(item, event, flows) for event, flows in told]
        return any(started)

    def _start(self, item: Item, event: Event, subscriptions: Iterable[_Subscription]) -> bool:
        delivery = Delivery(self.watch.connector, self.watch.connection, event, json.dumps(event.payload), self.now)
        decisions = [self.watch.decide(one.watcher.flow, delivery) for one in subscriptions]
        wanted = [decision for decision in decisions if decision is not None]
        if not wanted:
            return False
        event_id, _ = events.keep_event(self.connection, events.NewEvent.of(delivery))
        self.connection.execute(
            "UPDATE observed SET event_id = coalesce(event_id, ?) WHERE poll_id = ? AND item = ?",
            (event_id, self.poll.id, json.dumps(item.id)),
        )
        done = arrivals.started_flows(self.connection, self.watch, self.poll.partition, item.id)
        starts = [
            events.add_start(self.connection, event_id, self.now, done.get(decision.flow, decision))
            for decision in wanted
        ]
        return any(start.run_id for start in starts)
