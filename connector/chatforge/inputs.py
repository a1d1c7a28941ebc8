"""The inputs of the ChatForge actions, and those outputs that no endpoint answers with. Null is as not given."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.chatforge.models import Agent, Conversation, Duration, Id, Lead, NotBlank, Time
from connector.marks import chosen_from

AGENTS = chosen_from("list_agents", "agents")
AgentId = Annotated[Id, AGENTS, Field(description="The agent, by the id that List agents gives.")]
ConversationId = Annotated[
    Id, chosen_from("list_conversations", "conversations", label="visitor_name", cursor="offset")
]

MaxPages = Annotated[int, Field(ge=1, le=100, description="How many pages of 50 to look at, at most.")]


class StrictInput(BaseModel):
    """What all inputs of this plugin are: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


def is_given(text: str | None) -> bool:
    """Whether a text says something: a field that a visitor left empty does not."""
    return bool(text and text.strip())


class ListAgents(StrictInput):
    """Nothing to choose."""


class OneAgentId(StrictInput):
    """Which agent."""

    agent_id: AgentId


class _AgentFields(StrictInput):
    welcome_message: str | None = Field(None, description="The first words that a visitor sees.")
    system_prompt: str | None = Field(None, description="How the agent should behave.")
    knowledge_base: str | None = Field(None, description="What the agent knows.")
    primary_color: str | None = Field(None, description="Colour of the chat window, such as '#10b981'.")


class CreateAgent(_AgentFields):
    """A new agent."""

    name: NotBlank = Field(description="What the agent is called in the dashboard.")


class UpdateAgent(_AgentFields):
    """New values for an agent. What is not given, or null, stays as it is."""

    agent_id: AgentId
    name: NotBlank | None = Field(None, description="What the agent is called in the dashboard.")
    active: bool | None = Field(None, description="Whether the agent answers visitors.")

    @model_validator(mode="after")
    def _something_to_change(self) -> Self:
        if self.model_dump(exclude={"agent_id"}, exclude_none=True):
            return self
        raise ValueError("there is nothing to change; give at least one field beside agent_id that is not null")


class UpsertAgent(_AgentFields):
    """The agent of this name, and what it should be like. What is not given, or null, stays as it is."""

    name: NotBlank = Field(description="The agent is found by its name, exactly.")
    active: bool | None = Field(None, description="Whether the agent answers visitors.")


class UpsertedAgent(BaseModel):
    """The agent, and whether it is new."""

    agent: Agent
    created: bool


class DeletedAgent(BaseModel):
    """That the agent is gone."""

    deleted: bool


class _ListPage(StrictInput):
    agent_id: AgentId
    limit: int = Field(50, ge=1, description="How many to ask for; ChatForge may send fewer.")
    offset: int = Field(0, ge=0, description="How many to skip; pass the next_offset of the page before.")


class ListConversations(_ListPage):
    """One page of an agent's conversations."""


class ListLeads(_ListPage):
    """One page of an agent's leads."""


class ListedConversations(BaseModel):
    """One page of conversations, in ChatForge's order, which is not documented."""

    conversations: list[Conversation]
    next_offset: int | None = Field(description="The offset of the next page; null after an empty page.")


class ListedLeads(BaseModel):
    """One page of leads, in ChatForge's order, which is not documented."""

    leads: list[Lead]
    next_offset: int | None = Field(description="The offset of the next page; null after an empty page.")


class Find(StrictInput):
    """What both searches take."""

    agent_id: AgentId
    visitor_email: str | None = Field(None, description="The visitor's e-mail; upper and lower case are alike.")
    visitor_name: str | None = Field(None, description="The visitor's name, exactly.")
    page_url: str | None = Field(None, description="The page on which the visitor chatted, exactly.")
    max_pages: MaxPages = 5
    wait_up_to: Duration = Field("0s", description="How long to look again until one is found, such as '30s'.")


class FindConversation(Find):
    """What is known of the visitor. Without an e-mail, name and page and time are required."""

    captured_at: Time | None = Field(
        None, description="When the lead was captured; the conversation began at most 60 s after that."
    )

    @model_validator(mode="after")
    def _enough_is_known(self) -> Self:
        if is_given(self.visitor_email) or (
            is_given(self.visitor_name) and is_given(self.page_url) and self.captured_at
        ):
            return self
        raise ValueError(
            "without visitor_email, a conversation is found only by visitor_name, page_url and captured_at "
            "together; give the e-mail or all three"
        )


class FoundConversation(BaseModel):
    """The newest conversation that matches, if any."""

    conversation: Conversation | None
    candidates: int = Field(description="How many matched among those that were looked at.")
    complete: bool = Field(description="False when newer matches may be on pages that were not looked at.")


class FindLead(Find):
    """What is known of the lead: its id, or contact data, or name and page and time."""

    lead_id: str | None = Field(None, description="The lead's id.")
    visitor_phone: str | None = Field(None, description="The visitor's phone number, exactly.")
    captured_at: Time | None = Field(
        None, description="When the lead was captured; leads more than 10 minutes from it do not match."
    )

    @model_validator(mode="after")
    def _enough_is_known(self) -> Self:
        if any(map(is_given, (self.lead_id, self.visitor_email, self.visitor_phone))) or (
            is_given(self.visitor_name) and is_given(self.page_url) and self.captured_at
        ):
            return self
        raise ValueError(
            "a lead is found by lead_id, visitor_email or visitor_phone, or by visitor_name, page_url and "
            "captured_at together; give one of the first or all three"
        )


class FoundLead(BaseModel):
    """The newest lead that matches, if any."""

    lead: Lead | None
    complete: bool = Field(description="False when newer matches may be on pages that were not looked at.")


class InjectMessage(StrictInput):
    """A message to the visitor of an active conversation, as the assistant."""

    agent_id: AgentId
    conversation_id: ConversationId = Field(description="The conversation; it must be active.")
    content: NotBlank = Field(description="The text that the visitor sees.")
