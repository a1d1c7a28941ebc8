"""Answers deliveries without keeping them: says what came, what the verifier finds, and what another server answers.

The other server gets the bytes as they came, with their headers, so that the signature fits there too. `Via` is added,
by which a delivery is known that has come back.
"""

import asyncio
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from connector.adapter import DEFAULT, Adapter
from connector.errors import ConnectorError, NetworkError, WebhookError
from connector.server.app import read_body, read_headers
from connector.server.deadline import Deadline
from connector.server.service import Server, configure
from connector.transport import HttpOptions, open_client, open_transport

Verdict = Literal["good", "refused", "unchecked"]
_OWN_HEADERS = {
    *("accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"),
    *("transfer-encoding", "upgrade"),
}
"""Of one connection only, by RFC 9110, 7.6.1; whoever sends it on has its own."""
_STATUSES = range(200, 600)
"""Of answers that can be handed back."""
_LOOP = "--forward-to leads back to this command; name another server"
_NOT_READY = 503
"""What is answered where a signature cannot be checked, as there is no secret."""
_TELLING = ("email", "phone", "name")
"""Parts of the names of fields that say whom an event is about, the best first."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A delivery, and what it was answered."""

    at: datetime
    place: str
    """`CONNECTOR/CONNECTION`"""
    event: str | None
    about: str | None
    verdict: Verdict
    reason: str | None
    """Why it was refused or not checked, or what is odd about it."""
    status: int
    answer: str


@dataclass(frozen=True, slots=True)
class _Judged:
    verdict: Verdict
    reason: str | None
    status: int
    """The answer, where nobody else answers."""


@dataclass(slots=True)
class Listening:
    """Listens until SIGINT or SIGTERM. `heard` is called for each delivery; where it raises, the listening ends."""

    adapter: Adapter
    forward_to: str | None
    heard: Callable[[Heard], None]
    clock: Callable[[], datetime]
    _via: str = field(default_factory=lambda: f"1.1 chatforge-listen-{secrets.token_hex(8)}")
    _failure: BaseException | None = None
    _stop: Callable[[], None] = lambda: None

    def serve(self, listener: socket.socket) -> None:
        """Raises what `heard` has raised."""
        with Deadline() as deadline:
            asyncio.run(self._serve(listener, deadline))
        if self._failure is not None:
            raise self._failure

    async def _serve(self, listener: socket.socket, deadline: Deadline) -> None:
        route = Route("/{path:path}", self._receive, methods=["POST"])
        server = Server(configure(Router(routes=[route], redirect_slashes=False)), lambda: None, deadline)
        self._stop = lambda: setattr(server, "should_exit", True)
        async with self.adapter:
            await server.serve(sockets=[listener])

    async def _receive(self, request: Request) -> Response:
        connector, connection = _read_place(request.path_params["path"])
        body = b""
        try:
            body = await read_body(request)
            judged = self._judge(connector, connection, read_headers(request), body)
        except WebhookError as error:  # it is too long, or does not come
            judged = _Judged("refused", str(error), error.status)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        response = await self._answer(request, body, judged)
        event, about = self._describe(connector, body)
        answer = bytes(response.body).decode("utf-8", "replace")
        place = f"{connector}/{connection}"
        self._tell(
            Heard(self.clock(), place, event, about, judged.verdict, judged.reason, response.status_code, answer)
        )
        return response

    def _judge(self, connector: str, connection: str, headers: Mapping[str, str], body: bytes) -> _Judged:
        try:
            delivery = self.adapter.accept_webhook(connector, connection, headers, body)
        except WebhookError as error:
            if error.status == _NOT_READY:
                return _Judged("unchecked", self._describe_lack(connector, connection) or str(error), 200)
            return _Judged("refused", str(error), error.status)
        odd = None if delivery.exact else "the body was written anew on its way; what was signed could be restored"
        return _Judged("good", odd, 200)

    def _describe_lack(self, connector: str, connection: str) -> str | None:
        """What the connection lacks; strangers are not told, but whoever listens is."""
        try:
            self.adapter.require_webhook(connector, connection)
        except ConnectorError as error:
            return str(error)
        return None

    async def _answer(self, request: Request, body: bytes, judged: _Judged) -> Response:
        if self.forward_to is not None:
            if self._via in ", ".join(request.headers.getlist("via")):
                return JSONResponse({"error": _LOOP}, 508)
            try:
                return await _forward(self.forward_to, request, body, self._via)
            except NetworkError as error:
                return JSONResponse({"error": str(error)}, 502)
        told = {"heard": True} if judged.status < 300 else {"error": judged.reason}
        return JSONResponse(told, judged.status)

    def _describe(self, connector: str, body: bytes) -> tuple[str | None, str | None]:
        """The name of the event, and whom it is about. It may be forged."""
        try:
            event = self.adapter.read_webhook(connector, body.decode())
        except (WebhookError, ValueError, KeyError):
            return None, None
        found = [*_find_telling(event.payload)]
        return event.name, min(found, default=(0, None), key=lambda one: one[0])[1]

    def _tell(self, heard: Heard) -> None:
        try:
            self.heard(heard)
        except BaseException as error:  # the reader of a pipe has left
            self._failure = error
            self._stop()


async def _forward(url: str, request: Request, body: bytes, via: str) -> Response:
    """Raises NetworkError."""
    options = HttpOptions(url, base_url_setting="--forward-to")
    named = ",".join(request.headers.getlist("connection")).lower().split(",")
    own = _OWN_HEADERS | {name.strip() for name in named}
    headers = [(name, value) for name, value in request.headers.raw if name.decode("latin-1") not in own]
    headers.append((b"via", via.encode()))
    transport = open_transport(options)
    try:
        async with open_client(options, transport) as client:
            answer = await client.post(url, content=body, headers=headers)
            if answer.status_code not in _STATUSES:
                return JSONResponse({"error": f"the answer has the status {answer.status_code}, which is none"}, 502)
            kind = answer.headers.get("content-type", "").encode("ascii", "ignore").decode()
            return Response(answer.content, answer.status_code, media_type=kind or None)
    finally:
        await transport.aclose()


def _read_place(path: str) -> tuple[str, str]:
    """Connector and connection, as the server has them in its paths; of another path those of ChatForge."""
    match path.strip("/").split("/"):
        case ["webhooks", connector]:
            return connector, DEFAULT
        case ["webhooks", connector, connection]:
            return connector, connection
    return "chatforge", DEFAULT


def _find_telling(value: Any) -> Iterator[tuple[int, str]]:
    """(rank, text) of what says whom it is about."""
    if not isinstance(value, Mapping):
        return
    for name, inner in value.items():
        if isinstance(inner, str) and inner.strip():
            yield from ((rank, inner.strip()) for rank, part in enumerate(_TELLING) if part in name.lower())
        else:
            yield from _find_telling(inner)
