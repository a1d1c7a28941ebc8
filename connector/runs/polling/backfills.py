"""Runs a flow over what stands in a list already, once for each entry.

An entry has the same event as when a poll tells of it, so that a flow that one of both has started is not started by
the other. What a poll has seen of the list stays as it is: an entry that is new to a poll is new to other flows.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from connector.adapter import Delivery
from connector.database import Connection
from connector.errors import StoreError
from connector.flows.expressions.functions import from_time
from connector.flows.flow import Flow
from connector.runs import events, records
from connector.runs.events import Decision, NewEvent
from connector.runs.journal import Journal
from connector.runs.polling import twins
from connector.runs.polling.listings import Entry, Listing
from connector.runs.polling.watches import Watch
from connector.runs.records import as_key
from connector.runs.store import Store

AHEAD = 100
"""Runs that are not finished, at most."""
MOST_SORTED = 5_000
"""Entries that are read before the first run; the runs of a list with no more begin with the oldest."""
LOOK_EVERY = 0.1
STALLED_AFTER = 10.0
"""Seconds without a change after which somebody should see whether the runs are executed at all."""
NOT_WANTED = "the trigger does not want it"
_LAST = datetime.max.replace(tzinfo=UTC)

Query = Callable[[Callable[[Connection], "Verdict"]], "Verdict"]
"""Asks the database, which another process may be writing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an entry: a run, new or from before, or the reason why none."""

    run_id: str | None = None
    reason: str | None = None
    new: bool = False


def judge(connection: Connection, watch: Watch, entry: Entry, delivery: Delivery, decision: Decision) -> Verdict | None:
    """Why the entry starts nothing more; None where it may."""
    flow = decision.flow
    decided = twins.find_decided(connection, watch, entry.partition, entry.item.id, flow)
    if decided and not decided["held"]:
        return Verdict(decided["run_id"], json.loads(decided["reason"] or "null"))
    twin = twins.find_webhook(connection, watch, entry.partition, entry.item, delivery.received_at, flow)
    if twin is None:
        return None
    what = f"has started {twin.run_id}" if twin.run_id else "waits for it and then starts the flow"
    return Verdict(None, f"its webhook {twin.event_id} {what}")


def _preview(connection: Connection, watch: Watch, entry: Entry, delivery: Delivery, decision: Decision) -> Verdict:
    if (verdict := judge(connection, watch, entry, delivery, decision)) is not None:
        return verdict
    reason = decision.reason or events.find_duplicate(connection, decision)
    return Verdict(reason=reason, new=reason is None)


def start(connection: Connection, watch: Watch, entry: Entry, delivery: Delivery, decision: Decision) -> Verdict:
    """Queue the run of an entry, or say why there is none."""
    if (verdict := judge(connection, watch, entry, delivery, decision)) is not None:
        return verdict
    event_id, _ = events.keep_event(connection, NewEvent.of(delivery), is_news=False)
    made = events.add_start(connection, event_id, delivery.received_at, decision)
    return Verdict(made.run_id, made.reason, new=made.run_id is not None)


@dataclass(slots=True)
class Selection:
    """The entries of a list that a flow is to run over."""

    watch: Watch
    flow: Flow
    listing: Listing
    since: datetime | None = None
    with_once: bool = False
    reasons: Counter[str] = field(default_factory=Counter)
    """Why entries start nothing."""
    in_list_order: bool = False
    """Whether the list was too long to begin with its oldest entry."""

    async def entries(self) -> AsyncIterator[Entry]:
        """The oldest first, or in the order of a list that is too long for that."""
        read = self._wanted()
        first = [entry async for entry in _take(read, MOST_SORTED)]
        if len(first) < MOST_SORTED:
            first.sort(key=lambda entry: entry.item.occurred_at or _LAST)
        self.in_list_order = len(first) == MOST_SORTED
        for entry in first:
            yield entry
        async for entry in read:
            yield entry

    def decide(self, entry: Entry) -> tuple[Delivery, Decision] | None:
        """What the flow makes of an entry; None where its trigger does not want it."""
        now = self.listing.clock()
        for event in self.watch.list.tell(entry.partition, entry.item, None):
            delivery = Delivery(self.watch.connector, self.watch.connection, event, json.dumps(event.payload), now)
            if (decision := self.watch.decide(self.flow, delivery)) is not None:
                return delivery, replace(decision, backfill=True, without_once=not self.with_once)
        return None

    async def preview(self, query: Query) -> AsyncIterator[tuple[Entry, Verdict]]:
        """What would become of the entries; a verdict that is `new` has no run yet. Writes nothing."""
        keys: set[str] = set()
        async for entry in self.entries():
            decided = self.decide(entry)
            if decided is None:
                yield entry, Verdict(reason=NOT_WANTED)
                continue
            delivery, decision = decided
            verdict = query(partial(_preview, watch=self.watch, entry=entry, delivery=delivery, decision=decision))
            key = as_key(decision.dedupe_key)
            if verdict.new and decision.dedupe_since and key in keys:
                verdict = Verdict(reason=f"one before it has the same dedupe key {key}")
            keys |= {key} if verdict.new else set()
            yield entry, verdict

    async def _wanted(self) -> AsyncIterator[Entry]:
        async for entry in self.listing.entries():
            moment = entry.item.occurred_at
            if self.since is not None and (moment is None or moment < self.since):
                self.reasons["it has no time" if moment is None else f"it is older than {from_time(self.since)}"] += 1
                continue
            yield entry


@dataclass(slots=True)
class Backfill:
    """One flow over a selection. `run` may be cancelled, and the same backfill done again: it goes on."""

    store: Store
    selection: Selection
    limit: int | None = None
    check_executed: Callable[[], None] = lambda: None
    """Called when nothing changes; raises StoreError where nobody executes the runs."""
    open: set[str] = field(default_factory=set)
    """The runs that are not finished."""
    ended: Counter[records.RunStatus] = field(default_factory=Counter)
    with_error: set[records.RunStatus] = field(default_factory=set)
    """What runs ended as that have an error."""
    before: int = 0
    """Entries that had a run that is finished."""
    _changed_at: float = 0.0

    async def run(self) -> None:
        """Until all runs have ended or wait for a person. Raises ConnectorError."""
        async for entry in self.selection.entries():
            if self.limit is not None and len(self.open) + self.ended.total() >= self.limit:
                break
            while len(self.open) >= AHEAD:
                await self._look()
            await self._start(entry)
        while self.open:
            await self._look()

    async def _start(self, entry: Entry) -> None:
        reasons = self.selection.reasons
        if (decided := self.selection.decide(entry)) is None:
            reasons[NOT_WANTED] += 1
            return
        verdict = await self.store.write(start, self.selection.watch, entry, *decided)
        if verdict.run_id is None:
            reasons[verdict.reason or ""] += 1
        elif verdict.new or self._is_unfinished(verdict.run_id):
            self.open.add(verdict.run_id)
        else:
            self.before += 1

    def _is_unfinished(self, run_id: str) -> bool:
        """Whether it is a run of a backfill that was interrupted, or of a server that is about to do it."""
        run = self.store.read(lambda journal: journal.run(run_id))
        return run is not None and run.status not in records.ENDED

    async def _look(self) -> None:
        """Wait a little, and see which runs have ended."""
        await asyncio.sleep(LOOK_EVERY)
        ended = self.store.read(self._find_ended)
        for run in ended:
            self.open.discard(run.id)
            self.ended[run.status] += 1
            self.with_error |= {run.status} if run.error else set()
        now = asyncio.get_running_loop().time()
        if ended or not self._changed_at:
            self._changed_at = now
        elif now - self._changed_at > STALLED_AFTER:
            self._changed_at = now
            self.check_executed()

    def _find_ended(self, journal: Journal) -> list[records.Run]:
        runs = [journal.run(run_id) for run_id in sorted(self.open)]
        if None in runs:
            raise StoreError("a run of this backfill has vanished; restore the database from a backup")
        return [run for run in runs if run is not None and run.status in records.ENDED]


async def _take(entries: AsyncIterator[Entry], most: int) -> AsyncIterator[Entry]:
    for _ in range(most):
        try:
            yield await anext(entries)
        except StopAsyncIteration:
            return
