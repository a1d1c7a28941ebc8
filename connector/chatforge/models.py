"""The resources of ChatForge, and the inputs and outputs of its actions.

A resource keeps fields that we do not know; one that is missing is None; one of another type is an error.
Nothing constrains the text that visitors and authors write: it may hold lone surrogates, which pydantic's own
constraints refuse. Source: the "ChatForge REST API v1" reference.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from connector.flows.durations import seconds


def _read_time(value: object) -> object:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("should be a time such as '2026-03-25T10:00:00Z'") from None
    if not isinstance(value, datetime):
        return value
    try:
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        raise ValueError("should be a time between the years 1 and 9999") from None


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

AgentId = Annotated[Id, Field(description="The agent, by the id that List agents gives.")]


def _check_start(text: str) -> str:
    if text in ("now", "all"):
        return text
    moment = _read_time(text)
    assert isinstance(moment, datetime)  # noqa: S101 - it was a text
    return moment.isoformat()


Start = Annotated[str, AfterValidator(_check_start)]
"""`now`, `all` or a time."""


class _Resource(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


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
    visitor_email: str | None = None
    visitor_name: str | None = None
    lead_captured: bool | None = None
    message_count: int | None = None
    page_url: str | None = None
    created_at: Time | None = None


class Lead(_Resource):
    """Contact data that a visitor left."""

    id: Id
    visitor_name: str | None = None
    visitor_email: str | None = None
    visitor_phone: str | None = None
    conversation_summary: str | None = None
    source_page_url: str | None = None
    created_at: Time | None = None


class Message(_Resource):
    """A message of a conversation."""

    id: Id
    role: str | None = None
    content: str | None = None
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


class InjectedMessage(_Resource):
    """The message as ChatForge stored it."""

    message: Message


class ListAgents(_Input):
    """Nothing to choose."""


class CreateAgent(_Input):
    """A new agent."""

    name: NotBlank = Field(description="What the agent is called in the dashboard.")
    welcome_message: str | None = Field(None, description="The first words that a visitor sees.")
    system_prompt: str | None = Field(None, description="How the agent should behave.")
    knowledge_base: str | None = Field(None, description="What the agent knows.")
    primary_color: str | None = Field(None, description="Colour of the chat window, such as '#10b981'.")


class UpdateAgent(_Input):
    """New values for an agent. What is not given, or null, stays as it is."""

    agent_id: AgentId
    name: str | None = Field(None, description="What the agent is called in the dashboard.")
    welcome_message: str | None = Field(None, description="The first words that a visitor sees.")
    system_prompt: str | None = Field(None, description="How the agent should behave.")
    knowledge_base: str | None = Field(None, description="What the agent knows.")
    primary_color: str | None = Field(None, description="Colour of the chat window, such as '#10b981'.")
    active: bool | None = Field(None, description="Whether the agent answers visitors.")


class ListConversations(_Input):
    """One page of an agent's conversations."""

    agent_id: AgentId
    limit: int = Field(50, ge=1, description="How many to ask for; ChatForge may send fewer.")
    offset: int = Field(0, ge=0, description="How many to skip; pass the next_offset of the page before.")


class ListedConversations(BaseModel):
    """One page of conversations, in ChatForge's order, which is not documented."""

    conversations: list[Conversation]
    next_offset: int | None = Field(description="The offset of the next page; null after an empty page.")


class FindConversation(_Input):
    """What is known of the visitor. Without an e-mail, name and page and time are required."""

    agent_id: AgentId
    visitor_email: str | None = Field(None, description="The visitor's e-mail; upper and lower case are alike.")
    visitor_name: str | None = Field(None, description="The visitor's name, exactly.")
    page_url: str | None = Field(None, description="The page on which the visitor chatted, exactly.")
    captured_at: Time | None = Field(
        None, description="When the lead was captured; the conversation began at most 60 s after that."
    )
    max_pages: int = Field(5, ge=1, description="How many pages of 50 conversations to look at.")
    wait_up_to: Duration = Field("0s", description="How long to look again until one is found, such as '30s'.")


class FoundConversation(BaseModel):
    """The newest conversation that matches, if any."""

    conversation: Conversation | None
    candidates: int = Field(description="How many matched among those that were looked at.")
    complete: bool = Field(description="False when newer matches may be on pages that were not looked at.")


class InjectMessage(_Input):
    """A message to the visitor of an active conversation, as the assistant."""

    agent_id: AgentId
    conversation_id: Id = Field(description="The conversation; it must be active.")
    content: NotBlank = Field(description="The text that the visitor sees.")
