"""Every row of the vendor's reference, through the adapter, against a server that answers as the reference shows."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from vendor import table
from vendor.reference import (
    BASE_URL,
    ENDPOINTS,
    ERRORS,
    FULL_AGENT,
    RATE_LIMIT,
    ROWS,
    SIGNATURE_HEADER,
    WEBHOOK,
    Endpoint,
    Row,
    leaves,
)

from connector import settings
from connector.adapter import Adapter
from connector.chatforge.models import ConversationPage
from connector.errors import ActionError, WebhookError
from connector.registry import Registry

KEY, SECRET = "cf_your_api_key_here", "whsec_of_a_test"
AGENT = "uuid-of-the-agent"
NOW = datetime(2026, 3, 25, 14, 40, tzinfo=UTC)
GET_AGENT = {"agent": {"id": AGENT} | {path.partition(".")[2]: f"the {path}" for path in FULL_AGENT}}
KINDS = {400: "rejected", 401: "authentication", 403: "plan", 404: "not_found", 429: "rate_limit", 500: "server"}


@dataclass
class Exchange:
    """One request as it arrived, and what the action made of the answer."""

    method: str
    query: dict[str, str]
    authorization: str | None
    body: Any
    output: dict[str, Any]


def bodies(endpoint: Endpoint) -> dict[str, Any]:
    """The answer of the reference; where it shows none, one that its text describes."""
    return endpoint.response or (GET_AGENT if endpoint.action == "v1-agent" else {})


@pytest.fixture(scope="module")
def exchanges(built_in: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Exchange]]:
    """By title: each endpoint, asked by its action with what the reference gives."""
    seen: list[tuple[str, dict[str, str], str | None, Any]] = []

    class Vendor(BaseHTTPRequestHandler):
        def respond(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query))
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append((self.command, query, self.headers["Authorization"], json.loads(raw) if raw else None))
            [shown] = [item for item in ENDPOINTS if (item.method, item.action) == (self.command, query["action"])]
            body = json.dumps(bodies(shown)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = respond  # noqa: N815 - names of the library

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    async def ask(endpoint: Endpoint, url: str) -> Exchange:
        environ = {"CHATFORGE_BASE_URL": url, "CHATFORGE_API_KEY": KEY}
        folder = tmp_path_factory.mktemp("settings")
        given: dict[str, Any] = {"agent_id": AGENT, "limit": 20, "offset": 40}
        parameters = {name: given[name] for name in endpoint.parameters}
        async with Adapter(built_in, settings.load(folder, environ=environ), lambda: NOW) as adapter:
            output = await adapter.run(endpoint.operation, parameters | (endpoint.request or {}))
        return Exchange(*seen.pop(), output)

    with ThreadingHTTPServer(("127.0.0.1", 0), Vendor) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        url = f"http://127.0.0.1:{server.server_port}/api/dashboard.js"
        yield {endpoint.title: asyncio.run(ask(endpoint, url)) for endpoint in ENDPOINTS}
        server.shutdown()


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    rows = [row for row in ROWS if row.kind in kinds]
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.id)


@of_kind("endpoint", "parameter", "request", "response")
def test_row_of_an_endpoint(exchanges: dict[str, Exchange], row: Row) -> None:
    endpoint = row.endpoint
    assert endpoint is not None
    exchange = exchanges[endpoint.title]
    if row.kind == "endpoint":
        assert (exchange.method, exchange.query["action"]) == (endpoint.method, endpoint.action)
    elif row.kind == "parameter":
        assert exchange.query[row.name] == {"agent_id": AGENT, "limit": "20", "offset": "40"}[row.name]
    elif row.kind == "request":
        assert dict(leaves(exchange.body))[row.name] == dict(leaves(endpoint.request))[row.name]
    elif endpoint.title == "List Conversations" and row.name in endpoint.parameters:
        read = ConversationPage.model_validate(endpoint.response).model_dump()  # read, but not passed on
        assert read[row.name] == bodies(endpoint)[row.name]
    else:
        assert dict(leaves(exchange.output))[row.name] == dict(leaves(bodies(endpoint)))[row.name]


@of_kind("access")
def test_row_of_access(make_adapter: Callable[..., Adapter], exchanges: dict[str, Exchange], row: Row) -> None:
    connection = make_adapter(CHATFORGE_API_KEY=KEY).connection("chatforge")
    facts = {
        "base URL": getattr(connection, "base_url", None) == BASE_URL,
        "Authorization: Bearer": {item.authorization for item in exchanges.values()} == {f"Bearer {KEY}"},
        f"{RATE_LIMIT} requests per minute": getattr(connection, "rate_limit", None) == RATE_LIMIT,
    }
    assert facts[row.name]


def sign(body: str) -> str:
    return hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()


COMPACT = json.dumps(WEBHOOK, separators=(",", ":"))  # as JSON.stringify writes this payload


@of_kind("webhook")
def test_row_of_the_webhook(make_adapter: Callable[..., Adapter], row: Row) -> None:
    adapter = make_adapter(CHATFORGE_WEBHOOK_SECRET=SECRET)
    delivery = adapter.accept_webhook("chatforge", "default", {SIGNATURE_HEADER: sign(COMPACT)}, COMPACT.encode())
    event = adapter.select("chatforge.event", {}, delivery.event, NOW)
    lead = adapter.select("chatforge.lead_captured", {}, delivery.event, NOW)
    assert event is not None
    assert lead is not None
    assert dict(leaves(event))[row.name] == dict(leaves(WEBHOOK))[row.name]
    names = {"timestamp": "captured_at"}
    if row.name != "event":
        short = row.name.rpartition(".")[2]
        assert lead[names.get(short, short)] == dict(leaves(WEBHOOK))[row.name]


@of_kind("signature")
def test_row_of_the_signature(make_adapter: Callable[..., Adapter], row: Row) -> None:
    adapter = make_adapter(CHATFORGE_WEBHOOK_SECRET=SECRET)

    def status(headers: dict[str, str], body: str = COMPACT) -> int:
        try:
            adapter.accept_webhook("chatforge", "default", headers, body.encode())
        except WebhookError as error:
            return error.status
        return 200

    good = sign(COMPACT)
    facts = {
        SIGNATURE_HEADER: (status({SIGNATURE_HEADER: good}), status({}), status({"X-Other": good})) == (200, 401, 401),
        "HMAC-SHA256, hex": status({SIGNATURE_HEADER: hashlib.sha256(COMPACT.encode()).hexdigest()}) == 401,
        "JSON.stringify": status({SIGNATURE_HEADER: good}, json.dumps(WEBHOOK, indent=2)) == 200,
    }
    assert facts[row.name]


@of_kind("error")
def test_row_of_the_error_codes(make_adapter: Callable[..., Adapter], row: Row) -> None:
    status, text = int(row.name), ERRORS[int(row.name)]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"error": text}).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async def fail() -> ActionError:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/dashboard.js"
            async with make_adapter(CHATFORGE_BASE_URL=url, CHATFORGE_API_KEY=KEY) as adapter:
                with pytest.raises(ActionError) as caught:
                    await adapter.run("chatforge.list_agents", {})
                return caught.value

    error = asyncio.run(fail())
    assert (error.kind, error.status) == (KINDS[status], status)
    assert repr(text) in str(error)  # the vendor's message; what follows it is the next step
    assert str(error).partition("); ")[2]


def test_table_of_the_documentation_is_that_of_the_reference() -> None:
    page = Path(__file__).parents[2] / "docs" / "chatforge.md"
    assert set(table.TESTS.values()) <= globals().keys()
    assert table.render_page(page.read_text("utf-8")) == page.read_text("utf-8"), "write it anew with: make docs"
