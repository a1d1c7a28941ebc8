"""A connector for the bench: two actions that make one HTTP call each, at no limit of rate."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from connector.declare import Action, ActionContext, ConnectionType, action
from connector.errors import ServerError
from connector.hookspecs import hookimpl
from connector.transport import HttpOptions


class Receiver(BaseModel):
    model_config = ConfigDict(extra="forbid")

    address: str


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: str
    text: str


class Note(BaseModel):
    id: str
    accepted: bool


class NewContact(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: str
    name: str | None
    note_id: str


class Contact(BaseModel):
    id: str
    created: bool


@action(effect="once", title="Add a note")
async def add_note(input: NewNote, context: ActionContext[Receiver]) -> Note:
    """Add a note; twice where it is repeated."""
    return Note.model_validate_json(await _post(context, "notes", input))


@action(effect="idempotent", title="Upsert a contact")
async def upsert_contact(input: NewContact, context: ActionContext[Receiver]) -> Contact:
    """Make a contact, or change it."""
    return Contact.model_validate_json(await _post(context, "contacts", input))


async def _post(context: ActionContext[Receiver], path: str, input: BaseModel) -> bytes:
    headers = {"Idempotency-Key": context.idempotency_key}
    answer = await context.http.post(path, json=input.model_dump(), headers=headers)
    if not answer.is_success:
        raise ServerError(f"the receiver answered {answer.status_code}", processed="unknown", status=answer.status_code)
    return answer.content


RECEIVER = ConnectionType(
    model=Receiver,
    title="Receiver",
    help="the bench writes it into connections.yaml",
    default=lambda _settings: None,
    http=lambda receiver: HttpOptions(receiver.address),
)


@hookimpl
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    register(RECEIVER)


@hookimpl
def register_actions(register: Callable[[Action], None]) -> None:
    register(add_note)
    register(upsert_contact)
