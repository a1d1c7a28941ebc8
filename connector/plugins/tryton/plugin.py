"""Declares the actions and the connection."""

import hashlib
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, RootModel

from connector.declare import ConnectionType, action
from connector.hookspecs import hookimpl
from connector.plugins.tryton import parties
from connector.plugins.tryton.matching import email_key, encode, find_email, find_phone, one_line, phone_key, whole
from connector.plugins.tryton.models import (
    CheckConnection,
    CheckedConnection,
    CreatedOpportunity,
    CreateOpportunity,
    FoundParty,
    Keys,
    Party,
    UpsertedParty,
    UpsertParty,
)
from connector.plugins.tryton.service import Context, TrytonConnection, ask
from connector.transport import HttpOptions

_JOHN = {"email": "john@example.com", "phone": "+1 480 555 1234"}


class _Currency(BaseModel):
    code: str


class _Company(BaseModel):
    rec_name: str
    currency: _Currency


class _Opportunities(RootModel[list[CreatedOpportunity]]):
    """In no order."""


def _turn(given: UpsertParty) -> str:
    return email_key(given.email or "") or phone_key(given.phone or "")


@action(
    effect="idempotent",
    title="Create or update Tryton party",
    example={**_JOHN, "name": "John Smith"},
    one_at_a_time=_turn,
)
async def upsert_party(input: UpsertParty, context: Context) -> UpsertedParty:
    """Find a party by e-mail, else by phone, and add what is missing, or create it. Nothing is replaced or removed."""
    email, phone = parties.keys_of(input)
    found = await parties.find(context, email, phone)

    async def existed() -> bool:
        return found is not None

    created = not await context.kept("existed", existed)
    party = await (parties.add_missing(context, found, input) if found else parties.create(context, input))
    return UpsertedParty(
        id=party.id,
        created=created,
        name=party.name,
        email=find_email(party.mechanisms, email),
        phone=find_phone(party.mechanisms, phone),
    )


@action(effect="read", title="Find Tryton party", example=_JOHN)
async def find_party(input: Keys, context: Context) -> FoundParty:
    """Find an active party by e-mail, else by phone; null where there is none."""
    email, phone = parties.keys_of(input)
    found = await parties.find(context, email, phone)
    if found is None:
        return FoundParty(party=None)
    shown = {"email": find_email(found.mechanisms), "phone": find_phone(found.mechanisms)}
    return FoundParty(party=Party(id=found.id, code=found.code, name=found.name, **shown))


@action(
    effect="idempotent",
    title="Create Tryton opportunity",
    example={"party": 3, "description": "Estate planning", "amount": 1000},
)
async def create_opportunity(input: CreateOpportunity, context: Context) -> CreatedOpportunity:
    """Create an opportunity in the state Lead. One that an earlier attempt of the step created is given again:
    its reference is made of the step's idempotency key.
    """
    reference = _reference(context.idempotency_key)
    if reference and (earlier := await _find_opportunity(context, reference)) is not None:
        return earlier
    await parties.require(context, input.party)
    body: dict[str, Any] = {"party": input.party, "description": one_line(input.description), "reference": reference}
    if input.amount is not None:
        body["amount"] = {"__class__": "Decimal", "decimal": repr(input.amount)}
    if input.comment is not None:
        body["comment"] = whole(input.comment)
    return await ask(context, CreatedOpportunity, "POST", "sale.opportunity", body, f=["number"])


def _reference(idempotency_key: str) -> str | None:
    digest = hashlib.sha256(idempotency_key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"chatforge:{digest[:32]}" if idempotency_key else None


async def _find_opportunity(context: Context, reference: str) -> CreatedOpportunity | None:
    domain = [["reference", "=", reference]]
    found = await ask(context, _Opportunities, "GET", "sale.opportunity", d=encode(domain), f=["number"])
    return found.root[0] if found.root else None


@action(effect="read", title="Check Tryton connection")
async def check_connection(_input: CheckConnection, context: Context) -> CheckedConnection:
    """Show the company of the connection, after a look whether the key may read parties and opportunities."""
    for name in ("party.party", "sale.opportunity"):
        await ask(context, RootModel[list[Any]], "GET", name, s="1", f=["id"])
    shown = ["rec_name", "currency.code"]
    company = await ask(context, _Company, "GET", f"company.company/{context.connection.company}", f=shown)
    return CheckedConnection(company=company.rec_name, currency=company.currency.code)


@hookimpl
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    register(
        ConnectionType(
            model=TrytonConnection,
            title="Tryton",
            help="`key` stands in Tryton: Administration → Users → Users, the page Applications of a user",
            default=lambda _settings: None,
            http=lambda made: HttpOptions(
                made.address,
                {"Authorization": f"Bearer {made.key.get_secret_value()}"},
                base_url_setting="`address` of the connection",
            ),
            test="check_connection",
        )
    )


@hookimpl
def register_actions(register: Callable[[Any], None]) -> None:
    for declared in (upsert_party, find_party, create_opportunity, check_connection):
        register(declared)
