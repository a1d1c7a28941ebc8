"""Webhooks: signed, sent in the background, sent again when they did not arrive, and recorded."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

import httpx

from connector.sandbox import jsontext
from connector.sandbox.clock import Clock
from connector.sandbox.refusals import bad_request, not_found
from connector.sandbox.settings import ADDRESS, SandboxSettings, is_address

SIGNATURE_HEADER = "X-ChatForge-Signature"


def sign(body: bytes, secret: str) -> str:
    """The HMAC-SHA256 hex digest of a body, as in the reference's verification example."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where events go, and what they are signed with."""

    url: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not is_address(self.url):
            raise bad_request(f"webhook url is {self.url!r}; expected {ADDRESS}")
        try:
            self.secret.encode()
        except UnicodeEncodeError:
            # None: the error would hold the secret.
            raise bad_request("webhook secret holds a lone surrogate; expected text that can be UTF-8") from None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: the receiver's status, or the error where no answer came."""

    at: datetime
    status: int | None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the receiver answered 2xx."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(slots=True)
class Delivery:
    """One event on its way to one webhook; every attempt sends the same bytes."""

    id: str
    event: str
    webhook: Webhook
    body: bytes
    created_at: datetime
    attempts: list[Attempt] = field(default_factory=list)
    state: Literal["pending", "delivered", "failed"] = "pending"


class Courier:
    """Sends events to webhooks. Must be closed after the last event."""

    def __init__(self, clock: Clock, read_settings: Callable[[], SandboxSettings]) -> None:
        self.deliveries: dict[str, Delivery] = {}
        self._clock = clock
        self._read_settings = read_settings
        self._rounds: set[asyncio.Task[None]] = set()
        self._http: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._rounds:
            task.cancel()
        await asyncio.gather(*self._rounds, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()

    def announce(self, payload: dict[str, Any], webhooks: Sequence[Webhook]) -> list[Delivery]:
        """Start to deliver an event to each webhook, in as many copies as the settings say."""
        body = jsontext.render(payload)
        deliveries = [
            Delivery(str(uuid4()), payload["event"], webhook, body, self._clock())
            for webhook in webhooks
            for _ in range(self._read_settings().webhook_copies)
        ]
        for delivery in deliveries:
            self.deliveries[delivery.id] = delivery
            self._start(delivery)
        return deliveries

    def redeliver(self, delivery_id: str) -> Delivery:
        """Start another round of attempts, whatever became of the earlier ones."""
        if delivery_id not in self.deliveries:
            raise not_found("delivery", delivery_id)
        delivery = self.deliveries[delivery_id]
        self._start(delivery)
        return delivery

    async def settle(self, seconds: float) -> None:
        """Return when nothing is under way any more, at the latest after `seconds`."""
        if self._rounds:
            await asyncio.wait(self._rounds, timeout=seconds)

    def _start(self, delivery: Delivery) -> None:
        delivery.state = "pending"
        task = asyncio.create_task(self._deliver(delivery))
        self._rounds.add(task)
        task.add_done_callback(self._rounds.discard)

    async def _deliver(self, delivery: Delivery) -> None:
        for delay in (0.0, *self._read_settings().redelivery_delays):
            await asyncio.sleep(delay)
            attempt = await self._attempt(delivery)
            delivery.attempts.append(attempt)
            if attempt.succeeded:
                delivery.state = "delivered"
                return
        delivery.state = "failed"

    async def _attempt(self, delivery: Delivery) -> Attempt:
        at = self._clock()
        signature = sign(delivery.body, delivery.webhook.secret)
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature}
        if self._http is None:  # made late: most sandboxes never send, and TLS set-up takes a while
            self._http = httpx.AsyncClient(timeout=self._read_settings().webhook_timeout, trust_env=False)
        try:
            response = await self._http.post(delivery.webhook.url, content=delivery.body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Attempt(at, None, f"{type(error).__name__}: {error}")
        return Attempt(at, response.status_code)
