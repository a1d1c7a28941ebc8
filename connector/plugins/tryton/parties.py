"""Finds parties, and adds to them what is missing."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, RootModel

from connector.errors import NotFoundError, RejectedError
from connector.plugins.tryton.matching import (
    Mechanism,
    email_key,
    email_patterns,
    encode,
    find_email,
    find_phone,
    is_found_by_phone,
    is_searchable,
    one_line,
    phone_pattern,
    whole,
)
from connector.plugins.tryton.models import Keys, UpsertParty
from connector.plugins.tryton.service import Context, ask

_FIELDS = ["name", "code", "contact_mechanisms.type", "contact_mechanisms.value"]


class TrytonParty(BaseModel):
    """A party as Tryton tells of it."""

    id: int
    code: str
    name: str | None
    mechanisms: list[Mechanism] = Field(alias="contact_mechanisms")


class _Parties(RootModel[list[TrytonParty]]):
    """Oldest first."""


class _Id(BaseModel):
    id: int


async def require(context: Context, party: int) -> None:
    """Raises NotFoundError. Tryton on SQLite would take any number for a party."""
    try:
        await ask(context, _Id, "GET", f"party.party/{party}", f=["id"])
    except NotFoundError as error:
        raise NotFoundError(
            f"Tryton has no party {party}; take the id that an upsert or a find gave", status=404
        ) from error


async def find(context: Context, email: str | None, phone: str | None) -> TrytonParty | None:
    """The oldest active party with the e-mail, else with the phone."""
    if email:
        values = [["value", "ilike", pattern] for pattern in email_patterns(email)]
        for party in await _search(context, [["type", "=", "email"], ["OR", *values]]):
            if find_email(party.mechanisms, email) is not None:
                return party
    if phone and is_searchable(phone):
        for party in await _search(context, [["value", "like", phone_pattern(phone)]]):
            if is_found_by_phone(party.mechanisms, phone, email=email):
                return party
    return None


async def _search(context: Context, mechanism: Sequence[Any]) -> Sequence[TrytonParty]:
    domain = [["contact_mechanisms", "where", mechanism]]
    query = {"d": encode(domain), "o": encode([["id", "ASC"]])}
    return (await ask(context, _Parties, "GET", "party.party", f=_FIELDS, **query)).root


async def create(context: Context, given: UpsertParty) -> TrytonParty:
    email, phone = keys_of(given)
    name = one_line(given.name or "").strip() or email or phone
    return await _save(context, "POST", "party.party", {"name": name}, email, phone)


async def add_missing(context: Context, party: TrytonParty, given: UpsertParty) -> TrytonParty:
    """Nothing that a person wrote is replaced; a name that is an e-mail was written by nobody."""
    email, phone = keys_of(given)
    name, old = one_line(given.name or "").strip(), (party.name or "").strip()
    emails = {email_key(entry.value) for entry in party.mechanisms if entry.type == "email" and entry.value}
    values = {"name": name} if name and name != old and (not old or email_key(old) in emails) else {}
    new_email = email if email and find_email(party.mechanisms, email) is None else None
    new_phone = phone if phone and find_phone(party.mechanisms, phone) is None else None
    if not (values or new_email or new_phone):
        return party
    return await _save(context, "PUT", f"party.party/{party.id}", values, new_email, new_phone)


def keys_of(given: Keys) -> tuple[str | None, str | None]:
    """E-mail and phone as they are sent; None where they are blank. Tryton refuses an e-mail of two lines."""
    return whole(given.email or "").strip() or None, one_line(given.phone or "").strip() or None


async def _save(
    context: Context, method: str, path: str, values: Mapping[str, Any], email: str | None, phone: str | None
) -> TrytonParty:
    """With a phone that Tryton refuses as one as a contact of the kind `other`: a lead is not lost over it."""

    async def send(kind: str) -> TrytonParty:
        entries = [{"type": "email", "value": email}] * bool(email) + [{"type": kind, "value": phone}] * bool(phone)
        body = {**values, **({"contact_mechanisms": [["create", entries]]} if entries else {})}
        return await ask(context, TrytonParty, method, path, body, f=_FIELDS)

    try:
        return await send("phone")
    except RejectedError:
        if not phone:
            raise
    return await send("other")
