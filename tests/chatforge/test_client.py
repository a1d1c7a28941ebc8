"""The client against a loopback server that answers with the bodies of the vendor's reference."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.chatforge.client import ChatForge
from connector.errors import AuthenticationError, NetworkError, RateLimitError, ServerError
from connector.transport import HttpOptions, open_client, open_transport

DATA = Path(__file__).parent / "data"
KEY = "canary_0123456789"
NOW = datetime(2026, 3, 25, 14, 30, tzinfo=UTC)


def call(
    ask: Callable[[ChatForge], Awaitable[Any]], body: bytes, status: str = "200 OK", headers: str = ""
) -> tuple[bytes, Any]:
    """Ask a server that knows one answer: the request as it came, and the result or the error."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        requests.append(head + await reader.readexactly(int(length or b"0")))
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async def run() -> Any:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/dashboard.js"
            options = HttpOptions(url, {"Authorization": f"Bearer {KEY}"})
            transport = open_transport(options)
            try:
                async with open_client(options, transport) as http:
                    return await ask(ChatForge(http, lambda: NOW))
            except Exception as error:  # the caller looks at it
                return error
            finally:
                await transport.aclose()

    result = asyncio.run(run())
    assert len(requests) == 1
    return requests[0], result


def list_agents(client: ChatForge) -> Awaitable[Any]:
    return client.list_agents()


@pytest.mark.parametrize(
    ("ask", "name", "line", "sent"),
    [
        pytest.param(list_agents, "list_agents", "GET /api/dashboard.js?action=v1-agents", None, id="list_agents"),
        pytest.param(
            lambda client: client.list_conversations("a&b", 20, 40),
            "list_conversations",
            "GET /api/dashboard.js?action=v1-conversations&agent_id=a%26b&limit=20&offset=40",
            None,
            id="list_conversations",
        ),
        pytest.param(
            lambda client: client.inject_message("abc123", "uuid", "Hi, this is Cal jumping in. How can I help?"),
            "inject_message_response",
            "POST /api/dashboard.js?action=v1-message&agent_id=abc123",
            "inject_message_request",
            id="inject_message",
        ),
    ],
)
def test_endpoint_is_asked_and_answers_as_the_reference_shows(
    ask: Callable[[ChatForge], Awaitable[Any]], name: str, line: str, sent: str | None
) -> None:
    body = (DATA / f"{name}.json").read_bytes()
    request, result = call(ask, body)
    head, _, content = request.partition(b"\r\n\r\n")
    assert head.startswith(f"{line} HTTP/1.1\r\n".encode())
    assert f"authorization: bearer {KEY}\r\n".encode() in head.lower() + b"\r\n"
    assert (b"\r\ncontent-type: application/json\r\n" in head.lower() + b"\r\n") is (sent is not None)
    assert (json.loads(content) if content else None) == (sent and json.loads((DATA / f"{sent}.json").read_bytes()))
    assert result.model_dump(mode="json", exclude_unset=True) == json.loads(body)


def test_refused_key_is_not_repeated_in_the_error() -> None:
    _, error = call(list_agents, json.dumps({"error": f"unknown key {KEY}"}).encode(), "401 Unauthorized")
    assert isinstance(error, AuthenticationError)
    assert "'unknown key [key]'" in str(error)


def test_retry_after_date_is_read_against_the_clock() -> None:
    wait = "Retry-After: Wed, 25 Mar 2026 14:30:20 GMT\r\n"
    _, error = call(list_agents, b"", "429 Too Many Requests", wait)
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 20.0


def test_failure_is_not_tried_again() -> None:
    _, error = call(list_agents, b'{"error": "boom"}', "500 Internal Server Error")
    assert isinstance(error, ServerError)


def test_answer_cut_short_is_a_network_error() -> None:
    _, error = call(list_agents, b"", headers="Content-Length: 9\r\n")
    assert isinstance(error, NetworkError)
    assert error.processed == "unknown"
