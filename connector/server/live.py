"""Tells pages that something has changed, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import StreamingResponse

from connector import engines
from connector.server.site import Site

_LOOK_EVERY = 1.0  # seconds
_BEAT_EVERY = 15
"""Looks after which something is sent in any case, so that a connection that is gone is noticed."""
MOST = 50
"""Pages that are told at once; the others are as they were when they were loaded."""


class Live:
    """One look at the database for all pages."""

    def __init__(self, site: Site, is_stopping: Callable[[], bool]) -> None:
        self._site = site
        self._is_stopping = is_stopping
        self._open = 0

    async def answer(self, request: Request) -> StreamingResponse:
        return StreamingResponse(self._tell(request), media_type="text/event-stream")

    async def _tell(self, request: Request) -> AsyncIterator[str]:
        if self._open >= MOST:
            return
        self._open += 1
        try:
            async for text in self._changes(request):
                yield text
        finally:
            self._open -= 1

    async def _changes(self, request: Request) -> AsyncIterator[str]:
        yield "retry: 5000\n\n"
        with engines.versions(self._site.settings.database) as read:
            known, looks = read(), 0
            while not self._is_stopping() and not await request.is_disconnected():
                await asyncio.sleep(_LOOK_EVERY)
                looks += 1
                version = read()
                if version != known:
                    known = version
                    yield "event: changed\ndata:\n\n"
                elif looks % _BEAT_EVERY == 0:
                    yield ":\n\n"
