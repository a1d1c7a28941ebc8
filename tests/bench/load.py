"""Signed webhooks, and who sends them: the next one after each answer, or so many a second whatever is answered."""

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from connector.chatforge.webhooks import SIGNATURE_HEADER, sign

SECRET = "whsec_bench"
PATH = "/webhooks/chatforge"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def make_webhooks(first: int, count: int) -> list[bytes]:
    """Whole requests with the numbers from `first` on; made beforehand, so that sending them costs little."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [_make_webhook(number, now) for number in range(first, first + count)]


def _make_webhook(number: int, now: str) -> bytes:
    event = {
        "event": "lead.captured",
        "agent_id": "00000000-0000-4000-8000-000000000001",
        "timestamp": now,
        "data": {
            "visitor_name": "John Smith",
            "visitor_email": f"visitor{number}@example.com",
            "visitor_phone": "+1 555 0100",
            "conversation_summary": "Asks about estate planning, and would like to be called in the afternoon.",
            "page_url": "https://example.com/pricing",
        },
    }
    body = json.dumps(event, separators=(",", ":")).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{SIGNATURE_HEADER}: {sign(body, SECRET)}\r\n\r\n"
    )
    return head.encode() + body


class Sender(asyncio.Protocol):
    """One connection to the server; one request at a time."""

    def __init__(self) -> None:
        self._came = b""
        self._answered: asyncio.Future[int] | None = None

    def connection_made(self, transport: Any) -> None:  # that of uvloop is no asyncio.Transport
        self.transport = transport

    def post(self, request: bytes) -> asyncio.Future[int]:
        """The status of the answer."""
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, ended, body = self._came.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if ended and length and len(body) >= int(length[1]) and self._answered:
            self._came = b""
            self._answered.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(error or ConnectionError("the server closed the connection"))


async def connect(address: str) -> Sender:
    place = urlsplit(address)
    _, sender = await asyncio.get_running_loop().create_connection(Sender, place.hostname, place.port)
    return sender


@asynccontextmanager
async def connected(address: str, count: int) -> AsyncIterator[list[Sender]]:
    """So many connections; whoever adds more to the list has them closed as well."""
    senders: list[Sender] = []
    try:
        while len(senders) < count:
            senders.append(await connect(address))
        yield senders
    finally:
        for sender in senders:
            sender.transport.close()


async def post_all(senders: Sequence[Sender], requests: Sequence[bytes]) -> float:
    """Send all, each connection its next one once the last was acknowledged; the seconds that it took."""
    queue = iter(requests)
    begun = time.perf_counter()
    await asyncio.gather(*(_post_next(sender, queue) for sender in senders))
    return time.perf_counter() - begun


async def _post_next(sender: Sender, queue: Iterator[bytes]) -> None:
    for request in queue:
        _require_acknowledged(await sender.post(request))


async def post_paced(address: str, requests: Sequence[bytes], rate: float) -> tuple[list[float], list[float]]:
    """Send `rate` of them a second, without waiting for answers, on as many connections as that takes.

    Returns when each was due, by `time.perf_counter`, and after how many seconds from then it was acknowledged. So a
    server that keeps everybody waiting does not look fast because less was sent meanwhile.
    """
    due, free, posting = list[float](), deque[Sender](), list[asyncio.Task[float]]()
    async with connected(address, 0) as senders, asyncio.TaskGroup() as group:
        begun = time.perf_counter()
        for number, request in enumerate(requests):
            at = begun + number / rate
            if (pause := at - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            while free and free[0].transport.is_closing():  # the server ends those that were idle for 5 s
                free.popleft()
            if not free:
                free.append(await connect(address))
                senders.append(free[-1])
            due.append(min(at, time.perf_counter()))  # a timer may end a little early
            posting.append(group.create_task(_post_once(free.popleft(), request, due[-1], free)))
    return due, [task.result() for task in posting]


async def _post_once(sender: Sender, request: bytes, due: float, free: deque[Sender]) -> float:
    _require_acknowledged(await sender.post(request))
    free.append(sender)
    return time.perf_counter() - due


def _require_acknowledged(status: int) -> None:
    if status != 202:
        raise RuntimeError(f"a webhook was answered {status}, not 202")
