"""A store in memory that may crash in any transaction, and an observer of what is committed."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from connector.declare import ListStep
from connector.errors import StoreError
from connector.runs.polling import lists, subscriptions
from connector.runs.polling.watches import Poll
from connector.runs.upkeep.migrations import SCHEMA
from connector.sqlite import transaction


class CrashedError(BaseException):
    """The process is gone. Not an Exception: nothing in the product may catch it."""


def open_database(path: str = ":memory:") -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous=OFF")
    connection.executescript(SCHEMA)
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


@dataclass(slots=True)
class Sweep:
    """A full walk that the product calls clean; times are those of the simulation."""

    agent: str
    began: float
    ended: float
    served: frozenset[str]
    requests: int


@dataclass(slots=True)
class _Walk:
    number: int = -1
    began: float = 0.0
    served: set[str] = field(default_factory=set)
    requests: int = 0


@dataclass(slots=True)
class Observer:
    """What was committed, as the checker wants to know it."""

    now: Callable[[], float]
    calm: float
    sweeps: list[Sweep] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    """The requests of each round of an ordered list after the world became calm, long walks apart."""
    seen: dict[str, float] = field(default_factory=dict)
    """When each lead was seen first."""
    ordered: dict[str, float] = field(default_factory=dict)
    """Since when the order of each agent's list is known."""
    longest: int = 0
    """The most requests of any round, long walks apart."""
    began: dict[str, float] = field(default_factory=dict)
    """When each flow began to watch."""
    answered: dict[str, float] = field(default_factory=dict)
    """When the first page came after that."""
    crashes: int = 0
    requests: int = 0
    _walks: dict[str, _Walk] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _calm: set[str] = field(default_factory=set)
    """Agents whose list was at rest when their round began."""

    def committed(self, work: object, arguments: tuple[Any, ...], result: Any) -> None:
        if work is lists.begin_round:
            self._begin_round(arguments[1].partition, result)
        elif work is lists.take_page:
            watch, poll, output, _ = arguments
            for watcher in watch.watchers:
                self.answered.setdefault(watcher.flow.name, self.now())
            self._take(poll, {item["id"] for item in output.get("items", ())}, result.step)
        elif work is subscriptions.subscribe:
            for watcher in arguments[0].watchers:
                self.began.setdefault(watcher.flow.name, self.now())

    def _begin_round(self, agent: str, step: ListStep) -> None:
        count = self._counts.get(agent)
        if count is not None and agent in self._calm:
            self.rounds.append(count)
        self._calm.discard(agent)
        if step.state.get("order") is None:
            self.ordered.pop(agent, None)
        else:
            self.ordered.setdefault(agent, self.now())
        # The first round after the world became calm may still have to find its place.
        if count is not None and step.state.get("order") is not None and self.now() > self.calm:
            self._calm.add(agent)
        self._counts[agent] = 0
        self._see(agent, step)

    def _take(self, poll: Poll, ids: set[str], step: ListStep) -> None:
        walk = self._walks.setdefault(poll.partition, _Walk())
        walk.served |= ids
        for lead in ids:
            self.seen.setdefault(lead, self.now())
        if step.swept is not None:
            ended = Sweep(poll.partition, walk.began, self.now(), frozenset(walk.served), walk.requests)
            self.sweeps.append(ended)
        self._see(poll.partition, step)

    def _see(self, agent: str, step: ListStep) -> None:
        if step.number != self._walks.setdefault(agent, _Walk()).number:
            self._walks[agent] = _Walk(step.number, self.now())

    def asked(self, agent: str | None, *, patient: bool) -> None:
        self.requests += 1
        if agent is not None and patient:
            self._walks.setdefault(agent, _Walk()).requests += 1
        elif agent in self._counts:
            self._counts[agent] += 1
            self.longest = max(self.longest, self._counts[agent])

    def restarted(self) -> None:
        """Rounds that were cut off do not count."""
        self._counts.clear()
        self._calm.clear()


@dataclass(slots=True)
class SimulatedStore:
    """The store of one process; stands in for `connector.runs.store.Store`."""

    connection: sqlite3.Connection
    observer: Observer
    random: Random
    crashes: float
    busy: int = 0
    """Which write fails, the first one being 1; none where it is 0."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    patient: dict[str, bool] = field(default_factory=dict)
    """Whether the request that each agent's poll has asked for belongs to a long walk."""

    def query(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._require_life()
        return work(self.connection, *args, **kwargs)

    async def write(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        self._require_life()
        self.busy -= 1
        if self.busy == 0:
            raise StoreError("the database is busy")
        fate = self.random.random() / self.crashes if self.crashes else 2.0
        with transaction(self.connection):
            result = work(self.connection, *args, **kwargs)
            if fate < 0.5:
                self._crash()
            if fate < 1.2 and fate > 1:
                raise StoreError("the database is busy")
        self.observer.committed(work, args, result)
        if fate < 1:
            self._crash()
        if work is lists.begin_round:
            self.patient[args[1].partition] = result.patient
        elif work is lists.take_page:
            self.patient[args[1].partition] = result.step.patient
        await asyncio.sleep(0)
        return result

    def _require_life(self) -> None:
        if self.gone.is_set():
            raise CrashedError

    def _crash(self) -> None:
        self.gone.set()
        self.observer.crashes += 1
        raise CrashedError


def read_starts(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """What flows made of events, with each event's text."""
    rows = connection.execute(
        "SELECT s.flow, s.run_id, s.held, e.identity, e.text FROM starts s JOIN events e ON e.id = s.event_id"
    )
    return [{**row, "text": json.loads(json.loads(row["text"]))} for row in map(dict, rows)]
