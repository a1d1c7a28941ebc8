"""The open TCP connections of the server, so that one can be closed without a whole answer.

ASGI has no way to do that, nor to tell whether a request is the first of its connection. uvicorn takes the class
of its HTTP protocol as a setting, and `scope["client"]` is the peer address of the connection, which is unique
among the open ones.
"""

import asyncio
from dataclasses import dataclass

from starlette.types import Receive
from uvicorn.protocols.http.h11_impl import H11Protocol

Peer = tuple[str, int]


@dataclass(slots=True)
class Connection:
    """An open connection, and how many answers were sent on it."""

    transport: asyncio.Transport
    answers: int = 0


class Connections:
    """All open connections, by peer address."""

    def __init__(self) -> None:
        self._open: dict[Peer, Connection] = {}

    def opened(self, peer: Peer, transport: asyncio.Transport) -> None:
        """Remember a connection."""
        self._open[peer] = Connection(transport)

    def answered(self, peer: Peer) -> None:
        """Count an answer, whether of the API or of a control endpoint."""
        if peer in self._open:
            self._open[peer].answers += 1

    def is_reused(self, peer: Peer) -> bool:
        """Whether an earlier request of the connection was answered."""
        return peer in self._open and self._open[peer].answers > 0

    def closed(self, peer: Peer) -> None:
        """Forget a connection."""
        self._open.pop(peer, None)

    async def cut(self, peer: Peer, receive: Receive) -> None:
        """Close a connection at once, and return when the server has noticed, so that it answers nothing."""
        if peer in self._open:
            self._open[peer].transport.abort()
        await wait_for_disconnect(receive)

    async def finish(self, peer: Peer, receive: Receive) -> None:
        """Close a connection once all that was written has been sent, and return when the server has noticed."""
        if peer in self._open:
            self._open[peer].transport.close()
        await wait_for_disconnect(receive)


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has left; call it only after the request's body was received."""
    while (await receive())["type"] != "http.disconnect":
        pass


def track(connections: Connections) -> type[H11Protocol]:
    """The HTTP protocol for uvicorn that tells `connections` what is open."""

    class TrackedProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
            super().connection_made(transport)
            if self.client is not None:
                connections.opened(self.client, transport)

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                connections.closed(self.client)
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            if self.client is not None:
                connections.answered(self.client)
            super().on_response_complete()

    return TrackedProtocol
