"""The HTTP requests of a call, as an operator may see them: what was sent, what came back, how long it took."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from connector import headers

MOST = 20
"""Requests of an attempt that are kept, the last ones."""
_LONGEST = 2_000
"""Characters of a URL or a body."""
_NO_CHARACTER = "\ufffd"
_ORDINARY = {"accept", "accept-encoding", "connection", "content-length", "host", "user-agent"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """`response` is None where none came; `error` says why. Of one that succeeded it has the status alone.

    `seconds` are without the wait for the budget.
    """

    request: httpx.Request
    response: httpx.Response | None
    seconds: float
    error: str | None = None


def describe(exchange: Exchange, hide: Callable[[str], str]) -> dict[str, Any]:
    """JSON: method, url, headers, body, seconds, status, answer and error, each text through `hide`.

    The answer to a request that succeeded is left out: the output of the action has it.
    """
    request, response = exchange.request, exchange.response
    sent = [(name, hide(value)) for name, value in request.headers.items() if name not in _ORDINARY]
    failed = response is not None and not response.is_success
    return {
        "method": request.method,
        "url": _cut(hide(str(request.url))),
        "headers": headers.show(sent),
        "body": _cut(hide(_body_of(request))),
        "seconds": round(exchange.seconds, 4),
        "status": response.status_code if response is not None else None,
        "answer": _cut(hide(_text(response.content))) if response is not None and failed else None,
        "error": exchange.error and hide(exchange.error),
    }


def _body_of(request: httpx.Request) -> str:
    try:
        return _text(request.content)
    except httpx.RequestNotRead:
        return "a stream, which was not kept"


def _text(content: bytes) -> str:
    """Enough of it to be cut once secrets are hidden, which may be longer than what stands for them."""
    return begin(content, 8 * _LONGEST)


def begin(content: bytes, most: int) -> str:
    """The text of the first `most` bytes. By the `…` where it is cut, who hides secrets knows the beginning of one."""
    text = content[:most].decode("utf-8", "replace")
    return text if len(content) <= most else f"{text.rstrip(_NO_CHARACTER)}…"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
