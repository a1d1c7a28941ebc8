"""The SQL of the budget: what the processes of a machine know of one account, read and written in one transaction.

A process has at most one row in `waiting`, for the first of those who wait in it. Rows of processes that died are
not removed by them: slots free themselves, and those who wait are forgotten when they have not been seen for a while.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

from connector.chatforge.budget.clock import Moment
from connector.chatforge.budget.learning import Learned
from connector.chatforge.budget.rule import RANKS, Rule, Starts, TakenSlot, free_after_answer
from connector.transport import Purpose

SCHEMA = """
CREATE TABLE IF NOT EXISTS machine (boot TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS slots (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    process TEXT NOT NULL,
    purpose TEXT NOT NULL,
    started REAL NOT NULL,
    free_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS slots_by_account ON slots (account);
CREATE TABLE IF NOT EXISTS waiting (
    account TEXT NOT NULL,
    process TEXT NOT NULL,
    rank INTEGER NOT NULL,
    turn REAL NOT NULL,
    seen REAL NOT NULL,
    PRIMARY KEY (account, process)
);
CREATE TABLE IF NOT EXISTS accounts (
    account TEXT PRIMARY KEY,
    last REAL NOT NULL,
    due REAL NOT NULL,
    lowered INTEGER NOT NULL,
    refused_at REAL NOT NULL,
    raised_at REAL NOT NULL,
    backoff REAL NOT NULL,
    paused_until REAL NOT NULL,
    paused_until_utc REAL NOT NULL,
    asked INTEGER NOT NULL
);
"""
FORGOTTEN_AFTER = 3.0
"""Seconds after which a process that waits and is not seen is dead."""
LOOK_AGAIN = 0.5
"""Seconds after which whoever waits looks again: another process may have changed something."""
AFTER_OTHERS = 0.1
"""The same where the next request is another process's, which is about to take it."""

_SLOT = [column.name for column in fields(TakenSlot)]
_ACCOUNT = [column.name for column in (*fields(Starts), *fields(Learned))]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the first of those who wait in a process wants; `then` is what the second one does."""

    slot: str
    process: str
    purpose: Purpose
    then: Purpose | None
    limit: int
    """As it is configured in this process."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`slot` where the request may start; otherwise the seconds until it is worth to ask again."""

    slot: TakenSlot | None
    delay: float
    taken: tuple[TakenSlot, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back to the request of a slot that started at `started`."""

    slot: str
    started: float
    at: Moment
    refused: bool
    retry_after: float | None


class Ledger:
    """One account at one moment, within a transaction."""

    def __init__(self, connection: sqlite3.Connection, account: str, moment: Moment) -> None:
        self._connection, self._run = connection, connection.execute
        self._account, self._moment, self._now = account, moment, moment.now

    def open(self, known: Iterable[TakenSlot], learned: Learned) -> None:
        """Comes first. What is known is put down where the ledger is new, as after a broken file."""
        if self._run("SELECT 1 FROM machine").fetchone() is None:
            self._run("INSERT INTO machine VALUES (?)", (self._moment.boot,))
            self.put(known)
            if learned != Learned():
                self.save(Starts(), learned)
        elif self.is_from_before():
            self._reboot()
        self._run("DELETE FROM slots WHERE account = ? AND free_at <= ?", (self._account, self._now))

    def is_from_before(self) -> bool:
        """Whether the ledger was written before the machine was started."""
        row = self._run("SELECT boot, (SELECT max(started) FROM slots) FROM machine").fetchone()
        return row is not None and (row[0] != self._moment.boot or (row[1] or self._now) > self._now + 1)

    def _reboot(self) -> None:
        """The clock began anew: whatever was under way counts as if it had been answered now."""
        now = self._now
        self._run("UPDATE machine SET boot = ?", (self._moment.boot,))
        self._run("UPDATE slots SET started = ?, free_at = ?", (now, free_after_answer(now)))
        self._run("DELETE FROM waiting")
        for (account,) in self._run("SELECT account FROM accounts").fetchall():
            other = Ledger(self._connection, account, self._moment)
            _, learned = other.account()
            other.save(Starts(now, now), learned.reboot(now, self._moment.utc))

    def put(self, slots: Iterable[TakenSlot]) -> None:
        """Put down what is known of slots in use; those of the same id are replaced."""
        rows = [{"account": self._account} | asdict(slot) for slot in slots if slot.free_at > self._now]
        for row in rows:
            self._run(
                "INSERT OR REPLACE INTO slots (id, account, process, purpose, started, free_at)"
                " VALUES (:id, :account, :process, :purpose, :started, :free_at)",
                row,
            )

    def match(self, own: Mapping[str, TakenSlot]) -> None:
        """Put down the slots of a process where they are not, or not as they are here."""
        if own:
            written = {slot.id: slot for slot in self.taken()}
            self.put(slot for slot in own.values() if written.get(slot.id) != slot)

    def drop(self, slots: Iterable[str]) -> None:
        """Slots that were not used."""
        for slot in slots:
            self._run("DELETE FROM slots WHERE id = ?", (slot,))

    def taken(self) -> tuple[TakenSlot, ...]:
        rows = self._run(f"SELECT {', '.join(_SLOT)} FROM slots WHERE account = ?", (self._account,))  # noqa: S608
        return tuple(TakenSlot(*row) for row in rows)

    def account(self) -> tuple[Starts, Learned]:
        row = self._run("SELECT * FROM accounts WHERE account = ?", (self._account,)).fetchone()
        if row is None:
            return Starts(), Learned()
        values = {name: row[name] for name in _ACCOUNT}
        starts = Starts(values.pop("last"), values.pop("due"))
        return starts, Learned(**values | {"asked": bool(values["asked"])})

    def save(self, starts: Starts, learned: Learned) -> None:
        names = ["account", *_ACCOUNT]
        row = {"account": self._account} | asdict(starts) | asdict(learned)
        self._run(
            f"INSERT OR REPLACE INTO accounts ({', '.join(names)}) VALUES (:{', :'.join(names)})",  # noqa: S608
            row,
        )

    def learn(self, answer: Answer, configured: int) -> None:
        starts, before = self.account()
        if answer.refused:
            learned = before.refuse(answer.started, answer.at.now, answer.at.utc, answer.retry_after, configured)
        else:
            learned = before.accept(answer.started)
        if learned != before:
            self.save(starts, learned)

    def ask(self, wanted: Wanted) -> Reply:
        """Take a slot, or a place among those who wait."""
        starts, before = self.account()
        learned, taken = before.creep(self._now), self.taken()
        rule = Rule(learned.limit(wanted.limit))
        ahead = self._line_up(wanted)
        delay = max(rule.delay(taken, wanted.purpose, starts, self._now), learned.paused_until - self._now)
        if delay > 0 or (ahead and not rule.has_room(len(taken) + ahead, wanted.purpose)):
            if learned != before:
                self.save(starts, learned)
            again = max(delay, AFTER_OTHERS) if ahead else delay
            return Reply(None, min(again, LOOK_AGAIN), taken)
        slot = TakenSlot.start(wanted.slot, wanted.process, wanted.purpose, self._now)
        self.put([slot])
        self.save(starts.after(self._now, rule.spacing), learned)
        self._go_on(wanted)
        return Reply(slot, 0.0, (*taken, slot))

    def _line_up(self, wanted: Wanted) -> int:
        """Say that a process waits, and how many others come before it: by rank, then who started longest ago."""
        self._run("DELETE FROM waiting WHERE seen < ?", (self._now - FORGOTTEN_AFTER,))
        place = {"account": self._account, "process": wanted.process, "rank": RANKS[wanted.purpose], "now": self._now}
        self._run(
            "INSERT INTO waiting (account, process, rank, turn, seen) VALUES (:account, :process, :rank, :now, :now)"
            " ON CONFLICT (account, process) DO UPDATE SET rank = :rank, seen = :now",
            place,
        )
        row = self._run(
            "SELECT count(*) FROM waiting AS other JOIN waiting AS own USING (account)"
            " WHERE account = :account AND own.process = :process"
            " AND (other.rank, other.turn, other.process) < (own.rank, own.turn, own.process)",
            place,
        ).fetchone()
        return int(row[0])

    def _go_on(self, wanted: Wanted) -> None:
        """The first one has started; the next of its process waits behind the other processes."""
        if wanted.then is None:
            return self.leave(wanted.process)
        self._run(
            "UPDATE waiting SET rank = ?, turn = ? WHERE account = ? AND process = ?",
            (RANKS[wanted.then], self._now, self._account, wanted.process),
        )

    def leave(self, process: str) -> None:
        """Nobody waits in this process any more."""
        self._run("DELETE FROM waiting WHERE account = ? AND process = ?", (self._account, process))

    def waiting(self) -> int:
        """How many processes wait."""
        row = self._run(
            "SELECT count(*) FROM waiting WHERE account = ? AND seen >= ?",
            (self._account, self._now - FORGOTTEN_AFTER),
        ).fetchone()
        return int(row[0])
