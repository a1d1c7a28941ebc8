"""What is recorded and replayed: one value for each cassette, shared by the recorder and the tests.

An input holds placeholders. The recorder sends the real ids and texts in their place, and writes the placeholders
into the cassette; the tests send the placeholders.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from connector.adapter import Adapter
from connector.polling import Polled

AGENT = "00000000-0000-4000-8000-000000000001"
CONVERSATION = "00000000-0000-4000-8000-000000000021"
MISSING = "00000000-0000-4000-8000-000000000099"
EMAIL = "john@example.com"
NAME = "Sales Agent"
UPDATED_NAME = "Updated Name"
NOW = datetime(2026, 3, 25, 14, 35, tzinfo=UTC)
"""The time of the sandbox and of the adapter, at which it stands still."""
MOST_STEPS = 6
"""Requests of one round of a poll: a real account may have long lists."""
PAGE_SIZE = 2

Real = Mapping[str, str]
"""placeholder → what is sent in its place."""
Json = dict[str, Any]


class Site(Protocol):
    """A sandbox and what may be ordered there."""

    def visit(self, **fields: Any) -> Json: ...
    def order(self, **fault: Any) -> None: ...
    def close(self, conversation_id: str) -> None: ...
    def call(self, method: str, action: str, body: Json | None = None, **query: str) -> Json: ...


class Account(Protocol):
    """An account at the vendor. The first two look for something to read, the others are about a throw-away agent."""

    def agent(self) -> Real: ...
    def agent_with_lead(self) -> Real: ...
    def agent_with_conversation(self) -> Real: ...
    def new_name(self) -> Real: ...
    def new_agent(self) -> Real: ...


@dataclass(frozen=True, kw_only=True)
class Case:
    """One cassette. What `sandbox` and `live` return is what is to be sent for the placeholders of `input`."""

    operation: str
    name: str = "success"
    input: Json = field(default_factory=dict)
    pages: int = 1
    rounds: int = 1
    error: str = ""
    """The kind of the error that comes of it."""
    key: Literal["good", "small_plan", "wrong"] = "good"
    settings: Json = field(default_factory=dict)
    """Of the sandbox."""
    sandbox: Callable[[Site], Real] = lambda _site: {}
    between: Callable[[Site, Real], object] = lambda _site, _real: None
    """What happens at the sandbox before the second round."""
    live: Callable[[Account], Real] | None = None
    """None: not recorded with a real account."""
    writes: bool = False
    """Whether a real account is changed."""

    @property
    def path(self) -> str:
        return f"{self.operation}/{self.name}.yaml"


async def perform(case: Case, adapter: Adapter, real: Real, between: Callable[[], object] = lambda: None) -> list[Any]:
    """Do what the case is about; the outputs of the action, or the steps of the poll."""
    name, values = f"chatforge.{case.operation}", fill(case.input, real)
    if name in adapter.registry.triggers:
        return await _poll(case, adapter, name, values, between)
    outputs = [await adapter.run(name, values)]
    while len(outputs) < case.pages and outputs[-1]["next_offset"] is not None:
        outputs.append(await adapter.run(name, values | {"offset": outputs[-1]["next_offset"]}))
    return outputs


async def _poll(case: Case, adapter: Adapter, name: str, input: Json, between: Callable[[], object]) -> list[Polled]:
    steps: list[Polled] = []
    for number in range(case.rounds):
        if number:
            between()
        for _ in range(MOST_STEPS):
            steps.append(await adapter.poll(name, input, steps[-1].state if steps else None))
            if not steps[-1].more:
                break
    return steps


def fill(input: Json, real: Real) -> Json:
    """The input with what is to be sent for its placeholders."""
    return {key: real.get(value, value) if isinstance(value, str) else value for key, value in input.items()}


def _four_visitors(site: Site) -> Real:
    """John, Ann, John again, who does not become a lead this time, and somebody of whom only the phone is known."""
    john = {"visitor_name": "John Smith", "visitor_email": EMAIL, "visitor_phone": "480-555-1234"}
    page = "https://example.com/services"
    summary = "Asked about estate planning services"
    day = "2026-03-25T14:"
    first = site.visit(
        **john, page_url=page, conversation_summary=summary, messages=["Hello", "Thanks"], created_at=f"{day}30:00Z"
    )
    site.visit(visitor_name="Ann", visitor_email="ann@example.com", page_url=page, created_at=f"{day}31:00Z")
    site.visit(visitor_email=EMAIL, page_url=page, capture_lead=False, created_at=f"{day}32:00Z")
    site.visit(visitor_phone="480-555-0199", page_url=page, created_at=f"{day}33:00Z")
    return {CONVERSATION: first["conversation_id"]}


def _closed_chat(site: Site) -> Real:
    real = _four_visitors(site)
    site.close(real[CONVERSATION])
    return real


def _two_agents(site: Site) -> Real:
    site.call("POST", "v1-agents", {"name": NAME})
    return {}


def _spent_limit(site: Site) -> Real:
    site.call("GET", "v1-agents")
    return {}


def _faulty(**fault: Any) -> Callable[[Site], Real]:
    def order(site: Site) -> Real:
        site.order(**fault)
        return {}

    return order


def _say_more(site: Site, real: Real) -> object:
    message = {"conversation_id": real[CONVERSATION], "content": "Hi, this is Cal jumping in. How can I help?"}
    return site.call("POST", "v1-message", message, agent_id=AGENT)


_TEXTS = {
    "welcome_message": "Hi! Looking to learn more?",
    "system_prompt": "You are a helpful sales assistant.",
    "knowledge_base": "Our pricing starts at $99...",
    "primary_color": "#10b981",
}
_ONE = {"agent_id": AGENT}
_PAGE = {"agent_id": AGENT, "limit": PAGE_SIZE}
_BY_EMAIL = {"agent_id": AGENT, "visitor_email": EMAIL}
_CHANGES = {"agent_id": AGENT, "name": UPDATED_NAME, "active": False, "system_prompt": "New system prompt..."}
_MESSAGE = {
    "agent_id": AGENT,
    "conversation_id": CONVERSATION,
    "content": "Hi, this is Cal jumping in. How can I help?",
}
_MORE_FIELDS = {"agent": {"id": AGENT, "name": "Support Agent", "language": "en", "limits": {"messages": 500}}}
_PAGE_OF_A_PROXY = "<html><head><title>Just a moment...</title></head><body></body></html>"

CASES = (
    Case(operation="list_agents", live=lambda account: account.agent()),
    Case(operation="get_agent", input=_ONE, live=lambda account: account.agent()),
    Case(operation="get_agent", name="unknown_fields", input=_ONE, sandbox=_faulty(status=200, body=_MORE_FIELDS)),
    Case(
        operation="list_conversations",
        input=_PAGE,
        pages=2,
        sandbox=_four_visitors,
        live=lambda account: account.agent(),
    ),
    Case(
        operation="find_conversation",
        input=_BY_EMAIL,
        sandbox=_four_visitors,
        live=lambda account: account.agent_with_conversation(),
    ),
    Case(operation="list_leads", input=_PAGE, pages=2, sandbox=_four_visitors, live=lambda account: account.agent()),
    Case(
        operation="find_lead",
        input=_BY_EMAIL,
        sandbox=_four_visitors,
        live=lambda account: account.agent_with_lead(),
    ),
    Case(operation="get_analytics", input=_ONE, sandbox=_four_visitors, live=lambda account: account.agent()),
    Case(
        operation="analytics_change",
        input=_ONE | {"since": "2026-03-01T00:00:00Z", "by": "month"},
        sandbox=_four_visitors,
        live=lambda account: account.agent(),
    ),
    Case(operation="inject_message", input=_MESSAGE, sandbox=_four_visitors),
    Case(
        operation="create_agent",
        input={"name": NAME, **_TEXTS},
        live=lambda account: account.new_name(),
        writes=True,
    ),
    Case(operation="update_agent", input=_CHANGES, live=lambda account: account.new_agent(), writes=True),
    Case(
        operation="upsert_agent",
        name="created",
        input={"name": NAME, "system_prompt": _TEXTS["system_prompt"], "active": False},
        live=lambda account: account.new_name(),
        writes=True,
    ),
    Case(
        operation="upsert_agent",
        name="updated",
        input={"name": NAME, "system_prompt": _TEXTS["system_prompt"]},
        sandbox=_two_agents,
        live=lambda account: account.new_agent(),
        writes=True,
    ),
    Case(operation="delete_agent", input=_ONE, live=lambda account: account.new_agent(), writes=True),
    Case(operation="new_lead", input={"start": "all"}, sandbox=_four_visitors, live=lambda account: account.agent()),
    Case(
        operation="new_conversation",
        input={"start": "all"},
        sandbox=_four_visitors,
        live=lambda account: account.agent(),
    ),
    Case(
        operation="conversation_updated",
        input={"agent_id": AGENT, "start": "all"},
        rounds=2,
        sandbox=_four_visitors,
        between=_say_more,
        live=lambda account: account.agent(),
    ),
    Case(operation="inject_message", name="rejected", input=_MESSAGE, error="rejected", sandbox=_closed_chat),
    Case(
        operation="list_agents",
        name="authentication",
        error="authentication",
        key="wrong",
        live=lambda _account: {},
    ),
    Case(operation="list_agents", name="plan", error="plan", key="small_plan"),
    Case(
        operation="get_agent",
        name="not_found",
        input={"agent_id": MISSING},
        error="not_found",
        live=lambda _account: {},
    ),
    Case(
        operation="list_agents",
        name="rate_limit",
        error="rate_limit",
        settings={"rate_limit": 1, "retry_after": "seconds"},
        sandbox=_spent_limit,
    ),
    Case(operation="get_analytics", name="server", input=_ONE, error="server", sandbox=_faulty(status=500)),
    Case(
        operation="list_leads",
        name="output",
        input=_PAGE,
        error="output",
        sandbox=_faulty(status=200, body=_PAGE_OF_A_PROXY, style="html"),
    ),
)
