"""Which flows watch which list, since when, and what of it is new to them.

Neither clock decides whether a flow has seen the whole of a list: ours may be set. Walks and pages are numbered.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.database import Connection, Row
from connector.declare import Event
from connector.runs.polling.watches import Poll, Watch, Watcher
from connector.runs.records import read_time, write_time

START_TOLERANCE = timedelta(seconds=60)
"""What is a little older than the start counts as new: the clocks differ."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A flow that watches a partition. `begins_at` is by the clock of the other side."""

    watcher: Watcher
    begins_at: datetime | None
    """None: from the beginning."""
    walk: int | None
    """The first full walk that began while the flow watched; None where none has."""
    caught_up: bool
    """Whether that one or a later one was clean."""

    def is_behind(self, seen_in: int | None) -> bool:
        """Whether an entry may be new to the flow that was seen in that walk last; None where it never was."""
        return seen_in is None or not self.caught_up or self.walk is None or seen_in < self.walk

    def admits(self, event: Event, seen_in: int | None, told_at: datetime) -> bool:
        """Whether such an entry is told; `told_at` is by the clock of the other side."""
        if self.begins_at is None or (seen_in is None and self.caught_up and self.begins_at <= told_at):
            return True
        return event.occurred_at is not None and event.occurred_at >= self.begins_at - START_TOLERANCE


def subscribe(connection: Connection, watch: Watch, now: datetime) -> None:
    """Let the flows of `watch` begin to watch, or go on where nothing of it was edited."""
    page = _last_page(connection, watch)
    for watcher in watch.watchers:
        watched = json.dumps([watcher.flow.started_by.uses, *watch.key, watcher.start, watcher.partition])
        row = connection.execute("SELECT * FROM subscriptions WHERE flow = ?", (watcher.flow.name,)).fetchone()
        if row is None or row["watched"] != watched:
            unsubscribe(connection, watcher.flow.name)
            values = (watcher.flow.name, *watch.key, watched, write_time(now), page)
            connection.execute("INSERT INTO subscriptions VALUES (?, ?, ?, ?, ?, ?, NULL, ?, NULL)", values)
        elif page > row["page"]:
            _begin_again(connection, row)


def unsubscribe(connection: Connection, flow: str) -> None:
    """Forget that the flow watches a list; it is off, or watches something else from now on."""
    connection.execute("DELETE FROM caught_up WHERE flow = ?", (flow,))
    connection.execute("DELETE FROM subscriptions WHERE flow = ?", (flow,))


def _last_page(connection: Connection, watch: Watch) -> int:
    """The number of the last page that was taken of any partition of the list."""
    row = connection.execute(
        "SELECT coalesce(max(page), 0) AS page FROM polls WHERE connector = ? AND connection = ? AND list = ?",
        watch.key,
    ).fetchone()
    return int(row["page"])


def _begin_again(connection: Connection, row: Row) -> None:
    """The list was polled for others while the flow was not served."""
    connection.execute("DELETE FROM caught_up WHERE flow = ?", (row["flow"],))
    if row["begins_at"] is not None and row["live_at"] is not None:
        begins_at = max(row["begins_at"], row["live_at"])
        connection.execute("UPDATE subscriptions SET begins_at = ? WHERE flow = ?", (begins_at, row["flow"]))


def note_walk(connection: Connection, watch: Watch, poll: Poll, number: int) -> None:
    """Note the number of the full walk; where it has just begun, who watches now has seen everything at its end."""
    began = connection.execute("UPDATE polls SET walk = ? WHERE id = ? AND walk <> ?", (number, poll.id, number))
    if began.rowcount:
        connection.execute(
            "INSERT INTO caught_up SELECT flow, ?, ? FROM subscriptions "
            "WHERE connector = ? AND connection = ? AND list = ? ON CONFLICT DO NOTHING",
            (poll.id, number, *watch.key),
        )


def note_page(connection: Connection, watch: Watch, poll: Poll, told_at: datetime, now: datetime) -> None:
    """Number a page; at the first one, see when a subscription begins by the clock of the other side."""
    page = _last_page(connection, watch) + 1
    connection.execute("UPDATE polls SET page = ? WHERE id = ?", (page, poll.id))
    for watcher in watch.watchers:
        row = connection.execute("SELECT * FROM subscriptions WHERE flow = ?", (watcher.flow.name,)).fetchone()
        begins_at = row["begins_at"]
        if begins_at is None and watcher.start == "now":
            begins_at = write_time(min(told_at, read_time(row["started_at"]) + (told_at - now)))  # ours may be set back
        elif begins_at is None and watcher.start != "all":
            begins_at = write_time(datetime.fromisoformat(watcher.start))
        connection.execute(
            "UPDATE subscriptions SET begins_at = ?, page = ?, live_at = ? WHERE flow = ?",
            (begins_at, page, write_time(told_at), watcher.flow.name),
        )


def of_poll(connection: Connection, watch: Watch, poll: Poll) -> dict[str, Subscription]:
    """By flow; those that watch this partition."""
    found = {}
    for watcher in watch.watchers:
        if watcher.partition in (None, poll.partition):
            row = connection.execute(
                "SELECT s.begins_at, c.walk, c.walk <= p.swept_walk AS caught_up FROM subscriptions s "
                "JOIN polls p ON p.id = ? LEFT JOIN caught_up c ON c.flow = s.flow AND c.poll_id = p.id "
                "WHERE s.flow = ?",
                (poll.id, watcher.flow.name),
            ).fetchone()
            begins_at = read_time(row["begins_at"]) if row["begins_at"] else None
            found[watcher.flow.name] = Subscription(watcher, begins_at, row["walk"], bool(row["caught_up"]))
    return found
