"""A TCP proxy on loopback that cuts connections as it is told, before a server whose answers have a Content-Length."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal

Point = Literal["connect", "accept", "request", "forwarded", "head", "body"]
"""Where a connection ends:

connect    refused
accept     accepted, or kept, and nothing of the request was read
request    a part of the request was read, and nothing of it forwarded
forwarded  the server has carried out the request, and nothing of its answer was sent
head, body a part of the answer's head or body was sent
"""
_BUFFERED = 4096
"""Bytes of a request that are taken from the connection before they are asked for: the sender of a long one waits."""
_PATIENCE = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Cut:
    """`reset` is with RST, otherwise with FIN. `share` is how much of the part that is cut goes through, below 1."""

    point: Point
    reset: bool = False
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Done:
    """A cut that took place, on a connection that had served a request before or not."""

    cut: Cut
    kept: bool


class FaultProxy:
    """Each item of `plan` is for one request: it is taken by the next connection, or by a kept one that is used again.

    None, or nothing, lets it pass.
    """

    def __init__(self, upstream: int) -> None:
        self.plan: deque[Cut | None] = deque()
        self.done: list[Done] = []
        self.url = ""
        self._upstream = upstream
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0
        self._server: asyncio.Server | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FaultProxy"]:
        with socket.socket() as reserved:  # nobody else gets the port while nobody listens on it
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            reserved.bind(("127.0.0.1", 0))
            self._port = reserved.getsockname()[1]
            self.url = f"http://127.0.0.1:{self._port}"
            await self.listen()
            try:
                yield self
            finally:
                await self.refuse()
                await self.close_kept(reset=False)
                await asyncio.gather(*self._tasks)

    async def listen(self) -> None:
        """Accept connections again."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", self._port, limit=_BUFFERED, reuse_address=False, reuse_port=True
            )

    async def refuse(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def close_kept(self, *, reset: bool) -> None:
        """End the connections that serve no request."""
        await asyncio.gather(*(_end(writer, reset=reset) for writer in list(self._open)))

    def count(self, points: Iterable[Point]) -> int:
        """How many connections were cut at these."""
        return sum(done.cut.point in points for done in self.done)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._open.add(writer)
        try:
            kept = False
            while await self._exchange(reader, writer, kept):
                kept = True
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._open.discard(writer)
            self._tasks.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bool) -> bool:
        """One request; whether another one may follow."""
        first = await reader.readexactly(1) if kept else b""
        cut = self.plan.popleft() if self.plan else None
        if cut:
            self.done.append(Done(cut, kept))
        if cut and cut.point == "accept":
            return await _end(writer, reader, reset=cut.reset)
        if cut and cut.point == "request":
            await _read_part(reader, cut.share)
            return await _end(writer, reader, reset=cut.reset)
        answer = await self._forward(first + await _read_message(reader))
        if cut is None:
            writer.write(answer)
            await writer.drain()
            return True
        writer.write(_part_of(answer, cut))
        await writer.drain()
        return await _end(writer, reader, reset=cut.reset)

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        try:
            writer.write(request)
            return await _read_message(reader)
        finally:
            writer.close()


async def _end(writer: asyncio.StreamWriter, reader: asyncio.StreamReader | None = None, *, reset: bool) -> bool:
    """End a connection; False, as no request follows."""
    if reset:
        connected = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False
    with suppress(OSError):
        writer.write_eof()
    # What is closed before all was read ends with a RST after all.
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while reader is not None and await reader.read(65_536):
                pass
    writer.close()
    return False


async def _read_part(reader: asyncio.StreamReader, share: float) -> None:
    """A part of the head, or, where `share` is half or more, the head and a part of the body."""
    if share < 0.5:
        await reader.readexactly(1 + int(100 * share))
        return
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(_length_of_body(head) * (2 * share - 1)))


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(_length_of_body(head))


def _length_of_body(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        assert not line.startswith(b"transfer-encoding:"), head
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def _part_of(answer: bytes, cut: Cut) -> bytes:
    head = answer.index(b"\r\n\r\n") + 4
    match cut.point:
        case "forwarded":
            return b""
        case "head":
            return answer[: 1 + int((head - 1) * cut.share)]
        case _:
            return answer[: head + int((len(answer) - head) * cut.share)]
