"""The resources of ChatForge, and what its endpoints answer.

A resource keeps fields that we do not know; one that is missing is None; one of another type is an error.
Nothing constrains the text that visitors and authors write: it may hold lone surrogates, which pydantic's own
constraints refuse. Source: the "ChatForge REST API v1" reference.
"""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from connector.chatforge.times import in_utc
from connector.flows.durations import seconds
from connector.marks import PersonalText


def _read_time(value: object) -> object:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("should be a time such as '2026-03-25T10:00:00Z'") from None
    if not isinstance(value, datetime):
        return value
    if (moment := in_utc(value)) is None:
        raise ValueError("should be a time between the years 2 and 9998")
    return moment


def _not_blank(text: str) -> str:
    if text.strip():
        return text
    raise ValueError("should not be blank")


def _check_duration(text: str) -> str:
    if seconds(text) is None:
        raise ValueError("should be a duration such as '500ms', '30s', '5m', '1h' or '30d'")
    return text


Time = Annotated[datetime, BeforeValidator(_read_time)]
"""Aware, UTC. Read from ISO 8601; a time without an offset is taken as UTC."""

NotBlank = Annotated[str, AfterValidator(_not_blank), Field(json_schema_extra={"minLength": 1})]

Id = NotBlank
"""An open string: the reference shows `uuid` in one place and `abc123` in another."""

Duration = Annotated[str, AfterValidator(_check_duration), Field(json_schema_extra={"format": "flow-duration"})]
"""A duration of the flow language, such as `30s`."""


def _check_pause(text: str) -> str:
    if not 1 <= (seconds(text) or 0) <= 86_400:
        raise ValueError("should be a duration from 1s to 1d")
    return text


Pause = Annotated[str, AfterValidator(_check_pause), Field(json_schema_extra={"format": "flow-duration"})]
"""The pause between two polls, such as `1m`."""


def _check_start(text: str) -> str:
    if text in ("now", "all"):
        return text
    try:
        moment = _read_time(text)
    except ValueError:
        raise ValueError("should be now, all or a time such as '2026-03-25T10:00:00Z'") from None
    assert isinstance(moment, datetime)  # noqa: S101 - it was a text
    return moment.isoformat()


Start = Annotated[str, AfterValidator(_check_start)]
"""`now`, `all` or a time."""


class _Resource(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class Agent(_Resource):
    """A chat agent. List and Create give a short one, Get all fields."""

    id: Id
    name: str | None = None
    welcome_message: str | None = None
    system_prompt: str | None = None
    knowledge_base: str | None = None
    active: bool | None = None
    primary_color: str | None = None
    created_at: Time | None = None


class Conversation(_Resource):
    """A visitor's conversation with an agent. Its messages cannot be read through the API."""

    id: Id
    visitor_email: PersonalText = None
    visitor_name: PersonalText = None
    lead_captured: bool | None = None
    message_count: int | None = None
    page_url: str | None = None
    created_at: Time | None = None


class Lead(_Resource):
    """Contact data that a visitor left."""

    id: Id
    visitor_name: PersonalText = None
    visitor_email: PersonalText = None
    visitor_phone: PersonalText = None
    conversation_summary: PersonalText = None
    source_page_url: str | None = None
    created_at: Time | None = None


class Message(_Resource):
    """A message of a conversation."""

    id: Id
    role: str | None = None
    content: PersonalText = None
    created_at: Time | None = None


class Counts(_Resource):
    """How many there are, of all time and of the current month."""

    total: int | None = None
    this_month: int | None = None


class Analytics(_Resource):
    """What Get Analytics answers."""

    month: str | None = None
    """`YYYY-MM`"""
    conversations: Counts | None = None
    leads: Counts | None = None
    messages_this_month: int | None = None


class ListedAgents(_Resource):
    """The agents of the account."""

    agents: list[Agent]


class OneAgent(_Resource):
    """One agent; read from `{"agent": {…}}` or from the bare agent, as the reference does not show both."""

    agent: Agent

    @model_validator(mode="before")
    @classmethod
    def _wrap(cls, value: Any) -> Any:
        return {"agent": value} if isinstance(value, dict) and "agent" not in value else value


class ConversationPage(_Resource):
    """What List Conversations answers. The page may be shorter than `limit` without being the last one."""

    conversations: list[Conversation]
    limit: int | None = None
    offset: int | None = None


class LeadPage(_Resource):
    """What List Leads answers. The page may be shorter than the limit without being the last one."""

    leads: list[Lead]


class RawPage(BaseModel):
    """A page whose items are not read yet, so that one that does not fit does not cost the others."""

    items: list[Any]
    answered_at: Time | None = None
    """By the vendor's clock, from its `Date` header."""


class InjectedMessage(_Resource):
    """The message as ChatForge stored it."""

    message: Message
