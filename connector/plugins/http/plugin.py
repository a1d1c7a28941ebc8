"""Declares `http.request`."""

from collections.abc import Callable
from typing import Any

from connector.declare import ActionContext, ConnectionType, action
from connector.errors import OutputError
from connector.hookspecs import hookimpl
from connector.plugins.http.connection import CONNECTION, HttpConnection
from connector.plugins.http.constants import BY_CONSTANTS
from connector.plugins.http.models import Answer, HttpRequest
from connector.plugins.http.sending import Reader, exchange, prepare


@action(
    effect="once",
    title="Send HTTP request",
    example={"method": "POST", "url": "/contacts", "body": {"email": "john@example.com"}},
    by_constants=BY_CONSTANTS,
)
async def request(input: HttpRequest, context: ActionContext[HttpConnection]) -> Answer:
    """Send a request to the service of the connection and read its answer."""
    sent, reader = prepare(input, context), Reader(input, context)
    answer = reader.read(await exchange(sent, context))
    if (paging := input.paging) is None:
        reader.check(answer.body)
        return answer
    found: list[Any] = []
    for page in range(1, paging.most + 1):
        found += reader.items(paging, answer)
        following = reader.following(paging, answer, sent, len(found))
        if following is None:
            return Answer(status=answer.status, headers=answer.headers, body=found)
        if page < paging.most:
            answer = reader.read(await exchange(following, context))
    message = f"the list has more than {paging.most} pages; raise `most` of paging, or ask for larger pages"
    raise OutputError(message, processed="unknown")


@hookimpl
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    register(CONNECTION)


@hookimpl
def register_actions(register: Callable[[Any], None]) -> None:
    register(request)
