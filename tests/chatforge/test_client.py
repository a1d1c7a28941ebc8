"""The client against a loopback server that answers with the bodies of the vendor's reference."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from connector.chatforge.client import ChatForge
from connector.errors import AuthenticationError, NetworkError, RateLimitError, ServerError
from connector.transport import HttpOptions, open_client, open_transport

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


def test_request_is_json_with_its_ids_escaped() -> None:
    request, result = call(lambda client: client.inject_message("a&b=c", "uuid", "Grüezi"), b'{"message": {"id": "1"}}')
    head, _, content = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/dashboard.js?action=v1-message&agent_id=a%26b%3Dc HTTP/1.1\r\n")
    assert b"\r\ncontent-type: application/json\r\n" in head.lower() + b"\r\n"
    assert content == b'{"conversation_id": "uuid", "content": "Gr\\u00fcezi"}'
    assert result.message.id == "1"


def test_refused_key_is_not_repeated_in_the_error() -> None:
    _, error = call(list_agents, json.dumps({"error": f"unknown key {KEY}"}).encode(), "401 Unauthorized")
    assert isinstance(error, AuthenticationError)
    assert "'unknown key [key]'" in str(error)


def test_retry_after_date_is_read_against_the_clock() -> None:
    wait = "Retry-After: Wed, 25 Mar 2026 14:30:20 GMT\r\n"
    _, error = call(list_agents, b"", "429 Too Many Requests", wait)
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 20.0


def test_retry_after_date_is_read_against_the_clock_that_the_answer_shows() -> None:
    wait = "Retry-After: Wed, 25 Mar 2026 14:30:20 GMT\r\nDate: Wed, 25 Mar 2026 14:20:20 GMT\r\nRetry-After: 5\r\n"
    _, error = call(list_agents, b"", "429 Too Many Requests", wait)
    assert error.retry_after == 600.0


def test_failure_is_not_tried_again() -> None:
    _, error = call(list_agents, b'{"error": "boom"}', "500 Internal Server Error")
    assert isinstance(error, ServerError)


def test_answer_cut_short_is_a_network_error() -> None:
    _, error = call(list_agents, b"", headers="Content-Length: 9\r\n")
    assert isinstance(error, NetworkError)
    assert error.processed == "unknown"
