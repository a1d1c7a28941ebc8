"""Keeps in the database how answers differ from what plugins declare."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connector.database import Connection
from connector.drift import OTHERS, Counts, Drift, Drifts
from connector.errors import StoreError
from connector.runs.records import read_time, write_time
from connector.runs.store import Store

log = logging.getLogger(__name__)

MOST_ROWS = 200
"""Places of one operation; whatever is beyond stands at OTHERS."""
EVERY = 60.0
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class KnownDrift:
    """How often and when answers to an operation differed at one place."""

    operation: str
    kind: str
    path: str
    times: int
    first_at: datetime
    last_at: datetime


def read_drifts(connection: Connection) -> tuple[KnownDrift, ...]:
    """All that is known, those of one operation together, retyped fields first."""
    rows = connection.execute("SELECT * FROM drift ORDER BY operation, kind = 'retyped' DESC, kind DESC, path")
    return tuple(
        KnownDrift(
            row["operation"],
            row["kind"],
            row["path"],
            row["times"],
            read_time(row["first_at"]),
            read_time(row["last_at"]),
        )
        for row in rows
    )


def add_drifts(connection: Connection, counts: Counts, now: datetime) -> list[tuple[str, Drift]]:
    """Add to what is known; returns the places that were not."""
    at, new = write_time(now), []
    for (operation, drift), times in counts.items():
        if _add(connection, operation, drift, times, at):
            continue
        rows = connection.execute("SELECT count(*) AS number FROM drift WHERE operation = ?", (operation,)).fetchone()
        place = drift if rows["number"] < MOST_ROWS else Drift(drift.kind, OTHERS)
        if not _add(connection, operation, place, times, at):
            key = (operation, place.kind, place.path)
            connection.execute("INSERT INTO drift VALUES (?, ?, ?, ?, ?, ?)", (*key, times, at, at))
            new.append((operation, place))
    return new


def _add(connection: Connection, operation: str, drift: Drift, times: int, at: str) -> bool:
    """Whether the place was known."""
    known = connection.execute(
        "UPDATE drift SET times = times + ?, last_at = ? WHERE operation = ? AND kind = ? AND path = ?",
        (times, at, operation, drift.kind, drift.path),
    )
    return known.rowcount > 0


async def keep_drifts(store: Store, drifts: Drifts, now: datetime) -> None:
    """Keep what was counted, and log the places that are new. Raises StoreError; then it is still counted."""
    counts = drifts.take()
    if not counts:
        return
    try:
        new = await store.write(add_drifts, counts, now)
    except StoreError:
        drifts.put_back(counts)
        raise
    for operation, drift in new:
        log.warning("%s: a field of the answer is %s for the first time: %s", operation, drift.kind, drift.path)


class Keeper:
    """Keeps what an adapter counts, now and then and at the end."""

    def __init__(self, store: Store, drifts: Drifts, clock: Callable[[], datetime], every: float = EVERY) -> None:
        self._store, self._drifts, self._clock, self._every = store, drifts, clock, every
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def work(self) -> None:
        """Until `stop`. What the database does not take stays counted, and is tried again."""
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(self._every):
                    await self._stopping.wait()
            except TimeoutError:
                pass
            try:
                await keep_drifts(self._store, self._drifts, self._clock())
            except StoreError as error:
                log.debug("what differs in answers is kept later: %s", error)
            except Exception:
                log.exception("what differs in answers is not kept, after a fault of this program")
