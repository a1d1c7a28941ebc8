"""Contacts in an SQLite file of their own: a small CRM to start with, and the plugin to read first.

Texts are stored as ASCII-escaped JSON, so that whatever a visitor typed survives, lone surrogates and NUL included.
"""

import asyncio
import json
import re
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.declare import ActionContext, ConnectionType, action
from connector.errors import NetworkError, RejectedError
from connector.hookspecs import hookimpl
from connector.marks import PERSONAL, PersonalText
from connector.sqlite import connect, transaction
from connector.validation import quoted

SCHEMA = """
CREATE TABLE IF NOT EXISTS contacts (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    email_key TEXT UNIQUE,
    external_key TEXT UNIQUE,
    phone_key TEXT,
    contact TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS contacts_by_phone ON contacts (phone_key);
CREATE TABLE IF NOT EXISTS notes (contact TEXT NOT NULL, at TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (idempotency_key TEXT PRIMARY KEY, answer TEXT NOT NULL);
"""

_SAME_ID = "coalesce(external_key, :external) IS coalesce(:external, external_key)"
_SAME_EMAIL = "coalesce(email_key, :email) IS coalesce(:email, email_key)"
_CONDITIONS = (
    "external_key = :external",
    f"email_key = :email AND {_SAME_ID}",
    f"phone_key = :phone AND {_SAME_ID} AND {_SAME_EMAIL}",
)

Result = TypeVar("Result")


class ContactsConnection(BaseModel):
    """Where the contacts are kept."""

    model_config = ConfigDict(extra="forbid")

    database: Path = Field(description="The SQLite file; made when it is not there.")


class Keys(BaseModel):
    """What a contact is found by, in this order: external id, e-mail, phone.

    A contact with another e-mail or external id than the given one is another person: two may share a phone.
    """

    model_config = ConfigDict(extra="forbid")

    email: str | None = Field(None, description="Compared without regard to case.")
    phone: str | None = Field(None, description="Compared by its digits and a leading +.")
    external_id: str | None = Field(None, description="The id of this person in another system.")

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if any(text and text.strip() for text in (self.email, self.phone, self.external_id)):
            return self
        raise ValueError("give at least one of email, phone and external_id")


class ContactFields(Keys):
    name: str | None = Field(None, description="What is not given stays as it is.")
    note: str | None = Field(None, description="Added to the notes of the contact.")
    properties: dict[str, Any] = Field(default_factory=dict, description="Added to the properties; null removes one.")


class UpsertedContact(BaseModel):
    id: str
    created: bool = Field(description="True where there was no such contact before.")
    email: PersonalText
    phone: PersonalText
    name: PersonalText


class Contact(BaseModel):
    id: str
    email: PersonalText = None
    phone: PersonalText = None
    external_id: PersonalText = None
    name: PersonalText = None
    properties: Annotated[dict[str, Any], PERSONAL] = Field(default_factory=dict)
    notes: Annotated[list[str], PERSONAL] = Field(default_factory=list, description="Oldest first.")
    created_at: datetime
    updated_at: datetime


class FoundContact(BaseModel):
    contact: Contact | None


class ListContacts(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=1000)
    offset: int = Field(0, ge=0)


class ContactPage(BaseModel):
    contacts: list[Contact] = Field(description="Oldest first.")
    next_offset: int | None = Field(description="Null on the last page.")


@action(
    effect="idempotent",
    title="Create or update contact",
    example={"email": "john@example.com", "name": "John Smith", "note": "Asked about estate planning."},
)
async def upsert(input: ContactFields, context: ActionContext[ContactsConnection]) -> UpsertedContact:
    """Find a contact by external id, e-mail or phone and update it, or create it.

    With the idempotency key of an earlier call, returns the answer of that call and changes nothing.
    """

    def work(connection: sqlite3.Connection) -> UpsertedContact:
        if (earlier := _answer(connection, context.idempotency_key)) is not None:
            return earlier
        answer = _upsert(connection, input, context.now)
        if context.idempotency_key:
            row = (_json(context.idempotency_key), json.dumps(answer.model_dump()))
            connection.execute("INSERT INTO answers VALUES (?, ?)", row)
        return answer

    return await _in_transaction(context.connection.database, work)


@action(effect="read", title="Find contact", example={"email": "john@example.com"})
async def find(input: Keys, context: ActionContext[ContactsConnection]) -> FoundContact:
    """Find a contact by external id, e-mail or phone; null where there is none."""

    def work(connection: sqlite3.Connection) -> FoundContact:
        row = _find(connection, input)
        return FoundContact(contact=_contact(connection, row) if row else None)

    return await _in_transaction(context.connection.database, work)


@action(effect="read", title="List contacts", example={"limit": 10})
async def list_(input: ListContacts, context: ActionContext[ContactsConnection]) -> ContactPage:
    """List the contacts, oldest first."""

    def work(connection: sqlite3.Connection) -> ContactPage:
        query = "SELECT * FROM contacts ORDER BY number LIMIT ? OFFSET ?"
        rows = connection.execute(query, (input.limit + 1, input.offset)).fetchall()
        contacts = [_contact(connection, row) for row in rows[: input.limit]]
        following = input.offset + input.limit if len(rows) > input.limit else None
        return ContactPage(contacts=contacts, next_offset=following)

    return await _in_transaction(context.connection.database, work)


async def _in_transaction(database: Path, work: Callable[[sqlite3.Connection], Result]) -> Result:
    def run() -> Result:
        database.parent.mkdir(parents=True, exist_ok=True)
        with closing(connect(database)) as connection:
            connection.executescript(SCHEMA)
            with transaction(connection):
                return work(connection)

    try:
        return await asyncio.to_thread(run)
    except (sqlite3.DatabaseError, OSError) as error:
        message = f"the contacts database {database} cannot be used: {error}; check its folder and the room on disk"
        # Of the others only a damaged file is left, which stays damaged.
        raise NetworkError(message, transient=isinstance(error, (sqlite3.OperationalError, OSError))) from error


def _upsert(connection: sqlite3.Connection, input: ContactFields, now: datetime) -> UpsertedContact:
    row = _find(connection, input)
    contact_id = row["id"] if row else f"contact_{secrets.token_hex(8)}"
    new = _merge(json.loads(row["contact"]) if row else {"created_at": now.isoformat()}, input, now)
    keys = (_json(new.get("external_id")), _email_key(new.get("email")), _phone_key(new.get("phone")))
    try:
        connection.execute(
            "INSERT INTO contacts (id, external_key, email_key, phone_key, contact) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET external_key = excluded.external_key, email_key = excluded.email_key, "
            "phone_key = excluded.phone_key, contact = excluded.contact",
            (contact_id, *keys, json.dumps(new)),
        )
    except sqlite3.IntegrityError as error:
        message = f"the e-mail {quoted(input.email)} belongs to another contact than the external id"
        raise RejectedError(f"{message}; give one of them only, or correct the contact") from error
    if input.note:
        connection.execute("INSERT INTO notes VALUES (?, ?, ?)", (contact_id, now.isoformat(), json.dumps(input.note)))
    shown = {key: new.get(key) for key in ("email", "phone", "name")}
    return UpsertedContact(id=contact_id, created=row is None, **shown)


def _merge(old: dict[str, Any], input: ContactFields, now: datetime) -> dict[str, Any]:
    """What is not given, or empty, stays as it is."""
    texts = input.model_dump(include={"email", "phone", "external_id", "name"})
    given = {key: text for key, text in texts.items() if text and text.strip()}
    properties = {**old.get("properties", {}), **input.properties}
    kept = {key: value for key, value in properties.items() if value is not None}
    return {**old, **given, "properties": kept, "updated_at": now.isoformat()}


def _find(connection: sqlite3.Connection, keys: Keys) -> sqlite3.Row | None:
    values = {
        "external": _json(keys.external_id),
        "email": _email_key(keys.email),
        "phone": _phone_key(keys.phone),
    }
    for condition in _CONDITIONS:
        query = f"SELECT * FROM contacts WHERE {condition} ORDER BY number LIMIT 1"  # noqa: S608 - all are constants
        if (row := connection.execute(query, values).fetchone()) is not None:
            found: sqlite3.Row = row
            return found
    return None


def _contact(connection: sqlite3.Connection, row: sqlite3.Row) -> Contact:
    notes = connection.execute("SELECT note FROM notes WHERE contact = ? ORDER BY rowid", (row["id"],))
    texts = [json.loads(note["note"]) for note in notes]
    return Contact.model_validate({**json.loads(row["contact"]), "id": row["id"], "notes": texts})


def _answer(connection: sqlite3.Connection, idempotency_key: str) -> UpsertedContact | None:
    query = "SELECT answer FROM answers WHERE idempotency_key = ?"
    row = connection.execute(query, (_json(idempotency_key),)).fetchone()
    return UpsertedContact.model_validate(json.loads(row["answer"])) if row else None


def _json(text: str | None) -> str | None:
    return json.dumps(text) if text and text.strip() else None


def _email_key(email: str | None) -> str | None:
    return _json(email.strip().casefold()) if email else None


def _phone_key(phone: str | None) -> str | None:
    """The digits, with a `+` before them where there was one; None where there are no digits."""
    digits = re.sub(r"[^0-9]", "", phone or "")
    return ("+" if phone and phone.strip().startswith("+") else "") + digits if digits else None


@hookimpl
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    register(
        ConnectionType(
            model=ContactsConnection,
            title="Contacts",
            help="`database` is the SQLite file; without it the file lies beside the runs' database",
            default=lambda settings: {"database": settings.beside_database("contacts.sqlite")},
        )
    )


@hookimpl
def register_actions(register: Callable[[Any], None]) -> None:
    for declared in (upsert, find, list_):
        register(declared)
