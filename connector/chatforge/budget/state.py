"""How the budget of an account stands, for `chatforge doctor`."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connector.chatforge.budget.clock import Clock
from connector.chatforge.budget.ledger import Ledger
from connector.chatforge.budget.shared import describe_fault
from connector.errors import StoreError
from connector.sqlite import read_file


@dataclass(frozen=True, slots=True)
class BudgetState:
    """What all processes of the machine together use of a budget."""

    configured: int
    """Requests a minute."""
    limit: int
    """The same after refusals (429)."""
    used: Mapping[str, int]
    """Purpose → slots in use."""
    waiting: int
    """How many processes wait."""
    refused_ago: float | None
    """Seconds since the last episode of refusals that still counts."""
    paused_for: float
    """Seconds for which nothing is sent; 0 where there is no pause."""
    asked: bool
    """Whether the pause was asked for by `Retry-After`."""
    fault: str | None = None
    """Why the budget file cannot be used."""


def read_state(path: Path | None, account: str, configured: int, clock: Clock) -> BudgetState:
    """The state as it stands in the file, which is only read."""
    nothing = BudgetState(configured, configured, {}, 0, None, 0.0, asked=False)
    if path is None or not path.exists():
        return nothing
    try:
        return read_file(path, lambda connection: _read(connection, account, configured, clock))
    except (StoreError, TypeError, ValueError, LookupError) as error:
        return BudgetState(configured, configured, {}, 0, None, 0.0, asked=False, fault=describe_fault(path, error))


def _read(connection: sqlite3.Connection, account: str, configured: int, clock: Clock) -> BudgetState:
    moment = clock.read()
    ledger = Ledger(connection, account, moment)
    learned = ledger.account()[1]
    taken, waiting = ledger.taken(), ledger.waiting()
    if ledger.is_from_before():  # all of it counts as if it had ended now
        learned, waiting = learned.reboot(moment.now, moment.utc), 0
    else:
        learned, taken = learned.creep(moment.now), tuple(slot for slot in taken if slot.free_at > moment.now)
    used = Counter(str(slot.purpose) for slot in taken)
    return BudgetState(
        configured,
        learned.limit(configured),
        used,
        waiting,
        moment.now - learned.refused_at if learned.lowered else None,
        max(0.0, learned.paused_until - moment.now),
        learned.asked,
    )
