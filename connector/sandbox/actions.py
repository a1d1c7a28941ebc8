"""The nine documented actions. No HTTP: a call comes in, a status and a JSON value go out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.sandbox import shapes
from connector.sandbox.account import Account
from connector.sandbox.fields import Fields
from connector.sandbox.listing import Item, Late, drop_recent
from connector.sandbox.refusals import bad_request
from connector.sandbox.sandbox import Sandbox

DEFAULT_LIMIT = 50
AGENT_TEXTS = ("welcome_message", "system_prompt", "knowledge_base", "primary_color")

Reply = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks for, in the account of its key. `fields` is None for methods that carry no body."""

    account: Account
    query: Mapping[str, str]
    fields: Fields | None = None

    @property
    def agent_id(self) -> str:
        """The agent that the request is about."""
        if not self.query.get("agent_id"):
            raise bad_request("agent_id is required")
        return self.query["agent_id"]

    @property
    def body(self) -> Fields:
        """The fields of the request's body."""
        if self.fields is None:
            raise bad_request("body is required")
        return self.fields

    def whole(self, name: str, default: int, least: int) -> int:
        """A whole number from the query, at least `least`."""
        text = self.query.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
            raise bad_request(f"{name} must be a whole number, {least} or more")
        return int(text)


def list_agents(sandbox: Sandbox, call: Call) -> Reply:
    """GET v1-agents."""
    agents = _arrange(sandbox, f"agents {call.account.name}", list(call.account.agents.values()))
    return 200, {"agents": [shapes.agent_item(agent) for agent in agents]}


def create_agent(_sandbox: Sandbox, call: Call) -> Reply:
    """POST v1-agents."""
    values = {"name": call.body.required_text("name")} | _read_agent_texts(call.body)
    return 201, {"agent": shapes.short_agent(call.account.create_agent(values))}


def get_agent(_sandbox: Sandbox, call: Call) -> Reply:
    """GET v1-agent."""
    return 200, {"agent": shapes.full_agent(call.account.get_agent(call.agent_id))}


def update_agent(_sandbox: Sandbox, call: Call) -> Reply:
    """PUT v1-agent. The answer is not in the reference; it is that of Get Agent."""
    values: dict[str, Any] = dict(_read_agent_texts(call.body))
    if "name" in call.body.values:
        values["name"] = call.body.required_text("name")
    active = call.body.flag("active")
    if active is not None:
        values["active"] = active
    return 200, {"agent": shapes.full_agent(call.account.update_agent(call.agent_id, values))}


def delete_agent(_sandbox: Sandbox, call: Call) -> Reply:
    """DELETE v1-agent. The answer is not in the reference."""
    call.account.delete_agent(call.agent_id)
    return 200, {"success": True}


def list_conversations(sandbox: Sandbox, call: Call) -> Reply:
    """GET v1-conversations, the one list that repeats limit and offset."""
    conversations = _drop_recent(sandbox, call.account.conversations_of(call.agent_id))
    limit, offset = _read_page(sandbox, call)
    page = _arrange(sandbox, f"conversations {call.agent_id}", conversations)[offset : offset + limit]
    items = [shapes.conversation_item(item) for item in page]
    return 200, {"conversations": items, "limit": limit, "offset": offset}


def list_leads(sandbox: Sandbox, call: Call) -> Reply:
    """GET v1-leads."""
    leads = _drop_recent(sandbox, call.account.leads_of(call.agent_id))
    limit, offset = _read_page(sandbox, call)
    page = _arrange(sandbox, f"leads {call.agent_id}", leads)[offset : offset + limit]
    return 200, {"leads": [shapes.lead_item(item) for item in page]}


def get_analytics(sandbox: Sandbox, call: Call) -> Reply:
    """GET v1-analytics."""
    conversations = _drop_recent(sandbox, call.account.conversations_of(call.agent_id))
    leads = _drop_recent(sandbox, call.account.leads_of(call.agent_id))
    return 200, shapes.analytics(conversations, leads, sandbox.clock())


def inject_message(_sandbox: Sandbox, call: Call) -> Reply:
    """POST v1-message."""
    agent = call.account.get_agent(call.agent_id)
    conversation_id = call.body.required_text("conversation_id")
    content = call.body.required_text("content")
    message = call.account.inject_message(agent.id, conversation_id, content)
    return 201, {"message": shapes.message_item(message)}


Handler = Callable[[Sandbox, Call], Reply]

ACTIONS: dict[str, dict[str, Handler]] = {
    "v1-agents": {"GET": list_agents, "POST": create_agent},
    "v1-agent": {"GET": get_agent, "PUT": update_agent, "DELETE": delete_agent},
    "v1-conversations": {"GET": list_conversations},
    "v1-leads": {"GET": list_leads},
    "v1-analytics": {"GET": get_analytics},
    "v1-message": {"POST": inject_message},
}
"""action → method → handler."""


def _read_agent_texts(body: Fields) -> dict[str, str]:
    texts = {name: body.text(name) for name in AGENT_TEXTS}
    return {name: text for name, text in texts.items() if text is not None}


def _read_page(sandbox: Sandbox, call: Call) -> tuple[int, int]:
    limit = min(call.whole("limit", DEFAULT_LIMIT, 1), sandbox.settings.max_limit)
    return limit, call.whole("offset", 0, 0)


def _drop_recent(sandbox: Sandbox, items: list[Late]) -> list[Late]:
    return drop_recent(items, sandbox.settings.list_lag, sandbox.clock())


def _arrange(sandbox: Sandbox, name: str, items: Sequence[Item]) -> list[Item]:
    return sandbox.lists.arrange(name, items, sandbox.settings.list_order)
