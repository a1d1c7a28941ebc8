"""Greeting cards: a plugin with two actions, a trigger that is polled, and one that a webhook brings."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from connector.declare import (
    Action,
    ActionContext,
    ConnectionType,
    Event,
    Page,
    PollRequest,
    PollStep,
    Secret,
    Trigger,
    Webhook,
    action,
)
from connector.errors import (
    ActionError,
    AuthenticationError,
    NotFoundError,
    OutputError,
    PlanError,
    RateLimitError,
    RejectedError,
    ServerError,
    WebhookError,
)
from connector.hookspecs import hookimpl
from connector.transport import HttpOptions

Model = TypeVar("Model", bound=BaseModel)


class Account(BaseModel):
    """An account at the card service."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(description="Where the service is, such as https://cards.example.com.")
    key: Secret = Field(description="The API key.")
    webhook_secret: Secret = Field(description="What the service signs its webhooks with.")


class NewCard(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: str
    text: str


class Card(BaseModel):
    id: str
    to: str
    text: str
    sent_at: AwareDatetime


class ListCards(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1)
    offset: int = Field(0, ge=0)


class CardPage(BaseModel):
    cards: list[Card] = Field(description="Oldest first.")
    next_offset: int | None = Field(description="Null on the last page.")


class Opening(BaseModel):
    """A card was opened."""

    card_id: str
    by: str
    opened_at: AwareDatetime


class Opened(BaseModel):
    """Which openings."""

    model_config = ConfigDict(extra="forbid")

    by: str | None = Field(None, description="Only by this reader.")


class NewCards(BaseModel):
    """From when on, and how often to look."""

    model_config = ConfigDict(extra="forbid")

    start: Literal["now", "all"] = Field("now", description="now: only cards that are sent later.")
    every: float = Field(60, ge=1, description="Seconds between two looks.")


# Actions. An action makes one attempt: whoever runs it decides whether to try again, by the error and the effect.


@action(effect="once", title="Send card", example={"to": "Ann", "text": "Good morning!"})
async def send_card(input: NewCard, context: ActionContext[Account]) -> Card:
    """Send a greeting card."""
    return await ask(context.http, Card, "POST", "cards", json=input.model_dump())


@action(effect="read", title="List cards", example={"limit": 10})
async def list_cards(input: ListCards, context: ActionContext[Account]) -> CardPage:
    """List the cards that were sent, oldest first."""
    return await ask(context.http, CardPage, "GET", "cards", params=input.model_dump())


async def ask(http: httpx.AsyncClient, model: type[Model], method: str, path: str, **request: Any) -> Model:
    """Send a request and read its answer. Where none comes, `http` raises the right error."""
    answer = await http.request(method, path, **request)
    if not answer.is_success:
        raise error_of(answer)
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        message = f"the card service answered {method} {path} with what is no {model.__name__}; see its status page"
        raise OutputError(message, processed="unknown", status=answer.status_code) from None


REFUSALS: Mapping[int, tuple[type[ActionError], str]] = {
    401: (AuthenticationError, "the key is not accepted; make another one and set it as `key`"),
    403: (PlanError, "the plan of this account does not include the API; choose another plan"),
    404: (NotFoundError, "there is no such card in this account; check its id"),
    429: (RateLimitError, "there were too many requests with this key; wait"),
}


def error_of(answer: httpx.Response) -> ActionError:
    """What a status outside 2xx means. After a 5xx nobody knows whether the request was carried out."""
    status = answer.status_code
    if status >= 500:
        message = f"the card service failed ({status}); look whether it has carried out the request"
        return ServerError(message, processed="unknown", transient=True, status=status)
    kind, reason = REFUSALS.get(status, (RejectedError, "the request was refused; correct its input"))
    seconds = answer.headers.get("retry-after", "")
    return kind(
        f"{reason} ({status})",
        transient=status == 429,
        status=status,
        retry_after=float(seconds) if seconds.isdecimal() else None,
    )


# A polled trigger is a pure step: it says what it wants to see next, and gets that as `page`.


def poll_cards(wanted: NewCards, state: Mapping[str, Any] | None, page: Page, _now: datetime) -> PollStep:
    """The list begins with the oldest card, so what is new stands behind the cards that were seen."""
    seen, known = (state["seen"], state["known"]) if state else (0, wanted.start == "now")
    if isinstance(page, NotFoundError):
        raise page
    if page is None:  # a round begins
        return PollStep((), {"seen": seen, "known": known}, PollRequest("list_cards", {"offset": seen}))
    events = [] if known else [read_card(card) for card in page["cards"]]
    seen += len(page["cards"])
    if page["next_offset"] is None:
        return PollStep(events, {"seen": seen, "known": False}, None)
    return PollStep(events, {"seen": seen, "known": known}, PollRequest("list_cards", {"offset": seen}))


def read_card(card: Mapping[str, Any]) -> Event:
    """A card of the list as an event."""
    return Event("card", card["id"], datetime.fromisoformat(card["sent_at"]), card, "poll")


def select_card(event: Event, _wanted: NewCards, _received_at: datetime) -> Card | None:
    return Card.model_validate(event.payload) if event.name == "card" else None


# A webhook is verified, then parsed. What it says was written by others, even when the signature is right.


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> str:
    """The service sends the HMAC-SHA256 of the body in X-Cards-Signature, as hex digits."""
    given = {name.lower(): value for name, value in headers.items()}.get("x-cards-signature", "")
    fits = [hmac.compare_digest(sign(body, secret).encode(), given.encode()) for secret in secrets]
    if not any(fits):
        raise WebhookError("X-Cards-Signature does not fit the body; compare the webhook secret", status=401)
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise WebhookError("the body is not UTF-8 text; send UTF-8", status=400) from None


def sign(body: bytes, secret: str) -> str:
    """What the service sends as X-Cards-Signature."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def parse(text: str) -> Event:
    """An opening: `{"id", "card_id", "by", "timestamp"}`."""
    try:
        payload = json.loads(text)
        return Event("opened", str(payload["id"]), datetime.fromisoformat(payload["timestamp"]), payload)
    except (KeyError, TypeError, ValueError, RecursionError):
        raise WebhookError("the body is no opening; send an object with id and timestamp", status=400) from None


def select_opening(event: Event, wanted: Opened, received_at: datetime) -> Opening | None:
    if event.name != "opened" or wanted.by not in (None, event.payload["by"]):
        return None
    return Opening(card_id=event.payload["card_id"], by=event.payload["by"], opened_at=event.occurred_at or received_at)


# What the plugin registers.

CARD = {"id": "card-1", "to": "Ann", "text": "Good morning!", "sent_at": "2026-03-25T10:30:00Z"}
OPENING = {"id": "opening-1", "card_id": "card-1", "by": "Ann", "timestamp": "2026-03-25T10:35:00Z"}

NEW_CARD = Trigger(
    name="new_card",
    title="New card",
    description="A card that was not in the list of cards before. Found by polling.",
    input=NewCards,
    output=Card,
    select=select_card,
    sample=read_card(CARD),
    sources=("poll",),
    poll=poll_cards,
    pause=lambda wanted: wanted.every,
)
CARD_OPENED = Trigger(
    name="card_opened",
    title="Card opened",
    description="A reader has opened a card; told by webhook.",
    input=Opened,
    output=Opening,
    select=select_opening,
    sample=parse(json.dumps(OPENING)),
)
ACCOUNT = ConnectionType(
    model=Account,
    title="Card service",
    help="the key and the webhook secret are on the account page of the card service",
    default=lambda _settings: None,  # nothing from the environment: every account is in connections.yaml
    http=lambda account: HttpOptions(account.address, {"Authorization": f"Bearer {account.key.get_secret_value()}"}),
    webhook=Webhook(verify, parse, lambda account, _now: [account.webhook_secret.get_secret_value()]),
    test="list_cards",
)


@hookimpl
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    register(ACCOUNT)


@hookimpl
def register_actions(register: Callable[[Action], None]) -> None:
    for declared in (send_card, list_cards):
        register(declared)


@hookimpl
def register_triggers(register: Callable[[Trigger], None]) -> None:
    for declared in (NEW_CARD, CARD_OPENED):
        register(declared)
