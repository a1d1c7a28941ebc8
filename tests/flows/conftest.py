"""A small catalogue of operations, made from pydantic models as a plugin's would be."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from random import Random
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.flows.catalogue import Catalogue, Operation
from connector.flows.check import Checked, check
from connector.flows.problems import render
from connector.flows.types import TIME, ListOf, Object, Type, Union
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
}
TRIGGER = (LeadFilter, Lead)


def operation(input: type[BaseModel], output: type[BaseModel], effect: str | None = None) -> Operation:
    shown = output.model_json_schema(mode="serialization")
    return Operation.of(input.model_json_schema(), shown, effect, partial(refuse, input))


CATALOGUE = Catalogue(
    {"crm.lead": operation(*TRIGGER)},
    {name: operation(*models, "idempotent") for name, models in MODELS.items()},
    {"acme": "crm", "shop": "store"},
)


def rendered(checked: Checked) -> str:
    """The problems as they are printed, each followed by an empty line."""
    return "".join(f"{render(problem, checked.source)}\n\n" for problem in checked.problems)


def value_of(kind: Type, random: Random) -> Any:
    """Some JSON value of the type."""
    if isinstance(kind, Union):
        return value_of(random.choice(kind.members), random)
    if isinstance(kind, ListOf):
        return [value_of(kind.item, random) for _ in range(random.choice((0, 0, 1, 3)))]
    if isinstance(kind, Object):
        present = [name for name in kind.fields if name in kind.required or random.random() < 0.5]
        extra = {"zz": value_of(kind.extra, random)} if kind.extra is not None and random.random() < 0.6 else {}
        return extra | {name: value_of(kind.fields[name], random) for name in present}
    if kind.words is not None:
        return random.choice(kind.words)
    if kind == TIME:
        return random.choice(("2026-03-25T10:30:00Z", "2026-03-25T10:30:00+02:00", "2025-01-01T00:00:00.5Z"))
    choices: dict[str, tuple[Any, ...]] = {
        "null": (None,),
        "bool": (True, False),
        "int": (0, 1, -1, 5, 2**60),
        "number": (0, 1, 1.5, -2.25),
        "str": ("", "a", "new", "${{ trigger.s }}", "None", "+4917012345", "\ud800\0"),
        "any": (None, 1, True, "x", [], {}, {"a": [1]}),
    }
    return random.choice(choices[kind.kind])


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
