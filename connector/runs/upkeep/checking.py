"""Looks whether a database can be used and each row of it be read. Changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from connector import engines
from connector.database import Columns, Connection, Row
from connector.engines import Address
from connector.runs.decisions.answers import answer_of
from connector.runs.decisions.interventions import intervention_of
from connector.runs.journal import DamagedRowError, attempt_of, event_of, last_attempt_of, run_of, start_of, step_of
from connector.runs.pins import pin_of
from connector.runs.polling.poll_states import partition_failure_of, poll_of
from connector.runs.upkeep.migrations import VERSION, find_strange, find_version
from connector.runs.upkeep.tables import all_tables, find_missing, read_parts


def _read_step(row: Row) -> None:
    step = step_of(row)
    if step.attempts:
        last_attempt_of(row)


READERS: dict[str, Callable[[Row], Any]] = {
    "events": event_of,
    "runs": run_of,
    "starts": start_of,
    "steps": _read_step,
    "attempts": attempt_of,
    "pins": pin_of,
    "answers": answer_of,
    "interventions": intervention_of,
    "polls": poll_of,
    "partition_failures": partition_failure_of,
}
MOST = 10
"""Faults of one kind that are named."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one look found; a fault says what to do."""

    what: str
    text: str
    good: bool = True


def check_version(address: Address, connection: Connection) -> Found:
    found = find_version(connection, engines.columns_of(address, connection))
    if found == VERSION:
        return Found("version", f"{found}, that of this program")
    what = "an earlier chatforge made it; bring it up to this one: chatforge db upgrade"
    if found == 0:
        what = "it has no tables; start chatforge serve once, which makes them"
        if strange := find_strange(address, connection):
            what = f"it is another program's, {strange}; name another database"
    if found > VERSION:
        what = "a later chatforge made it; install that one again"
    return Found("version", f"{found}, while this program has {VERSION}: {what}", good=False)


def check_columns(columns: Columns) -> Found:
    if missing := find_missing(columns):
        return Found("tables", f"{_some(missing)} is missing; restore the database from a backup", good=False)
    return Found("tables", f"{len(all_tables())}, with all their columns")


def check_rows(connection: Connection) -> Iterator[Found]:
    """Each row as whoever looks at runs and events reads it."""
    for table in all_tables():
        if (read := READERS.get(table.name)) is None:
            continue
        number = faulty = 0
        for row in (row for rows in read_parts(connection, table) for row in rows):
            number += 1
            if (fault := _fault(read, row)) is not None:
                faulty += 1
                if faulty <= MOST:
                    yield Found(table.name, fault, good=False)
        if faulty > MOST:
            yield Found(table.name, f"{faulty - MOST:,} more rows are damaged", good=False)
        if not faulty:
            yield Found(table.name, f"{number:,} rows can be read")


def check_file(connection: Connection) -> Iterator[Found]:
    """What SQLite finds: pages and indexes, and rows that refer to others."""
    faults = [row[0] for row in connection.execute(f"PRAGMA integrity_check({MOST})")]
    if faults == ["ok"]:
        yield Found("file", "sound")
    else:
        for fault in faults:
            yield Found("file", f"{fault}; restore the database from a backup", good=False)
    lost = Counter((row["table"], row["parent"]) for row in connection.execute("PRAGMA foreign_key_check"))
    for (table, parent), number in sorted(lost.items()):
        text = f"{number:,} rows of {table} refer to rows of {parent} that are missing; restore it from a backup"
        yield Found("references", text, good=False)
    if not lost:
        yield Found("references", "each row that another one refers to is there")


def _fault(read: Callable[[Row], Any], row: Row) -> str | None:
    try:
        read(row)
    except DamagedRowError as error:
        return str(error)
    return None


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
