"""The other side of the actions: a small HTTP server that notes when each call arrives."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_NUMBER = re.compile(rb"visitor(\d+)@")
_ANSWER = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}"


@dataclass(slots=True)
class Receiver:
    """Answers at once, unless it is told to wait. `arrived` has the second call of each run, by number."""

    address: str = ""
    arrived: dict[int, float] = field(default_factory=dict)
    """When it arrived, by `time.perf_counter`."""
    holds: bool = False
    """Whether calls get no answer."""
    _calls: int = 0
    _awaited: Callable[[], bool] = lambda: False
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, path: bytes, body: bytes) -> str | None:
        """What is answered; None: nothing."""
        found = _NUMBER.search(body)
        number = int(found[1]) if found else -1
        self._calls += 1
        if path == b"/contacts":
            self.arrived[number] = time.perf_counter()
        if self._awaited():
            self._came.set()
        if self.holds:
            return None
        return f'{{"id": "{number}", "{"accepted" if path == b"/notes" else "created"}": true}}'

    def forget(self) -> None:
        self.arrived.clear()
        self._calls = 0

    async def wait_for_runs(self, runs: int, seconds: float) -> None:
        """Until the second calls of so many runs have arrived since `forget`. Raises TimeoutError."""
        await self._wait(lambda: len(self.arrived) >= runs, seconds)

    async def wait_for_calls(self, calls: int, seconds: float) -> None:
        """Until so many calls have arrived since `forget`. Raises TimeoutError."""
        await self._wait(lambda: self._calls >= calls, seconds)

    async def _wait(self, awaited: Callable[[], bool], seconds: float) -> None:
        self._awaited = awaited
        self._came.clear()
        if not awaited():
            async with asyncio.timeout(seconds):
                await self._came.wait()


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._came = b""

    def connection_made(self, transport: Any) -> None:  # that of uvloop is no asyncio.Transport
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, ended, rest = self._came.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not ended or length is None or len(rest) < int(length[1]):
            return
        self._came = rest[int(length[1]) :]
        if (text := self._receiver.answer(head.split(b" ", 2)[1], rest)) is not None:
            self._transport.write(_ANSWER.format(len(text), text).encode())


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(receiver), "127.0.0.1", 0)
    receiver.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield receiver
    finally:
        server.close()
