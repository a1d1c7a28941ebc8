"""Declares `http.request`."""

from collections.abc import Callable
from typing import Any

from connector.declare import ActionContext, ConnectionType, action
from connector.errors import OutputError
from connector.hookspecs import hookimpl
from connector.plugins.http.connection import CONNECTION, HttpConnection
from connector.plugins.http.constants import BY_CONSTANTS
from connector.plugins.http.models import Answer, HttpRequest, Paging
from connector.plugins.http.sending import Reader, Sent, exchange, prepare

MOST_BYTES = 20_000_000
"""Of all pages of a list together."""


@action(
    effect="once",
    title="Send HTTP request",
    example={"method": "POST", "url": "/contacts", "body": {"email": "john@example.com"}},
    by_constants=BY_CONSTANTS,
)
async def request(input: HttpRequest, context: ActionContext[HttpConnection]) -> Answer:
    """Send a request to the service of the connection and read its answer."""
    sent, reader = prepare(input, context), Reader(input, context)
    if input.paging is not None:
        return await _read_pages(input.paging, sent, reader)
    answer = reader.read(await exchange(sent, context))
    reader.check(answer.body)
    return answer


async def _read_pages(paging: Paging, first: Sent, reader: Reader) -> Answer:
    """The items of all pages. Raises ActionError."""
    sent, found, size = first, list[Any](), 0
    for _ in range(paging.most):
        response = await exchange(sent, reader.context)
        size += len(response.content)
        if size > MOST_BYTES:
            message = f"the pages of the list have more than {MOST_BYTES // 1_000_000} MB; ask for fewer fields"
            raise OutputError(message, processed="unknown")
        answer = reader.read(response)
        found += reader.items(paging, answer)
        following = reader.following(paging, answer, sent, len(found))
        if following is None:
            return Answer(status=answer.status, headers=answer.headers, body=found)
        sent = following
    message = f"the list has more than {paging.most} pages; raise `most` of paging, or ask for larger pages"
    raise OutputError(message, processed="unknown")


@hookimpl
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    register(CONNECTION)


@hookimpl
def register_actions(register: Callable[[Any], None]) -> None:
    register(request)
