"""The open TCP connections of the server, so that one can be closed without an answer.

ASGI has no way to do that. uvicorn takes the class of its HTTP protocol as a setting, and `scope["client"]`
is the peer address of the connection, which is unique among the open ones.
"""

import asyncio

from starlette.types import Receive
from uvicorn.protocols.http.h11_impl import H11Protocol

Peer = tuple[str, int]


class Connections:
    """The transports of all open connections, by peer address."""

    def __init__(self) -> None:
        self._open: dict[Peer, asyncio.Transport] = {}

    def opened(self, peer: Peer, transport: asyncio.Transport) -> None:
        """Remember a connection."""
        self._open[peer] = transport

    def closed(self, peer: Peer) -> None:
        """Forget a connection."""
        self._open.pop(peer, None)

    async def cut(self, peer: Peer, receive: Receive) -> None:
        """Close a connection at once, and return when the server has noticed, so that it answers nothing."""
        if peer in self._open:
            self._open[peer].abort()
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

    return TrackedProtocol
