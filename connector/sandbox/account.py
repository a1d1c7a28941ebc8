"""What an account at ChatForge holds: agents, conversations with their messages, and leads."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

from connector.sandbox.clock import Clock
from connector.sandbox.delivery import Webhook
from connector.sandbox.records import Agent, Conversation, Lead, Message, Role, Visitor
from connector.sandbox.refusals import bad_request, not_found
from connector.sandbox.storage import Storage

Record = TypeVar("Record", bound=Agent | Conversation | Lead)


class Account:
    """Everything of one account. All methods that look something up raise RefusedError (404).

    Each change is put into the storage, which keeps it when it is told to commit.
    """

    def __init__(self, name: str, clock: Clock, storage: Storage) -> None:
        self.name = name
        self.webhooks: tuple[Webhook, ...] = ()
        self._clock = clock
        self._storage = storage
        self.agents: dict[str, Agent] = self._load("agents", Agent.load)
        self.conversations: dict[str, Conversation] = self._load("conversations", Conversation.load)
        self.leads: dict[str, Lead] = self._load("leads", Lead.load)

    def _load(self, kind: str, load: Callable[[dict[str, Any]], Record]) -> dict[str, Record]:
        records = [load(document) for document in self._storage.load(self.name, kind)]
        return {record.id: record for record in records}

    def seed_agent(self, agent_id: str, name: str) -> None:
        """Add the agent that is there from the start, unless it was in the storage, be it only to be deleted."""
        if agent_id not in self._storage.load(self.name, "seeds"):
            self.create_agent({"name": name}, agent_id)
            self._storage.put(self.name, "seeds", agent_id, agent_id)

    def add_webhook(self, webhook: Webhook) -> None:
        """Send events to this one too; one with the same URL is replaced."""
        self.webhooks = (*(other for other in self.webhooks if other.url != webhook.url), webhook)

    def create_agent(self, values: dict[str, Any], agent_id: str | None = None) -> Agent:
        """Add an agent; `values` are fields of `Agent`, among them `name`."""
        agent = Agent(id=agent_id or str(uuid4()), created_at=self._clock(), **values)
        return self._keep_agent(agent)

    def get_agent(self, agent_id: str) -> Agent:
        """The agent with this id."""
        if agent_id not in self.agents:
            raise not_found("agent", agent_id)
        return self.agents[agent_id]

    def update_agent(self, agent_id: str, values: dict[str, Any]) -> Agent:
        """Change the given fields of an agent and leave the others."""
        return self._keep_agent(replace(self.get_agent(agent_id), **values))

    def delete_agent(self, agent_id: str) -> None:
        """Remove an agent with its conversations and leads."""
        del self.agents[self.get_agent(agent_id).id]
        self._storage.remove(self.name, "agents", agent_id)
        self.conversations = self._without("conversations", self.conversations, agent_id)
        self.leads = self._without("leads", self.leads, agent_id)

    def start_conversation(self, agent_id: str, visitor: Visitor, at: datetime | None = None) -> Conversation:
        """Begin an active conversation with the agent's welcome message. `at`: now, unless it is back-dated."""
        agent, now = self.get_agent(agent_id), self._clock()
        conversation = Conversation(str(uuid4()), agent_id, visitor, at or now, now)
        self.conversations[conversation.id] = conversation
        self.add_message(conversation, "assistant", agent.welcome_message, at=at)
        return conversation

    def get_conversation(self, conversation_id: str) -> Conversation:
        """The conversation with this id."""
        if conversation_id not in self.conversations:
            raise not_found("conversation", conversation_id)
        return self.conversations[conversation_id]

    def close_conversation(self, conversation_id: str) -> Conversation:
        """End a conversation; nothing can be injected any more."""
        conversation = self.get_conversation(conversation_id)
        conversation.active = False
        self._storage.put(self.name, "conversations", conversation.id, conversation)
        return conversation

    def add_message(
        self,
        conversation: Conversation,
        role: Role,
        content: str,
        *,
        injected: bool = False,
        at: datetime | None = None,
    ) -> Message:
        """Append a line to a chat."""
        message = Message(str(uuid4()), role, content, at or self._clock(), injected)
        conversation.messages.append(message)
        self._storage.put(self.name, "conversations", conversation.id, conversation)
        return message

    def inject_message(self, agent_id: str, conversation_id: str, content: str) -> Message:
        """Append what a person says as the assistant. Refused with 400 when the conversation is not active."""
        conversation = self.get_conversation(conversation_id)
        if conversation.agent_id != self.get_agent(agent_id).id:
            raise not_found("conversation", conversation_id)
        if not conversation.active:
            raise bad_request(f"conversation {conversation_id!r} is not active")
        return self.add_message(conversation, "assistant", content, injected=True)

    def capture_lead(self, conversation: Conversation, at: datetime | None = None) -> Lead:
        """Turn the conversation's visitor into a lead. `at`: now, unless it is back-dated."""
        now = self._clock()
        lead = Lead(str(uuid4()), conversation.agent_id, conversation.id, conversation.visitor, at or now, now)
        self.leads[lead.id] = lead
        conversation.lead_captured = True
        self._storage.put(self.name, "leads", lead.id, lead)
        self._storage.put(self.name, "conversations", conversation.id, conversation)
        return lead

    def conversations_of(self, agent_id: str) -> list[Conversation]:
        """The conversations of an agent, as they came in."""
        agent = self.get_agent(agent_id)
        return [item for item in self.conversations.values() if item.agent_id == agent.id]

    def leads_of(self, agent_id: str) -> list[Lead]:
        """The leads of an agent, as they came in."""
        agent = self.get_agent(agent_id)
        return [item for item in self.leads.values() if item.agent_id == agent.id]

    def _keep_agent(self, agent: Agent) -> Agent:
        self.agents[agent.id] = agent
        self._storage.put(self.name, "agents", agent.id, agent)
        return agent

    def _without(self, kind: str, items: Mapping[str, Any], agent_id: str) -> dict[str, Any]:
        for item in items.values():
            if item.agent_id == agent_id:
                self._storage.remove(self.name, kind, item.id)
        return {item.id: item for item in items.values() if item.agent_id != agent_id}
