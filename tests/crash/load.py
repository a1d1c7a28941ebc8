"""Many deliveries from several senders, each sent until it is acknowledged, and people who answer meanwhile."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from crash.checker import Checker
from crash.flows import Case
from crash.journal import Picture, count_notes
from crash.world import ACKNOWLEDGED, PATIENCE, Told, World

from connector import engines
from connector.errors import StoreError

_WAITING = """
SELECT s.run_id, s.step, s.action, s.wake_at, r.trigger FROM steps s JOIN runs r ON r.id = s.run_id
WHERE s.status = 'waiting' AND r.status = 'waiting' AND s.action IN ('approve', 'chatforge.event')
"""
_OPEN = """
SELECT count(*) AS number FROM runs r WHERE r.status IN ('running', 'waiting') OR (r.status = 'queued' AND NOT EXISTS
(SELECT 1 FROM runs h WHERE h.status = 'held' AND h.lane = r.lane AND h.flow = r.flow))
"""


class Load:
    """`with` it deliveries come; at its end all are acknowledged. Others kill and start the server meanwhile."""

    def __init__(self, world: World, cases: Sequence[Case], seed: str, per_second: float, senders: int = 8) -> None:
        self.world, self._cases, self._seed, self._pause = world, cases, seed, senders / per_second
        self.told: list[Told] = []
        self.answers = Counter[int | None]()
        """What the senders were answered; None where nobody did."""
        self._stopping = threading.Event()
        self._senders = ThreadPoolExecutor(senders + 1)
        self._number = senders
        self._working: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._working = [self._senders.submit(self._send, number) for number in range(self._number)]
        self._people = self._senders.submit(self._answer)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        self._senders.shutdown()
        if error is None:
            for one in (*self._working, self._people):
                one.result()

    def _send(self, number: int) -> None:
        chance = random.Random(f"{self._seed} {number}")  # noqa: S311 - what to send when
        while not self._stopping.wait(chance.uniform(0, 2 * self._pause)):
            for one in self.world.tell(chance.choice(self._cases)):
                self._deliver(one)
                if chance.random() < 0.2:
                    self._deliver(one)

    def _deliver(self, one: Told) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            status = self.world.post(one.body)
            self.answers[status] += 1
            if status in ACKNOWLEDGED:
                if one not in self.told:
                    self.told.append(one)
                return
            assert status in (None, 503), status
            time.sleep(0.02)
        raise AssertionError("the delivery is not acknowledged")

    def _answer(self) -> None:
        while not self._stopping.wait(0.2):
            self.answer_all()

    def answer_all(self) -> None:
        """What runs wait for comes, unless the database cannot be had."""
        with suppress(StoreError):
            for row in engines.read(self.world.database, lambda connection: connection.execute(_WAITING).fetchall()):
                self.world.answer_step(row)

    def finish(self) -> None:
        """Until each run has ended, or waits for one that is held."""
        end = time.monotonic() + PATIENCE
        while self._count_open():
            assert time.monotonic() < end, "some runs do not end"
            self.answer_all()
            time.sleep(0.1)

    def require(self, disturbed: int, *, knows_doubts: bool) -> Picture:
        """What must be true of all runs, before and after what is held was resolved; how they stood before."""
        before = after = self.world.look_at_all()
        rest = (self.world.deaths, after, count_notes(self.world.contacts), disturbed, knows_doubts)
        faults = [*Checker(self.told, *rest).faults_before_decisions()]
        assert not faults, "\n".join(faults)
        while any(row["status"] == "held" for row in after.runs.values()):
            self.world.resolve(after)
            self.finish()
            after = self.world.look_at_all()
        rest = (self.world.deaths, after, count_notes(self.world.contacts), disturbed, knows_doubts)
        faults = [*Checker(self.told, *rest).faults_after_decisions()]
        assert not faults, "\n".join(faults)
        return before

    def _count_open(self) -> int:
        def work(connection: Any) -> int:
            return int(connection.execute(_OPEN).fetchone()["number"])

        return engines.read(self.world.database, work)
