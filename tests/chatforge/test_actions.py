"""The actions against a loopback server with one agent's conversations."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.chatforge import actions
from connector.chatforge.actions import find_conversation, inject_message, list_agents, list_conversations
from connector.declare import Action, ActionContext
from connector.errors import NotFoundError
from connector.transport import HttpOptions, open_client, open_transport

START = datetime(2026, 3, 25, 14, 0, tzinfo=UTC)


def conversation(number: int, **fields: Any) -> dict[str, Any]:
    """A captured conversation that began `number` minutes after START."""
    return {
        "id": f"c{number}",
        "visitor_email": f"visitor{number}@example.com",
        "visitor_name": "John Smith",
        "lead_captured": True,
        "page_url": "https://example.com/services",
        "created_at": (START + timedelta(minutes=number)).isoformat(),
    } | fields


class Account:
    """Serves `conversations` in their order; `most` is the server's own limit."""

    def __init__(self, conversations: list[dict[str, Any]], most: int = 50, ignores_offset: bool = False) -> None:
        self.conversations, self.most, self.ignores_offset = conversations, most, ignores_offset
        self.asked: list[dict[str, str]] = []
        self.appear_after: tuple[int, list[dict[str, Any]]] | None = None

    def answer(self, method: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        self.asked.append(query)
        if query.get("agent_id", "abc123") != "abc123":
            return 404, {"error": "Agent not found"}
        if method == "POST":
            return 200, {"message": {"id": "m1", "role": "assistant"} | json.loads(body)}
        if query["action"] == "v1-agents":
            return 200, {"agents": [{"id": "abc123", "name": "Support Agent"}]}
        if self.appear_after and len(self.asked) > self.appear_after[0]:
            self.conversations = self.appear_after[1]
        offset = 0 if self.ignores_offset else int(query["offset"])
        return 200, {"conversations": self.conversations[offset : offset + min(self.most, int(query["limit"]))]}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.decode().split(" ", 2)
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        status, answer = self.answer(method, query, await reader.readexactly(int(length or b"0")))
        body = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


def run(account: Account, action: Action, **input: Any) -> Any:
    async def execute() -> Any:
        async with await asyncio.start_server(account.serve, "127.0.0.1", 0) as server:
            options = HttpOptions(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/dashboard.js")
            transport = open_transport(options)
            try:
                async with open_client(options, transport) as http:
                    context = ActionContext(None, http, "key", START, logging.getLogger(__name__))
                    return await action.run(action.input.model_validate(input), context)
            finally:
                await transport.aclose()

    return asyncio.run(execute())


def test_agents_are_listed() -> None:
    assert [agent.id for agent in run(Account([]), list_agents).agents] == ["abc123"]


@pytest.mark.parametrize(
    ("limit", "offset", "ids", "next_offset"),
    [
        pytest.param(2, 0, ["c0", "c1"], 2, id="full-page"),
        pytest.param(9, 1, ["c1", "c2", "c3"], 4, id="server-sends-fewer"),
        pytest.param(9, 4, ["c4"], 5, id="rest"),
        pytest.param(9, 5, [], None, id="end"),
    ],
)
def test_conversations_are_paged_by_what_was_received(
    limit: int, offset: int, ids: list[str], next_offset: int | None
) -> None:
    account = Account([conversation(number) for number in range(5)], most=3)
    page = run(account, list_conversations, agent_id="abc123", limit=limit, offset=offset)
    assert [item.id for item in page.conversations] == ids
    assert page.next_offset == next_offset


def test_message_is_injected() -> None:
    output = run(Account([]), inject_message, agent_id="abc123", conversation_id="c1", content="Hi \ud83d")
    assert (output.message.content, output.message.model_extra) == ("Hi \ud83d", {"conversation_id": "c1"})


def test_unknown_agent_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="'Agent not found'"):
        run(Account([]), list_conversations, agent_id="other")


@pytest.mark.parametrize(
    ("action", "effect", "purpose"),
    [
        (list_agents, "read", "action"),
        (list_conversations, "read", "action"),
        (find_conversation, "read", "action"),
        (inject_message, "once", "takeover"),
    ],
    ids=lambda value: value.name if isinstance(value, Action) else value,
)
def test_action_declares_what_repeating_it_does(action: Action, effect: str, purpose: str) -> None:
    assert (action.effect, action.purpose) == (effect, purpose)


@pytest.mark.parametrize(
    "action", [value for value in vars(actions).values() if isinstance(value, Action)], ids=lambda action: action.name
)
def test_example_of_every_action_is_a_valid_input(action: Action) -> None:
    action.input.model_validate(dict(action.example))
