"""The nine documented actions. No HTTP: a call comes in, a status and a JSON value go out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from connector.sandbox import shapes
from connector.sandbox.fields import Fields
from connector.sandbox.refusals import bad_request
from connector.sandbox.sandbox import Sandbox

DEFAULT_LIMIT = 50
AGENT_TEXTS = ("welcome_message", "system_prompt", "knowledge_base", "primary_color")

Item = TypeVar("Item")
Reply = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks for. `fields` is None for methods that carry no body."""

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


def list_agents(sandbox: Sandbox, _call: Call) -> Reply:
    """GET v1-agents."""
    agents = _order(sandbox, list(sandbox.account.agents.values()))
    return 200, {"agents": [shapes.agent_item(agent) for agent in agents]}


def create_agent(sandbox: Sandbox, call: Call) -> Reply:
    """POST v1-agents."""
    values = {"name": call.body.required_text("name")} | _read_agent_texts(call.body)
    return 201, {"agent": shapes.short_agent(sandbox.account.create_agent(values))}


def get_agent(sandbox: Sandbox, call: Call) -> Reply:
    """GET v1-agent."""
    return 200, {"agent": shapes.full_agent(sandbox.account.get_agent(call.agent_id))}


def update_agent(sandbox: Sandbox, call: Call) -> Reply:
    """PUT v1-agent. The answer is not in the reference; it is that of Get Agent."""
    values: dict[str, Any] = dict(_read_agent_texts(call.body))
    if "name" in call.body.values:
        values["name"] = call.body.required_text("name")
    active = call.body.flag("active")
    if active is not None:
        values["active"] = active
    return 200, {"agent": shapes.full_agent(sandbox.account.update_agent(call.agent_id, values))}


def delete_agent(sandbox: Sandbox, call: Call) -> Reply:
    """DELETE v1-agent. The answer is not in the reference."""
    sandbox.account.delete_agent(call.agent_id)
    return 200, {"success": True}


def list_conversations(sandbox: Sandbox, call: Call) -> Reply:
    """GET v1-conversations, the one list that repeats limit and offset."""
    conversations = sandbox.account.conversations_of(call.agent_id)
    limit, offset = _read_page(sandbox, call)
    page = _order(sandbox, conversations)[offset : offset + limit]
    items = [shapes.conversation_item(item) for item in page]
    return 200, {"conversations": items, "limit": limit, "offset": offset}


def list_leads(sandbox: Sandbox, call: Call) -> Reply:
    """GET v1-leads."""
    leads = sandbox.account.leads_of(call.agent_id)
    limit, offset = _read_page(sandbox, call)
    page = _order(sandbox, leads)[offset : offset + limit]
    return 200, {"leads": [shapes.lead_item(item) for item in page]}


def get_analytics(sandbox: Sandbox, call: Call) -> Reply:
    """GET v1-analytics."""
    conversations = sandbox.account.conversations_of(call.agent_id)
    leads = sandbox.account.leads_of(call.agent_id)
    return 200, shapes.analytics(conversations, leads, sandbox.clock())


def inject_message(sandbox: Sandbox, call: Call) -> Reply:
    """POST v1-message."""
    agent = sandbox.account.get_agent(call.agent_id)
    conversation_id = call.body.required_text("conversation_id")
    content = call.body.required_text("content")
    message = sandbox.account.inject_message(agent.id, conversation_id, content)
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


def _order(sandbox: Sandbox, oldest_first: Sequence[Item]) -> list[Item]:
    newest_first = sandbox.settings.list_order == "newest_first"
    return list(reversed(oldest_first)) if newest_first else list(oldest_first)
