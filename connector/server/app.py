"""The HTTP face: webhooks come in, probes ask. It reads raw bytes and parses nothing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from connector.adapter import DEFAULT, Adapter
from connector.errors import ConnectorError, StoreError, WebhookError
from connector.exchanges import begin
from connector.runs.intake import Intake
from connector.server.meter import Meter
from connector.server.refusals import KEPT, Refusals

log = logging.getLogger(__name__)

MAX_BODY = 1_048_576  # bytes
BODY_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Answers deliveries: 202 once an event is stored, 200 where it was known, 503 where it cannot be stored."""

    adapter: Adapter
    intake: Callable[[], Intake]
    refusals: Refusals
    clock: Callable[[], datetime]
    meter: Meter = field(default_factory=Meter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app of their paths."""
        response = await self._receive(Request(scope, receive))
        self.meter.answered(response.status_code)
        await response(scope, receive, send)

    async def _receive(self, request: Request) -> Response:
        connector = request.path_params["connector"]
        connection = request.path_params.get("connection", DEFAULT)
        headers, body = read_headers(request), b""
        try:
            body = await read_body(request)
            delivery = self.adapter.accept_webhook(connector, connection, headers, body)
            stored = await self.intake().accept(delivery)
        except WebhookError as error:
            log.warning("refused a delivery to %a: %s", request.url.path[:100], error)
            self._keep(error, (connector, connection), headers, body)
            return _json({"error": str(error)}, error.status)
        except StoreError as error:
            log.error("could not store a delivery: %s", error)  # noqa: TRY400 - the sentence says it all
            return _json({"error": "the event could not be stored; send it again later"}, 503)
        except asyncio.CancelledError:  # the server stops and has waited long enough
            return _json({"error": "the server is stopping; send the event again"}, 503)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        answer = {"event_id": stored.event_id, "seen": not stored.new}
        return _json(answer, 202 if stored.new else 200)

    def _keep(self, error: WebhookError, place: tuple[str, str], headers: Mapping[str, str], body: bytes) -> None:
        """For the pages, without secrets of the connection, which a sender that is set up wrongly may have sent."""
        sent: dict[str, Any] = {"headers": dict(headers), "body": begin(body, KEPT)}
        with suppress(ConnectorError):  # a connection that cannot be used has none
            sent = self.adapter.hide_secrets(sent, *place)
        self.refusals.keep(self.clock(), place, error.status, str(error), sent["headers"], sent["body"])


@dataclass(frozen=True, slots=True)
class Apart:
    """Webhooks at a port of their own: one listener can be open to the world, the other one to people of the house."""

    port: int
    webhooks: ASGIApp
    others: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """By the socket that took the connection, which nothing that was sent changes."""
        _, port = scope.get("server") or (None, self.port)
        await (self.webhooks if port == self.port else self.others)(scope, receive, send)


def create_app(
    webhooks: Webhooks,
    ready: Callable[[], Awaitable[str | None]],
    pages: Sequence[BaseRoute],
    webhooks_port: int | None = None,
) -> ASGIApp:
    """The ASGI app. `ready` says why the server is not ready, or None.

    With `webhooks_port` webhooks are answered only there, and all else only elsewhere, but for /healthz.
    """

    async def healthz(_request: Request) -> Response:
        return _json({"status": "ok"}, 200)

    async def readyz(_request: Request) -> Response:
        reason = await ready()
        return _json({"status": "ready"}, 200) if reason is None else _json({"status": reason}, 503)

    alive = Route("/healthz", healthz)
    received = [
        Route("/webhooks/{connector}", webhooks, methods=["POST"]),
        Route("/webhooks/{connector}/{connection}", webhooks, methods=["POST"]),
    ]
    others = [Route("/readyz", readyz), *pages]  # what is not ready may name the database
    if webhooks_port is None:
        return _route([*received, alive, *others])
    return Apart(webhooks_port, _route([*received, alive]), _route([alive, *others]))


def _route(routes: Sequence[BaseRoute]) -> Router:
    # The address to go to would be made of a Host that nobody has looked at.
    return Router(routes=routes, redirect_slashes=False)


async def read_body(request: Request) -> bytes:
    """The raw body; refused as soon as it is longer than allowed, whatever its header says."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise WebhookError(f"the body is longer than {MAX_BODY} bytes; send a smaller one", status=413)
    except TimeoutError:
        raise WebhookError(f"the body did not come within {BODY_SECONDS} s; send it again", status=408) from None
    return bytes(body)


def read_headers(request: Request) -> Mapping[str, str]:
    """A header that came twice is joined with a comma, as HTTP has it; the verifier then refuses a signature."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _json(content: dict[str, Any], status: int) -> Response:
    return JSONResponse(content, status)
