"""Calls the ChatForge API: one method for each endpoint, one attempt each."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from connector import drift
from connector.chatforge import wire
from connector.chatforge.models import (
    Agent,
    Analytics,
    Conversation,
    ConversationPage,
    InjectedMessage,
    Lead,
    LeadPage,
    ListedAgents,
    OneAgent,
    RawPage,
)
from connector.declare import ActionContext
from connector.drift import Drift
from connector.retry_after import parse_date

_ITEMS: Mapping[str, type[BaseModel]] = {"leads": Lead, "conversations": Conversation}
_PARTS_OF_LISTED = {f"agents[].{name}" for name in ("system_prompt", "knowledge_base")}
_PARTS_OF_CREATED = {f"agent.{name}" for name in Agent.model_fields if name not in ("id", "name", "active")}
"""What List Agents and Create Agent do not show, by the reference."""

Model = TypeVar("Model", bound=BaseModel)
Item = TypeVar("Item", Conversation, Lead)


def _read_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ChatForge:
    """The API over an HTTP client whose base URL is `https://host/api/dashboard.js` and whose headers hold the key.

    Every method raises an `ActionError`; only its caller may try again.
    """

    http: httpx.AsyncClient
    clock: Callable[[], datetime] = _read_clock
    """Read when an answer says until when to wait."""
    count_drift: Callable[[Iterable[Drift]], None] = lambda _found: None
    """Is told how answers differ from what is documented."""

    @classmethod
    def of(cls, context: ActionContext[Any]) -> "ChatForge":
        return cls(context.http, count_drift=context.count_drift)

    async def list_agents(self) -> ListedAgents:
        """All agents of the account."""
        return await self._ask(ListedAgents, wire.build_request("GET", "v1-agents"), _PARTS_OF_LISTED)

    async def create_agent(self, values: Mapping[str, Any]) -> OneAgent:
        """A new agent, of which the answer shows a part. Doing it twice makes two."""
        return await self._ask(OneAgent, wire.build_request("POST", "v1-agents", body=values), _PARTS_OF_CREATED)

    async def get_agent(self, agent_id: str) -> OneAgent:
        """An agent with its prompt and its knowledge."""
        return await self._ask(OneAgent, wire.build_request("GET", "v1-agent", agent_id=agent_id))

    async def update_agent(self, agent_id: str, values: Mapping[str, Any]) -> OneAgent:
        """Change the given fields of an agent; the others stay."""
        return await self._ask(OneAgent, wire.build_request("PUT", "v1-agent", agent_id=agent_id, body=values))

    async def delete_agent(self, agent_id: str) -> None:
        """Delete an agent with all its conversations. The answer is not documented: any that is no page
        and reports no error will do."""
        wire.require_success(await self._send(wire.build_request("DELETE", "v1-agent", agent_id=agent_id)))

    async def list_conversations(self, agent_id: str, limit: int = 50, offset: int = 0) -> ConversationPage:
        """One page of conversations, in an order that is not documented."""
        request = wire.build_request("GET", "v1-conversations", agent_id=agent_id, limit=limit, offset=offset)
        return await self._ask(ConversationPage, request)

    async def list_leads(self, agent_id: str, limit: int = 50, offset: int = 0) -> LeadPage:
        """One page of leads, in an order that is not documented."""
        request = wire.build_request("GET", "v1-leads", agent_id=agent_id, limit=limit, offset=offset)
        return await self._ask(LeadPage, request)

    async def list_raw(self, action: str, agent_id: str, limit: int, offset: int) -> RawPage:
        """One page of `v1-leads` or `v1-conversations`, its items as they came, and the vendor's time."""
        request = wire.build_request("GET", action, agent_id=agent_id, limit=limit, offset=offset)
        answer = await self._send(request)
        key = action.removeprefix("v1-")
        items = wire.read_list(answer, key)
        for item in items:
            self._look_at(item, key, _ITEMS[key])
        return RawPage(items=items, answered_at=parse_date(answer.headers.get("date")))

    def _look_at(self, item: object, key: str, model: type[BaseModel]) -> None:
        try:
            found = drift.find(model.model_validate(item))
        except ValidationError as error:
            found = drift.find_faults(error)
        self.count_drift(Drift(one.kind, f"{key}[].{one.path}") for one in found)

    async def list_agent_ids(self) -> list[str]:
        """The ids of all agents of the account, whatever else is wrong with one of them."""
        agents = wire.read_list(await self._send(wire.build_request("GET", "v1-agents")), "agents")
        ids = [agent.get("id") for agent in agents if isinstance(agent, dict)]
        return [agent_id for agent_id in ids if isinstance(agent_id, str) and agent_id.strip()]

    async def get_analytics(self, agent_id: str) -> Analytics:
        """Counts of an agent: in total, and of the current month."""
        return await self._ask(Analytics, wire.build_request("GET", "v1-analytics", agent_id=agent_id))

    async def each_conversation(self, agent_id: str) -> AsyncIterator[Conversation]:
        """The conversations of an agent, page by page; one that moves comes once, deletions meanwhile may hide one."""

        async def page(offset: int) -> Sequence[Conversation]:
            return (await self.list_conversations(agent_id, offset=offset)).conversations

        async for conversation in _walk(page):
            yield conversation

    async def each_lead(self, agent_id: str) -> AsyncIterator[Lead]:
        """The leads of an agent, page by page; one that moves comes once, deletions meanwhile may hide one."""

        async def page(offset: int) -> Sequence[Lead]:
            return (await self.list_leads(agent_id, offset=offset)).leads

        async for lead in _walk(page):
            yield lead

    async def inject_message(self, agent_id: str, conversation_id: str, content: str) -> InjectedMessage:
        """Say something in an active conversation as the assistant. Doing it twice says it twice."""
        body = {"conversation_id": conversation_id, "content": content}
        request = wire.build_request("POST", "v1-message", agent_id=agent_id, body=body)
        return await self._ask(InjectedMessage, request)

    async def _ask(self, model: type[Model], request: wire.Request, without: Collection[str] = ()) -> Model:
        """`without` are the paths that the reference does not show for this answer."""
        answer = await self._send(request)
        found = wire.read_answer(answer, model, self.count_drift)
        self.count_drift(one for one in drift.find(found) if one.kind != "missing" or one.path not in without)
        return found

    async def _send(self, request: wire.Request) -> wire.Answer:
        url = str(self.http.base_url).rstrip("/")  # httpx adds a slash that the API's one URL does not have
        response = await self.http.request(
            request.method, url, params=request.params, content=request.content, headers=request.headers
        )
        key = self.http.headers.get("authorization", "").removeprefix("Bearer ")
        answer = wire.Answer(
            response.status_code, response.headers, response.content, key, was_read=request.method == "GET"
        )
        wire.check_status(answer, self.clock())
        return answer


async def _walk(page: Callable[[int], Awaitable[Sequence[Item]]]) -> AsyncIterator[Item]:
    """Each item once. A short page is not the end, only an empty one is."""
    seen: set[str] = set()
    offset = 0
    while items := await page(offset):
        new = [item for item in items if item.id not in seen]
        if not new:  # an equal page again: `offset` has no effect
            return
        seen |= {item.id for item in new}
        offset += len(items)
        for item in new:
            yield item
