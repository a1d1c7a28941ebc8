"""Calls the ChatForge API: one method for each endpoint, one attempt each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import httpx
from pydantic import BaseModel

from connector.chatforge import wire
from connector.chatforge.models import ConversationPage, InjectedMessage, ListedAgents

Model = TypeVar("Model", bound=BaseModel)


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

    async def list_agents(self) -> ListedAgents:
        """All agents of the account."""
        return await self._ask(ListedAgents, wire.build_request("GET", "v1-agents"))

    async def list_conversations(self, agent_id: str, limit: int = 50, offset: int = 0) -> ConversationPage:
        """One page of conversations, in an order that is not documented."""
        request = wire.build_request("GET", "v1-conversations", agent_id=agent_id, limit=limit, offset=offset)
        return await self._ask(ConversationPage, request)

    async def inject_message(self, agent_id: str, conversation_id: str, content: str) -> InjectedMessage:
        """Say something in an active conversation as the assistant. Doing it twice says it twice."""
        body = {"conversation_id": conversation_id, "content": content}
        request = wire.build_request("POST", "v1-message", agent_id=agent_id, body=body)
        return await self._ask(InjectedMessage, request)

    async def _ask(self, model: type[Model], request: wire.Request) -> Model:
        return wire.read_answer(await self._send(request), model)

    async def _send(self, request: wire.Request) -> wire.Answer:
        url = str(self.http.base_url).rstrip("/")  # httpx adds a slash that the API's one URL does not have
        response = await self.http.request(
            request.method, url, params=request.params, content=request.content, headers=request.headers
        )
        key = self.http.headers.get("authorization", "").removeprefix("Bearer ")
        answer = wire.Answer(response.status_code, response.headers, response.content, key)
        wire.check_status(answer, self.clock())
        return answer
