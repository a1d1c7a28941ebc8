"""What an account at ChatForge holds: agents, conversations with their messages, and leads."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from connector.sandbox.refusals import bad_request, not_found

Clock = Callable[[], datetime]
"""Gives the time as an aware datetime."""
Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Agent:
    """A chatbot. The defaults are the values that the reference shows for List Agents."""

    id: str
    name: str
    created_at: datetime
    welcome_message: str = "Hi! How can I help?"
    system_prompt: str = ""
    knowledge_base: str = ""
    primary_color: str = "#6366f1"
    active: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """One line of a chat. `injected`: a person wrote it through the API, in the assistant's name."""

    id: str
    role: Role
    content: str
    created_at: datetime
    injected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who chats, where, and what about, as far as it is known."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    page_url: str | None = None
    summary: str | None = None


@dataclass(slots=True)
class Conversation:
    """A chat; messages can be injected while it is active."""

    id: str
    agent_id: str
    visitor: Visitor
    created_at: datetime
    messages: list[Message] = field(default_factory=list)
    lead_captured: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True)
class Lead:
    """Contact details that a visitor left in a conversation."""

    id: str
    agent_id: str
    conversation_id: str
    visitor: Visitor
    created_at: datetime


class Account:
    """Everything of one account, in memory. All methods that look something up raise RefusedError (404)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.agents: dict[str, Agent] = {}
        self.conversations: dict[str, Conversation] = {}
        self.leads: dict[str, Lead] = {}

    def create_agent(self, values: dict[str, Any], agent_id: str | None = None) -> Agent:
        """Add an agent; `values` are fields of `Agent`, among them `name`."""
        agent = Agent(id=agent_id or str(uuid4()), created_at=self._clock(), **values)
        self.agents[agent.id] = agent
        return agent

    def get_agent(self, agent_id: str) -> Agent:
        """The agent with this id."""
        if agent_id not in self.agents:
            raise not_found("agent", agent_id)
        return self.agents[agent_id]

    def update_agent(self, agent_id: str, values: dict[str, Any]) -> Agent:
        """Change the given fields of an agent and leave the others."""
        agent = replace(self.get_agent(agent_id), **values)
        self.agents[agent_id] = agent
        return agent

    def delete_agent(self, agent_id: str) -> None:
        """Remove an agent with its conversations and leads."""
        del self.agents[self.get_agent(agent_id).id]
        self.conversations = {i: c for i, c in self.conversations.items() if c.agent_id != agent_id}
        self.leads = {i: lead for i, lead in self.leads.items() if lead.agent_id != agent_id}

    def start_conversation(self, agent_id: str, visitor: Visitor) -> Conversation:
        """Begin an active conversation with the agent's welcome message."""
        agent = self.get_agent(agent_id)
        conversation = Conversation(str(uuid4()), agent_id, visitor, self._clock())
        self.conversations[conversation.id] = conversation
        self.add_message(conversation, "assistant", agent.welcome_message)
        return conversation

    def get_conversation(self, conversation_id: str) -> Conversation:
        """The conversation with this id."""
        if conversation_id not in self.conversations:
            raise not_found("conversation", conversation_id)
        return self.conversations[conversation_id]

    def add_message(self, conversation: Conversation, role: Role, content: str, *, injected: bool = False) -> Message:
        """Append a line to a chat."""
        message = Message(str(uuid4()), role, content, self._clock(), injected)
        conversation.messages.append(message)
        return message

    def inject_message(self, agent_id: str, conversation_id: str, content: str) -> Message:
        """Append what a person says as the assistant. Refused with 400 when the conversation is not active."""
        conversation = self.get_conversation(conversation_id)
        if conversation.agent_id != self.get_agent(agent_id).id:
            raise not_found("conversation", conversation_id)
        if not conversation.active:
            raise bad_request(f"conversation {conversation_id!r} is not active")
        return self.add_message(conversation, "assistant", content, injected=True)

    def capture_lead(self, conversation: Conversation) -> Lead:
        """Turn the conversation's visitor into a lead."""
        lead = Lead(str(uuid4()), conversation.agent_id, conversation.id, conversation.visitor, self._clock())
        self.leads[lead.id] = lead
        conversation.lead_captured = True
        return lead

    def conversations_of(self, agent_id: str) -> list[Conversation]:
        """The conversations of an agent, oldest first."""
        agent = self.get_agent(agent_id)
        return [item for item in self.conversations.values() if item.agent_id == agent.id]

    def leads_of(self, agent_id: str) -> list[Lead]:
        """The leads of an agent, oldest first."""
        agent = self.get_agent(agent_id)
        return [item for item in self.leads.values() if item.agent_id == agent.id]
