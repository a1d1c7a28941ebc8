"""The request that an action would send, without sending it."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import httpx
from pydantic import BaseModel

from connector.accounts import Account
from connector.declare import Action, ActionContext
from connector.errors import NetworkError
from connector.transport import open_client

_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Preview:
    """`url` and `body` have `[secret]` for each secret of the connection; `body` is text, empty where there is none."""

    method: str
    url: str
    body: str


async def preview(action: Action, input: BaseModel, account: Account, now: datetime) -> Preview | None:
    """The first request of the action; None where it fails before it sends one.

    Its function runs with a client whose every request fails as one that was not sent.
    """
    recorder = _Recorder()
    log = logging.getLogger(f"connector.{action.name}.preview")
    async with open_client(account.options, recorder) as client:
        context = ActionContext(account.values, client, "", now, log, account.memory)
        with suppress(Exception):  # it ends because nothing is sent, in whatever way
            await asyncio.wait_for(action.run(input, context), _SECONDS)
    if recorder.first is None:
        return None
    body = recorder.first.content.decode("utf-8", "replace")
    hide = account.hide_secrets
    return Preview(recorder.first.method, hide(str(recorder.first.url)), hide(body))


class _Recorder(httpx.AsyncBaseTransport):
    """Keeps the first request, and sends none."""

    def __init__(self) -> None:
        self.first: httpx.Request | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.first = self.first or request
        raise NetworkError("this client sends nothing", processed="no")
