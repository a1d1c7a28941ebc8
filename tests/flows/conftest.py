"""A small catalogue of operations, made from pydantic models as a plugin's would be."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from random import Random
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.flows import types
from connector.flows.catalogue import Catalogue, Operation
from connector.flows.check import Checked, check
from connector.flows.problems import render
from connector.flows.types import ListOf, Object, Simple, Type
from connector.validation import refuse


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class LeadFilter(Input):
    agent_id: str | None = None
    events: list[str] | None = None


class Page(BaseModel):
    url: str
    title: str | None = None


class Lead(BaseModel):
    lead_id: str | None
    agent_id: str
    captured_at: datetime
    visitor_name: str | None = None
    visitor_email: str | None = None
    visitor_phone: str | None = None
    score: int
    source: Literal["webhook", "poll"]
    tags: list[str]
    pages: list[Page]
    labels: dict[str, str]
    data: dict[str, Any]


class UpsertContact(Input):
    email: str
    name: str | None = None
    phone: str | None = None
    stage: Literal["new", "won", "lost"] = "new"
    rating: float | None = None
    properties: dict[str, Any] = Field(default_factory=dict)


class UpsertedContact(BaseModel):
    id: str
    created: bool
    owner: str | None


class FindConversation(Input):
    agent_id: str
    captured_at: datetime | None = None
    max_pages: int = 5
    wait_up_to: Annotated[str, Field(json_schema_extra={"format": "flow-duration"})] = "0s"


class Conversation(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str
    visitor_email: str | None = None


class FoundConversation(BaseModel):
    conversation: Conversation | None
    candidates: int
    complete: bool


class Line(Input):
    text: str
    amount: int | None = None


class Options(Input):
    colour: str
    urgent: bool = False


class SendMessage(Input):
    conversation_id: str
    content: str
    options: Options | None = None
    lines: list[Line] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.options and self.lines:
            raise ValueError("expected either options or lines")
        return self


class SentMessage(BaseModel):
    id: str
    created_at: datetime


class Card(BaseModel):
    kind: Literal["card"]
    number: str


class Bank(BaseModel):
    kind: Literal["bank"]
    iban: str | None


class Payment(BaseModel):
    method: Card | Bank
    history: list[Card | Bank] = Field(default_factory=list)


class Pickup(Input):
    kind: Literal["pickup"]
    at: datetime


class Delivery(Input):
    kind: Literal["delivery", "express"]
    address: str


class Part(Input):
    name: str
    size: tuple[int, float] | None = None
    parts: "list[Part]" = Field(default_factory=list)


class Order(Input):
    transport: Annotated[Pickup | Delivery, Field(discriminator="kind")]
    content: Part
    limits: dict[Literal["weight", "volume"], int] = Field(default_factory=dict)


class Booking(Input):
    room: str
    seats: int = Field(1, ge=1)


class Nothing(Input):
    pass


MODELS: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "crm.upsert": (UpsertContact, UpsertedContact),
    "crm.find": (FindConversation, FoundConversation),
    "crm.send": (SendMessage, SentMessage),
    "crm.payment": (Nothing, Payment),
    "crm.book": (Booking, SentMessage),
    "crm.order": (Order, Order),
}
EFFECTS = {"crm.send": "once"}
TRIGGER = (LeadFilter, Lead)


def operation(input: type[BaseModel], output: type[BaseModel], effect: str | None = None) -> Operation:
    shown = output.model_json_schema(mode="serialization")
    return Operation.of(input.model_json_schema(), shown, effect, partial(refuse, input))


CATALOGUE = Catalogue(
    {"crm.lead": operation(*TRIGGER)},
    {name: operation(*models, EFFECTS.get(name, "idempotent")) for name, models in MODELS.items()},
    {"acme": "crm", "shop": "store"},
)


def rendered(checked: Checked) -> str:
    """The problems as they are printed, each followed by an empty line."""
    return "".join(f"{render(problem, checked.source)}\n\n" for problem in checked.problems)


def value_of(kind: Type, random: Random, depth: int = 0) -> Any:
    """Some JSON value of the type; deep down one of the smallest, as types may contain themselves."""
    members = types.parts(kind)
    flat = [part for part in members if isinstance(part, Simple)]
    kind = random.choice(flat if flat and depth > _DEEP else members)
    if isinstance(kind, ListOf):
        number = 0 if depth > _DEEP else random.choice((0, 0, 1, 3))
        items = [kind.item] * number if kind.positions is None else kind.positions
        return [value_of(item, random, depth + 1) for item in items]
    if isinstance(kind, Object):
        chance = 0 if depth > _DEEP else 0.5
        present = [name for name in kind.fields if name in kind.required or random.random() < chance]
        extra = {"zz": kind.extra} if kind.extra is not None and random.random() < chance else {}
        wanted = {**extra, **{name: kind.fields[name] for name in present}}
        return {name: value_of(field, random, depth + 1) for name, field in wanted.items()}
    assert isinstance(kind, Simple)
    return random.choice(kind.words or _BY_FORMAT.get(kind.format) or _BY_KIND[kind.kind])


_DEEP = 4
_BY_FORMAT: dict[str | None, tuple[Any, ...]] = {
    "date-time": ("2026-03-25T10:30:00Z", "2026-03-25T10:30:00+02:00", "2025-01-01T00:00:00.5Z"),
    "duration": ("0s", "15m", "500ms"),
    "date": ("2026-03-25",),
    "clock": ("09:30", "09:30:15.5Z"),
    "uuid": ("2f1c0e9a-7a53-4a2e-9f0e-0c1d2e3f4a5b",),
}
_BY_KIND: dict[str, tuple[Any, ...]] = {
    "null": (None,),
    "bool": (True, False),
    "int": (0, 1, -1, 5, 2**60),
    "number": (0, 1, 1.5, -2.25),
    "str": ("", "a", "new", "${{ trigger.s }}", "None", "+4917012345", "\ud800\0"),
    "any": (None, 1, True, "x", [], {}, {"a": [1]}),
}


@pytest.fixture(scope="session")
def make_value() -> Callable[[Type, Random], Any]:
    """Makes some JSON value of a type."""
    return value_of


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return CATALOGUE


@pytest.fixture(scope="session")
def models() -> dict[str, tuple[type[BaseModel], type[BaseModel]]]:
    """The models of the actions, and under `trigger` those of the trigger."""
    return {**MODELS, "trigger": TRIGGER}


@pytest.fixture(scope="session")
def check_text() -> Callable[[bytes | str], Checked]:
    return lambda content: check(content, "leads.yaml", CATALOGUE)


@pytest.fixture(scope="session")
def render_problems() -> Callable[[Checked], str]:
    return rendered


@pytest.fixture(scope="session")
def effects() -> dict[str, str]:
    """The effects of the actions that are not idempotent."""
    return EFFECTS
