"""Contacts, notes and deals in HubSpot.

Source: HubSpot's published reference of its CRM objects API, version 2026-03. Nothing here was recorded from HubSpot.
"""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.declare import ActionContext, ConnectionType, RateLimit, Secret, action
from connector.errors import InputError, NotFoundError, OutputError, RateLimitError, RejectedError
from connector.hookspecs import hookimpl
from connector.marks import PERSONAL, PersonalText
from connector.rest import Service
from connector.transport import HttpOptions
from connector.validation import replace_surrogates

_NOTE_TO_CONTACT, _DEAL_TO_CONTACT = 202, 3  # association types that HubSpot defines
_SHOWN = "email,firstname,lastname,phone,lifecyclestage"
_DAILY = "DAILY"
_RARE = ("archivedAt", "new", "objectWriteTraceId", "propertiesWithHistory", "url")
"""Fields of an object that only some answers have, by the reference."""


class HubSpotConnection(BaseModel):
    """A HubSpot account."""

    model_config = ConfigDict(extra="forbid")

    token: Secret = Field(description="The access token of a private app with the scopes of what flows do.")
    version: str = Field("2026-03", pattern=r"^[0-9]{4}-[0-9]{2}$", description="The dated version of the API.")
    address: str = Field("https://api.hubapi.com", description="The address of the API.")


Context = ActionContext[HubSpotConnection]


class Contact(BaseModel):
    id: str
    email: PersonalText = None
    first_name: PersonalText = None
    last_name: PersonalText = None
    phone: PersonalText = None
    properties: Annotated[dict[str, str | None], PERSONAL] = Field(description="As HubSpot has them, by its own names.")


class UpsertContact(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: str = Field(description="By which the contact is found.")
    first_name: str | None = Field(None, description="What is not given stays as it is.")
    last_name: str | None = None
    phone: str | None = None
    properties: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="More properties, by HubSpot's own names: lifecyclestage."
    )


class UpsertedContact(BaseModel):
    id: str
    created: bool = Field(description="True where there was no such contact before.")


class FindContact(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: str


class FoundContact(BaseModel):
    contact: Contact | None


class AddNote(BaseModel):
    model_config = ConfigDict(extra="forbid")

    contact_id: str
    text: str = Field(description="Shown as it is; it is no HTML.")


class CreateDeal(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    stage: str = Field(description="The id of a stage: appointmentscheduled")
    pipeline: str = "default"
    amount: float | None = None
    contact_id: str | None = None
    properties: dict[str, str | int | float | bool] = Field(default_factory=dict)


class Created(BaseModel):
    id: str


class ListContacts(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10, ge=1, le=100)
    after: str | None = Field(None, description="`next_after` of the page before.")


class ContactPage(BaseModel):
    contacts: list[Contact]
    next_after: str | None = Field(description="Null on the last page.")


class _Entry(BaseModel):
    """An object with all that the reference shows of it, so that what is new there is noticed."""

    model_config = ConfigDict(extra="allow")

    id: str
    properties: dict[str, str | None] = Field(default_factory=dict)
    created: str | None = Field(None, alias="createdAt")
    updated: str | None = Field(None, alias="updatedAt")
    archived: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop(cls, value: Any) -> Any:
        return {name: one for name, one in value.items() if name not in _RARE} if isinstance(value, dict) else value


class _Batch(BaseModel):
    results: list[_Entry] = Field(default_factory=list)
    errors: list[dict[str, Any]] = Field(default_factory=list)


class _Link(BaseModel):
    after: str | None = None


class _Page(BaseModel):
    results: list[_Entry]
    paging: dict[Literal["next", "prev"], _Link] = Field(default_factory=dict)


def _find_message(body: Any) -> str:
    """`message`, with the fields that `errors` name."""
    if not isinstance(body, Mapping):
        return ""
    found = body.get("errors") or body.get("validationResults")
    details = found if isinstance(found, list) else ()
    parts = [body.get("message"), *(_detail(one) for one in details if isinstance(one, Mapping))]
    return "; ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part))


def _detail(error: Mapping[str, Any]) -> str:
    field, message = error.get("in") or error.get("name"), str(error.get("message", ""))
    return f"{field}: {message}" if field else message


_SERVICE = Service(
    "HubSpot",
    "copy the token of the private app again: HubSpot, Settings → Integrations → Private Apps",
    "give the private app the scope that HubSpot names",
    _find_message,
)


async def _ask(context: Context, method: str, path: str, body: Any = None, **params: str) -> httpx.Response:
    """The successful answer. Raises ActionError; the daily limit is not one that passes while a step is repeated."""
    response = await context.http.request(method, path, json=body, params=params or None)
    try:
        _SERVICE.require_success(response, context.now)
    except RateLimitError as error:
        if _policy(response) == _DAILY:
            message = f"HubSpot takes no more requests today (429: {_DAILY}); retry the run tomorrow"
            raise RateLimitError(message, status=error.status, retry_after=error.retry_after) from None
        raise
    return response


def _policy(response: httpx.Response) -> object:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None
    return body.get("policyName") if isinstance(body, Mapping) else None


def _objects(context: Context, kind: str) -> str:
    return f"/crm/objects/{context.connection.version}/{kind}"


@action(
    effect="idempotent",
    title="Upsert HubSpot contact",
    example={"email": "john@example.com", "first_name": "John", "last_name": "Smith"},
    one_at_a_time=lambda given: given.email.strip().casefold(),
)
async def upsert_contact(input: UpsertContact, context: Context) -> UpsertedContact:
    """Find a contact by its e-mail and update it, or create it."""

    async def exists() -> bool:
        return await _find(context, input.email) is not None

    existed = await context.kept("existed", exists)
    email = _address(input.email)
    given = {"firstname": input.first_name, "lastname": input.last_name, "phone": input.phone}
    properties = {**_texts({**given, **input.properties}), "email": email}
    entry = {"id": email, "idProperty": "email", "properties": properties}
    answer = await _ask(context, "POST", f"{_objects(context, 'contacts')}/batch/upsert", {"inputs": [entry]})
    return UpsertedContact(id=_only(answer, context).id, created=not existed)


def _only(answer: httpx.Response, context: Context) -> _Entry:
    """The one result of a batch; with status 207 there may be an error in its place."""
    batch = _SERVICE.read(answer, _Batch, context)
    if batch.results:
        return batch.results[0]
    reasons = "; ".join(filter(None, map(_find_message, batch.errors)))
    if reasons:
        raise RejectedError(f"HubSpot refuses the contact ({reasons}); correct the input", status=answer.status_code)
    raise OutputError("HubSpot says neither that the contact was saved nor why not", processed="unknown")


@action(effect="read", title="Find HubSpot contact", example={"email": "john@example.com"})
async def find_contact(input: FindContact, context: Context) -> FoundContact:
    """Find a contact by its e-mail; null where there is none."""
    found = await _find(context, input.email)
    return FoundContact(contact=_contact(found) if found else None)


def _address(email: str) -> str:
    """The e-mail as it stands in a path. Raises InputError where it would be another path."""
    text = replace_surrogates(email).strip()
    if text in ("", ".", ".."):
        raise InputError(f"email is {email!r}: expected an address; guard the step with `if`")
    return text


async def _find(context: Context, email: str) -> _Entry | None:
    path = f"{_objects(context, 'contacts')}/{quote(_address(email), safe='')}"
    try:
        answer = await _ask(context, "GET", path, idProperty="email", properties=_SHOWN)
    except NotFoundError:
        return None
    return _SERVICE.read(answer, _Entry, context)


@action(
    effect="once",
    title="Add HubSpot note",
    example={"contact_id": "101", "text": "Asked about estate planning."},
)
async def add_note(input: AddNote, context: Context) -> Created:
    """Add a note to a contact. HubSpot does not recognise a repeated one, so doing it twice adds two."""
    body = html.escape(input.text).replace("\n", "<br>")
    properties = {"hs_timestamp": context.now.isoformat(), "hs_note_body": body}
    return await _create(context, "notes", properties, [(input.contact_id, _NOTE_TO_CONTACT)])


@action(
    effect="once",
    title="Create HubSpot deal",
    example={"name": "Estate planning", "stage": "appointmentscheduled", "contact_id": "101"},
)
async def create_deal(input: CreateDeal, context: Context) -> Created:
    """Create a deal, for a contact where one is given. Doing it twice creates two."""
    given = {"dealname": input.name, "dealstage": input.stage, "pipeline": input.pipeline, "amount": input.amount}
    links = [(input.contact_id, _DEAL_TO_CONTACT)] if input.contact_id else []
    return await _create(context, "deals", _texts({**given, **input.properties}), links)


@action(effect="read", title="List HubSpot contacts", example={"limit": 10})
async def list_contacts(input: ListContacts, context: Context) -> ContactPage:
    """List contacts, a page at a time."""
    after = {"after": input.after} if input.after else {}
    asked = {"limit": str(input.limit), "properties": _SHOWN, **after}
    answer = await _ask(context, "GET", _objects(context, "contacts"), **asked)
    page = _SERVICE.read(answer, _Page, context)
    following = page.paging.get("next", _Link())
    return ContactPage(contacts=[*map(_contact, page.results)], next_after=following.after)


async def _create(
    context: Context, kind: str, properties: Mapping[str, str], links: Sequence[tuple[str, int]]
) -> Created:
    associations = [
        {"to": {"id": target}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}]}
        for target, number in links
    ]
    body = {"properties": properties, "associations": associations}
    answer = await _ask(context, "POST", _objects(context, kind), body)
    return Created(id=_SERVICE.read(answer, _Entry, context).id)


def _contact(entry: _Entry) -> Contact:
    names = {"email": "email", "first_name": "firstname", "last_name": "lastname", "phone": "phone"}
    found = {name: entry.properties.get(theirs) for name, theirs in names.items()}
    return Contact(id=entry.id, properties=entry.properties, **found)


def _texts(properties: Mapping[str, Any]) -> dict[str, str]:
    """The properties that are given, as the texts that HubSpot takes."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in properties.items()
        if value is not None
    }


@hookimpl
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    register(
        ConnectionType(
            model=HubSpotConnection,
            title="HubSpot",
            help="`token` is that of a private app: HubSpot, Settings → Integrations → Private Apps",
            help_url="https://developers.hubspot.com/docs/apps/legacy-apps/private-apps/overview",
            default=lambda _settings: None,
            http=lambda made: HttpOptions(
                made.address,
                {"Authorization": f"Bearer {made.token.get_secret_value()}"},
                base_url_setting="`address` of the connection",
            ),
            rate_limit=RateLimit(100, 10, "private app"),
            test="list_contacts",
        )
    )


@hookimpl
def register_actions(register: Callable[[Any], None]) -> None:
    for declared in (upsert_contact, find_contact, add_note, create_deal, list_contacts):
        register(declared)
