"""Erases a person from the contacts: the contact with an e-mail address, its notes, and what calls answered about it.

A note of another contact that mentions the address goes too; a contact that mentions it elsewhere stays, and is told.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.mentions import Address
from connector.plugins.contacts import SCHEMA
from connector.sqlite import connect, explained, transaction


@dataclass(frozen=True, slots=True)
class FoundContacts:
    contacts: tuple[str, ...] = ()
    notes: int = 0
    answers: int = 0
    others: tuple[str, ...] = ()
    """Contacts of other persons that mention the address."""

    @property
    def counts(self) -> dict[str, int]:
        counts = {"contacts": len(self.contacts), "notes": self.notes, "answers": self.answers}
        return {name: number for name, number in counts.items() if number}


def forget_contact(database: Path, address: Address, *, dry: bool) -> FoundContacts:
    """Erase the person from the file of a contacts connection, which may be missing; only look where `dry`.

    The bytes are gone once the file was written anew. Raises StoreError.
    """
    with explained(database):
        if not database.exists():
            return FoundContacts()
        with closing(connect(database)) as connection:
            connection.executescript(SCHEMA)
            with transaction(connection):
                return _forget(connection, address, dry=dry)


def _forget(connection: Any, address: Address, *, dry: bool) -> FoundContacts:
    rows = connection.execute("SELECT id, email_key, contact FROM contacts ORDER BY number").fetchall()
    own = [row["id"] for row in rows if row["email_key"] and json.loads(row["email_key"]) == address.text]
    others = [row["id"] for row in rows if row["id"] not in own and address.is_in(row["contact"])]
    notes, answers = [*_find_notes(connection, own, address)], [*_find_answers(connection, own, address)]
    if not dry:
        connection.executemany("DELETE FROM contacts WHERE id = ?", [(one,) for one in own])
        connection.executemany("DELETE FROM notes WHERE rowid = ?", [(one,) for one in notes])
        connection.executemany("DELETE FROM answers WHERE idempotency_key = ?", [(one,) for one in answers])
    return FoundContacts(tuple(own), len(notes), len(answers), tuple(others))


def _find_notes(connection: Any, own: list[str], address: Address) -> Iterator[int]:
    for row in connection.execute("SELECT rowid AS number, contact, note FROM notes"):
        if row["contact"] in own or address.is_in(row["note"]):
            yield row["number"]


def _find_answers(connection: Any, own: list[str], address: Address) -> Iterator[str]:
    for row in connection.execute("SELECT idempotency_key, answer FROM answers"):
        if json.loads(row["answer"]).get("id") in own or address.is_in(row["answer"]):
            yield row["idempotency_key"]
