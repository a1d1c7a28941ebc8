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


@asynccontextmanager
async def connected(address: str, count: int) -> AsyncIterator[list[Sender]]:
    """So many connections."""
    place, loop = urlsplit(address), asyncio.get_running_loop()
    senders: list[Sender] = []
    try:
        while len(senders) < count:
            _, sender = await loop.create_connection(Sender, place.hostname, place.port)
            senders.append(sender)
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


async def post_paced(
    senders: Sequence[Sender], requests: Sequence[bytes], rate: float
) -> tuple[list[float], list[float]]:
    """Send `rate` of them a second, without waiting for answers.

    Returns when each was sent, by `time.perf_counter`, and after how many seconds it was acknowledged. Raises
    RuntimeError where no connection is free, or this process cannot keep the pace.
    """
    free, begun = deque(senders), time.perf_counter()  # in turn: the server closes those that idle for 5 s
    sent, posting = list[float](), list[asyncio.Task[float]]()
    for number, request in enumerate(requests):
        if (pause := begun + number / rate - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        if not free:
            raise RuntimeError(f"{len(senders)} requests wait for an answer; the server does not keep the pace")
        sent.append(time.perf_counter())
        posting.append(asyncio.create_task(_post_once(free.popleft(), request, free)))
    if (took := time.perf_counter() - begun) > 1.05 * len(requests) / rate + 0.1:
        raise RuntimeError(f"sending took {took:.1f} s instead of {len(requests) / rate:.1f}; the bench is too slow")
    return sent, await asyncio.gather(*posting)


async def _post_once(sender: Sender, request: bytes, free: deque[Sender]) -> float:
    begun = time.perf_counter()
    _require_acknowledged(await sender.post(request))
    free.append(sender)
    return time.perf_counter() - begun


def _require_acknowledged(status: int) -> None:
    if status != 202:
        raise RuntimeError(f"a webhook was answered {status}, not 202")
