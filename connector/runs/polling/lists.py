"""What is kept of the lists that are polled: where their walks stand, what was seen in them.

Each function works in its caller's transaction. A page, the events that it brings, the runs that these start, and the
place of the walk behind it are kept together or not at all.
"""

import itertools
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.adapter import Delivery
from connector.database import Connection
from connector.declare import Event, Item, ListStep
from connector.runs import events
from connector.runs.polling import arrivals, poll_notes, subscriptions
from connector.runs.polling.subscriptions import Subscription
from connector.runs.polling.watches import Poll, Watch
from connector.runs.records import write_time

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


def open_poll(connection: Connection, watch: Watch, partition: str) -> Poll:
    """The poll of a partition, new or as it was left."""
    connection.execute(
        "INSERT INTO polls (connector, connection, list, partition) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (connector, connection, list, partition) DO UPDATE SET retired_at = NULL, unwatched_at = NULL",
        (*watch.key, json.dumps(partition)),
    )
    row = connection.execute(
        "SELECT id FROM polls WHERE connector = ? AND connection = ? AND list = ? AND partition = ?",
        (*watch.key, json.dumps(partition)),
    ).fetchone()
    return Poll(row["id"], partition)


def open_polls(connection: Connection, watch: Watch) -> list[Poll]:
    """The polls of the list as they were left, without those that were retired."""
    rows = connection.execute(
        "SELECT id, partition FROM polls WHERE connector = ? AND connection = ? AND list = ? AND retired_at IS NULL",
        watch.key,
    )
    return [Poll(row["id"], json.loads(row["partition"])) for row in rows]


def retire(connection: Connection, poll: Poll, now: datetime) -> None:
    """The partition is gone. What was seen of it stays known, should it come back."""
    connection.execute(
        "UPDATE polls SET retired_at = ?, failing_since = NULL, error = NULL WHERE id = ?", (write_time(now), poll.id)
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """How an entry was seen last."""

    version: int
    walk: int


def begin_round(
    connection: Connection,
    watch: Watch,
    poll: Poll,
    now: datetime,
    due_at: datetime | None = None,
    stretch: float = 1.0,
) -> ListStep:
    """Begin a round, or let the head of the list be looked at again in the middle of one.

    The next one is due at `due_at`, after a pause that is `stretch` times as long as wanted.
    """
    row = connection.execute("SELECT state FROM polls WHERE id = ?", (poll.id,)).fetchone()
    wanted = any(not one.caught_up for one in subscriptions.of_poll(connection, watch, poll).values())
    state = json.loads(row["state"]) if row["state"] else None
    step = watch.list.begin(poll.partition, state, now, wanted)
    _keep_step(connection, watch, poll, step)
    poll_notes.note_round(connection, poll, due_at or now, stretch)
    return step


def fail(connection: Connection, poll: Poll, error: str, now: datetime) -> None:
    """Note that a request failed, and since when they do."""
    connection.execute(
        "UPDATE polls SET failing_since = coalesce(failing_since, ?), error = ? WHERE id = ?",
        (write_time(now), json.dumps(error), poll.id),
    )


def take_page(connection: Connection, watch: Watch, poll: Poll, output: Mapping[str, Any], now: datetime) -> Taken:
    """Read the page that the walk has asked for, start what it brings, and keep where the walk stands."""
    row = connection.execute("SELECT state FROM polls WHERE id = ?", (poll.id,)).fetchone()
    items = {item.id: item for item in watch.list.read(output, now)}
    known = _known(connection, poll, items)
    step = watch.list.take(poll.partition, json.loads(row["state"]), output, known.keys(), now)
    answered_at = watch.list.told_at(output)
    told_at = answered_at or now
    if items or answered_at:  # a count tells no time
        subscriptions.note_page(connection, watch, poll, told_at, now)
    watching = subscriptions.of_poll(connection, watch, poll)
    started = _Page(connection, watch, poll, step.number, told_at, now, watching).take(items, known)
    _keep_step(connection, watch, poll, step)
    connection.execute(
        "UPDATE polls SET polled_at = ?, failing_since = NULL, error = NULL WHERE id = ?", (write_time(now), poll.id)
    )
    if step.swept is not None:
        _end_walk(connection, poll, step, now)
    return Taken(step, len(items) - len(known), started)


def _keep_step(connection: Connection, watch: Watch, poll: Poll, step: ListStep) -> None:
    swept_at = write_time(step.swept_at) if step.swept_at else None
    connection.execute(
        "UPDATE polls SET state = ?, swept_at = ?, alert = ? WHERE id = ?",
        (json.dumps(step.state), swept_at, step.alert, poll.id),
    )
    subscriptions.note_walk(connection, watch, poll, step.number)


def _known(connection: Connection, poll: Poll, items: Iterable[str]) -> dict[str, _Seen]:
    """Those of the items that were seen before."""
    rows = connection.execute(
        "SELECT item, version, walk FROM observed WHERE poll_id = ? AND item IN (SELECT value FROM json_each(?))",
        (poll.id, json.dumps([json.dumps(item) for item in items])),
    )
    return {json.loads(row["item"]): _Seen(row["version"], row["walk"]) for row in rows}


def _end_walk(connection: Connection, poll: Poll, step: ListStep, now: datetime) -> None:
    """The list was seen whole."""
    row = connection.execute("SELECT clean_walks FROM polls WHERE id = ?", (poll.id,)).fetchone()
    clean = [*json.loads(row["clean_walks"]), step.number][-FORGOTTEN_AFTER:]
    connection.execute(
        "UPDATE polls SET swept_walk = ?, clean_walks = ? WHERE id = ?", (step.number, json.dumps(clean), poll.id)
    )
    if len(clean) == FORGOTTEN_AFTER:
        connection.execute(
            "DELETE FROM observed WHERE poll_id = ? AND walk < ? AND seen_at < ?",
            (poll.id, clean[0], write_time(now - FORGOTTEN_AGE)),
        )
    arrivals.forget_facts(connection, poll.id, now)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page while it is taken in."""

    connection: Connection
    watch: Watch
    poll: Poll
    walk: int
    told_at: datetime
    """By the clock of the other side, as far as that is known."""
    now: datetime
    watching: Mapping[str, Subscription]

    def take(self, items: Mapping[str, Item], known: Mapping[str, _Seen]) -> bool:
        """Note what was seen, and tell what is new; whether runs were created."""
        for item in items.values():
            self._observe(item, known.get(item.id))
        new = [item for item in items.values() if item.id not in known]
        bound = arrivals.bind_new(self.connection, self.watch, self.poll, new, self.now)
        started = [self._tell(item, known.get(item.id), bound.get(item.id)) for item in items.values()]
        return any(started)

    def _observe(self, item: Item, before: _Seen | None) -> None:
        seen = {
            "poll": self.poll.id,
            "item": json.dumps(item.id),
            "version": max(item.version, before.version if before else 0),
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

    def _tell(self, item: Item, before: _Seen | None, arrival: arrivals.Bound | None) -> bool:
        """Tell the flows of an entry that is new to them, or has changed."""
        tell = self.watch.list.tell
        told: list[tuple[Event, Collection[Subscription]]] = []
        if before is not None:
            changes = tell(self.poll.partition, item, before.version)
            told += [(event, self.watching.values()) for event in changes]
        seen_in = before.walk if before else None
        behind = [one for one in self.watching.values() if one.is_behind(seen_in)]
        forced = arrival.flows if arrival else frozenset[str]()
        for event in tell(self.poll.partition, item, None) if behind else ():
            admits = [one.watcher.flow.name in forced or one.admits(event, seen_in, self.told_at) for one in behind]
            told.append((event, [*itertools.compress(behind, admits)]))
        started = [self._start(item, event, flows) for event, flows in told]
        return any(started)

    def _start(self, item: Item, event: Event, watching: Iterable[Subscription]) -> bool:
        delivery = Delivery(self.watch.connector, self.watch.connection, event, json.dumps(event.payload), self.now)
        decisions = [self.watch.decide(one.watcher.flow, delivery) for one in watching]
        wanted = [decision for decision in decisions if decision is not None]
        if not wanted:
            return False
        webhook = arrivals.find_bound(self.connection, self.watch, self.poll.partition, item.id)
        event_id, _ = events.keep_event(self.connection, events.NewEvent.of(delivery), same_as=webhook)
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
