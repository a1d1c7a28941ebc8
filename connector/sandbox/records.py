"""The things in an account, and how each is read back from the document that the storage keeps of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Role = Literal["user", "assistant"]
Document = dict[str, Any]


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

    @classmethod
    def load(cls, document: Document) -> "Agent":
        """Read it back."""
        return cls(**_with_times(document, "created_at"))


@dataclass(frozen=True, slots=True)
class Message:
    """One line of a chat. `injected`: a person wrote it through the API, in the assistant's name."""

    id: str
    role: Role
    content: str
    created_at: datetime
    injected: bool = False

    @classmethod
    def load(cls, document: Document) -> "Message":
        """Read it back."""
        return cls(**_with_times(document, "created_at"))


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
    """A chat; messages can be injected while it is active. `made_at` is when it came in, `created_at` what it says."""

    id: str
    agent_id: str
    visitor: Visitor
    created_at: datetime
    made_at: datetime
    messages: list[Message] = field(default_factory=list)
    lead_captured: bool = False
    active: bool = True

    @classmethod
    def load(cls, document: Document) -> "Conversation":
        """Read it back."""
        messages = [Message.load(message) for message in document["messages"]]
        values = _with_times(document, "created_at", "made_at")
        return cls(**values | {"visitor": Visitor(**document["visitor"]), "messages": messages})


@dataclass(frozen=True, slots=True)
class Lead:
    """Contact details that a visitor left in a conversation. `made_at` is when it came in."""

    id: str
    agent_id: str
    conversation_id: str
    visitor: Visitor
    created_at: datetime
    made_at: datetime

    @classmethod
    def load(cls, document: Document) -> "Lead":
        """Read it back."""
        values = _with_times(document, "created_at", "made_at")
        return cls(**values | {"visitor": Visitor(**document["visitor"])})


@dataclass(frozen=True, slots=True)
class Effect:
    """One change that was made through the API. `body` is the request's JSON, None where it has none."""

    sequence: int
    at: datetime
    action: str
    method: str
    agent_id: str | None
    body: dict[str, Any] | None

    @classmethod
    def load(cls, document: Document) -> "Effect":
        """Read it back."""
        return cls(**_with_times(document, "at"))


def _with_times(document: Document, *names: str) -> Document:
    return document | {name: datetime.fromisoformat(document[name]) for name in names}
