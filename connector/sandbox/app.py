"""The ASGI application: the API at its documented path, the controls and the chat beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from connector.sandbox.answers import refuse
from connector.sandbox.api import Api
from connector.sandbox.chat.pages import Chat
from connector.sandbox.control import Controls
from connector.sandbox.refusals import RefusedError
from connector.sandbox.sandbox import Sandbox


def create_app(sandbox: Sandbox) -> Starlette:
    """The app of one sandbox. Cutting connections needs `connector.sandbox.server`; the rest runs anywhere."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await sandbox.courier.close()

    return Starlette(
        routes=[
            Route("/api/dashboard.js", Api(sandbox)),
            Mount("/sandbox", routes=Controls(sandbox).routes()),
            *Chat(sandbox).routes(),
        ],
        exception_handlers={RefusedError: _refuse_control},
        lifespan=lifespan,
    )


async def _refuse_control(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedError):
        raise error
    return refuse(error)
