"""A served sandbox with its clients, a clock that stands still, and a receiver of webhooks; all on loopback."""

import logging
import queue
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from connector.sandbox import Sandbox, SandboxSettings
from connector.sandbox.server import running

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without certificates, which take httpx long to load


class StandingClock:
    """Says the same time until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 25, 10, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Site:
    """A served sandbox, a client with the Enterprise key, and a client for the controls."""

    sandbox: Sandbox
    api: httpx.Client
    control: httpx.Client

    def call(
        self, method: str, action: str, json: Any = None, *, agent_id: str | None = None, **query: str
    ) -> httpx.Response:
        """One API request about the first agent unless told otherwise."""
        params = {"action": action, "agent_id": agent_id or self.sandbox.agent_id, **query}
        return self.api.request(method, self.sandbox.url, params=params, json=json)

    def visit(self, **fields: Any) -> dict[str, Any]:
        """A visitor's story; the answer of `POST /sandbox/visitors`."""
        response = self.control.post("/visitors", json=fields)
        assert response.status_code == 201, response.text
        return dict(response.json())

    def order(self, **fault: Any) -> None:
        """Put a fault into the queue."""
        response = self.control.post("/faults", json=fault)
        assert response.status_code == 201, response.text

    def chat(self, conversation_id: str) -> dict[str, Any]:
        """A conversation as its visitor sees it."""
        return dict(self.control.get(f"/conversations/{conversation_id}").json())

    def effects(self) -> list[dict[str, Any]]:
        """What was changed through the API."""
        return list(self.control.get("/effects").json()["effects"])

    def deliveries(self) -> list[dict[str, Any]]:
        """All deliveries, once none is under way."""
        return list(self.control.get("/deliveries", params={"settle_seconds": 10}).json()["deliveries"])


@dataclass
class Receiver:
    """What a webhook endpoint got, and what it is to answer: `statuses` one by one, then 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: queue.Queue[tuple[dict[str, str], bytes]] = field(default_factory=queue.Queue)

    def next(self) -> tuple[dict[str, str], bytes]:
        """Headers (lower case) and raw body of the next delivery."""
        return self.got.get(timeout=10)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def start(clock: StandingClock, caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Site]]:
    """start(**settings) → a served sandbox whose clock stands still. It must stop without a logged error."""
    with ExitStack() as stack:

        def start_site(**settings: Any) -> Site:
            sandbox = stack.enter_context(running(SandboxSettings(**settings), clock=clock))
            key = {"Authorization": f"Bearer {sandbox.api_key}"}
            api = stack.enter_context(httpx.Client(headers=key, trust_env=False, verify=NO_TLS))
            control = stack.enter_context(httpx.Client(base_url=sandbox.control_url, trust_env=False, verify=NO_TLS))
            return Site(sandbox, api, control)

        yield start_site
    logged = caplog.get_records("call") + caplog.get_records("teardown")
    assert [record.getMessage() for record in logged if record.levelno >= logging.ERROR] == []


@pytest.fixture
def site(start: Callable[..., Site]) -> Site:
    return start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    record = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(record.statuses.pop(0) if record.statuses else 200)
            self.end_headers()
            record.got.put(({name.lower(): value for name, value in self.headers.items()}, body))

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        record.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield record
        server.shutdown()
        thread.join()
