"""What people have tried of an operation: kept in memory for a few minutes, as it may tell about a person.

Of a form that was sent, a digest is kept for longer.
"""

import asyncio
import hashlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from connector.errors import InputError, Processed
from connector.preview import Preview
from connector.server.access import DeniedError

MOST = 50
"""Results that are kept."""
LASTS = timedelta(minutes=10)
_MOST_KEYS = 500
"""Keys of the last forms that were sent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person wants of an operation. `texts` are the fields of the form, as they were typed."""

    operation: str
    connection: str
    input: Mapping[str, Any]
    texts: Mapping[str, str]

    @property
    def digest(self) -> bytes:
        """Of what is asked for, however it was typed."""
        asked = json.dumps([self.operation, self.connection, self.input], sort_keys=True)
        return hashlib.sha256(asked.encode()).digest()


@dataclass(frozen=True, slots=True)
class Failure:
    """`kind` is that of an ActionError; None where the fault is in the settings."""

    sentence: str
    kind: str | None
    processed: Processed
    transient: bool


@dataclass(frozen=True, slots=True)
class Try:
    """What came of it. `seconds` is how long it took."""

    what: Literal["done", "failed", "previewed", "refused"]
    at: datetime
    operation: str
    connection: str
    texts: Mapping[str, str]
    seconds: float | None = None
    output: Any = None
    is_sample: bool = False
    """Whether there was no event, so that the output is a sample."""
    preview: Preview | None = None
    failure: Failure | None = None
    requests: Sequence[Mapping[str, Any]] = ()
    """As `exchanges.describe` gives them."""


def new_key() -> str:
    return secrets.token_hex(16)


@dataclass
class Tries:
    _kept: "OrderedDict[str, Try]" = field(default_factory=OrderedDict)
    _sent: "OrderedDict[str, tuple[bytes, asyncio.Task[None]]]" = field(default_factory=OrderedDict)

    def keep(self, found: Try, key: str | None = None) -> str:
        """The key by which it is found."""
        key = key or new_key()
        self._kept[key] = found
        self._drop(found.at)
        return key

    def find(self, key: str, operation: str, now: datetime) -> Try | None:
        self._drop(now)
        found = self._kept.get(key)
        return found if found is not None and found.operation == operation else None

    async def send_once(self, key: str, asked: Asked, send: Callable[[], Awaitable[Try]]) -> None:
        """Send unless the form with that key was sent before; then wait for what came of it.

        Raises InputError where that form asked for something else.
        """
        if key not in self._sent:
            self._sent[key] = asked.digest, asyncio.create_task(self._send(key, send))
            while len(self._sent) > _MOST_KEYS:
                self._sent.popitem(last=False)
        before, task = self._sent[key]
        if before != asked.digest:
            raise InputError("this form was sent before, with other values; load the page again")
        try:
            await asyncio.shield(task)  # who sends a form twice leaves the first request
        except asyncio.CancelledError:
            task.cancel()
            raise DeniedError(503, "the server is stopping, and nobody knows whether it took effect") from None

    async def _send(self, key: str, send: Callable[[], Awaitable[Try]]) -> None:
        self.keep(await send(), key)

    def _drop(self, now: datetime) -> None:
        while self._kept and (len(self._kept) > MOST or now - next(iter(self._kept.values())).at > LASTS):
            self._kept.popitem(last=False)
