"""The ChatForge protocol without I/O: builds requests, reads answers.

Source: the "ChatForge REST API v1" reference. What it leaves open (error bodies above all) is read leniently.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from connector.drift import Drift, find_faults
from connector.errors import (
    LOOK_FIRST,
    AuthenticationError,
    InputError,
    NotFoundError,
    OutputError,
    PlanError,
    RateLimitError,
    RejectedError,
    ServerError,
)
from connector.rest import QUOTED, Meaning, is_page, parse, quote_body, shorten
from connector.retry_after import read_retry_after
from connector.validation import quoted, sentence

Model = TypeVar("Model", bound=BaseModel)

_CHECK_BASE_URL = "check CHATFORGE_BASE_URL, and what stands between you and ChatForge"
_LONGEST_PARAMETER = 1_000
"""In a URL; an id has 36 characters."""
_SHORTEST_SECRET = 8
"""Hiding a shorter text would garble sentences."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to send to the base URL."""

    method: str
    params: Mapping[str, str]
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. The names of `headers` are in lower case, or the mapping ignores case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    secret: str = field(default="", repr=False)
    """The key that the request carried; never quoted, even where the answer repeats it."""
    was_read: bool = False
    """Whether the request only asked for something."""

    def hide_secret(self, text: str) -> str:
        return text.replace(self.secret, "[key]") if len(self.secret) >= _SHORTEST_SECRET else text


def build_request(method: str, action: str, *, body: Mapping[str, Any] | None = None, **params: str | int) -> Request:
    """Build the request for `?action=<action>&…`.

    The body is ASCII-escaped JSON, so that lone surrogates survive. `InputError` where a parameter holds one,
    or is too long: a URL cannot carry it.
    """
    texts = {"action": action} | {name: str(value) for name, value in params.items()}
    for name, text in texts.items():
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise InputError(f"{name} is {quoted(text)}, which a URL cannot carry; pass it as ChatForge gave it")
        if len(text) > _LONGEST_PARAMETER:
            raise InputError(f"{name} has {len(text)} characters, too many for a URL; pass it as ChatForge gave it")
    if body is None:
        return Request(method, texts)
    content = json.dumps(body, ensure_ascii=True).encode("ascii")
    return Request(method, texts, content, {"Content-Type": "application/json"})


def read_answer(
    answer: Answer, model: type[Model], count_drift: Callable[[Iterable[Drift]], None] = lambda _found: None
) -> Model:
    """Read the body of a successful answer.

    `OutputError` with `processed` "unknown" where it is not JSON, does not fit `model`, or reports an error
    instead of what `model` declares.
    """
    value = _read_json(answer)
    try:
        found = model.model_validate(value)
    except ValidationError as error:
        if _has_error(value):
            raise _reported(answer) from None
        count_drift(find_faults(error))
        shown, discreet = (
            answer.hide_secret(
                f"the answer from ChatForge does not fit: {sentence(error, quote=quote)}; "
                "see whether a newer release knows it"
            )
            for quote in (True, False)
        )
        raise OutputError(shown, processed="unknown", status=answer.status, discreet=discreet) from None
    if _has_error(value) and all(getattr(found, name) is None for name in model.model_fields):
        raise _reported(answer)
    return found


def read_list(answer: Answer, key: str) -> list[Any]:
    """The items of a successful answer `{key: […]}`, unread. `OutputError` where it has no such list."""
    value = _read_json(answer)
    items = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(items, list):
        return items
    if _has_error(value):
        raise _reported(answer)
    message = (
        f"the answer from ChatForge has no list {key!r}, but {quoted(value)}; see whether a newer release knows it"
    )
    raise OutputError(answer.hide_secret(message), processed="unknown", status=answer.status)


def require_success(answer: Answer) -> None:
    """`OutputError` where an answer whose form is not documented is a page, such as a proxy's, or reports an error."""
    if is_page(answer.body):
        raise _not_json(answer)
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return
    if _has_error(value):
        raise _reported(answer)


def _has_error(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value.get("error"))


def _reported(answer: Answer) -> OutputError:
    reason = _quote_body(answer) or "no reason given"
    step = "try again" if answer.was_read else _FAILED.step
    what = f"ChatForge reports an error in an answer of status {answer.status}"
    return OutputError(
        f"{what}: {reason}; {step}", processed="unknown", status=answer.status, discreet=f"{what}; {step}"
    )


def _read_json(answer: Answer) -> Any:
    try:
        return parse(answer.body)
    except (ValueError, RecursionError):
        raise _not_json(answer) from None


def _not_json(answer: Answer) -> OutputError:
    came = _quote_body(answer) or "an empty answer"
    step = _CHECK_BASE_URL if is_page(answer.body) else "see whether CHATFORGE_BASE_URL is right"
    kind = "an HTML page" if is_page(answer.body) else "another text" if answer.body else came
    shown, discreet = (
        f"expected JSON from ChatForge, got {got} (status {answer.status}); {step}" for got in (came, kind)
    )
    return OutputError(shown, processed="unknown", status=answer.status, discreet=discreet)


_NOT_TAKEN = Meaning(ServerError, "ChatForge did not take the request", "try again", transient=True)
_MEANINGS = {
    401: Meaning(
        AuthenticationError,
        "the API key is not accepted",
        "set CHATFORGE_API_KEY to a key from the ChatForge Dashboard → Integrations",
    ),
    403: Meaning(
        PlanError,
        "the plan of this API key does not include the API",
        "the key is good, but ChatForge requires the Enterprise plan",
    ),
    404: Meaning(
        NotFoundError,
        "not found at ChatForge",
        "check the ids: what they name must exist in the account of this API key",
    ),
    408: _NOT_TAKEN,
    425: _NOT_TAKEN,
    429: Meaning(
        RateLimitError,
        "too many requests for this API key",
        "ChatForge takes 100 a minute: wait, and see who else uses the key",
        transient=True,
    ),
}
_REDIRECTED = Meaning(RejectedError, "redirects are not followed", "set CHATFORGE_BASE_URL to the final address")
_REFUSED = Meaning(RejectedError, "the request was refused", "correct the input: the same again will not help")
_FAILED = Meaning(ServerError, "ChatForge failed", LOOK_FIRST, processed="unknown", transient=True)


def check_status(answer: Answer, now: datetime) -> None:
    """Raise the error that a status outside 2xx stands for. `now` serves a `Retry-After` date where no `Date` does."""
    if 200 <= answer.status < 300:
        return
    meaning, step = _find_meaning(answer)
    raise meaning.error(
        f"{meaning.what} ({answer.status}{_describe_body(answer)}); {step}",
        processed=meaning.processed,
        transient=meaning.transient,
        status=answer.status,
        retry_after=read_retry_after(answer.headers, now),
    )


def _find_meaning(answer: Answer) -> tuple[Meaning, str]:
    if answer.status >= 500:
        return _FAILED, "try again" if answer.was_read else _FAILED.step
    if answer.status < 400:
        return _REDIRECTED, _REDIRECTED.step
    meaning = _MEANINGS.get(answer.status, _REFUSED)
    if (
        meaning.error is NotFoundError
        and not answer.body.lstrip().startswith((b"{", b"["))
        and not is_page(answer.body)
    ):
        return meaning, f"{meaning.step}, and CHATFORGE_BASE_URL must be the API's address"
    if meaning.transient or not is_page(answer.body):
        return meaning, meaning.step
    # The API answers in JSON. A page that says 404 means a wrong address, not a resource that is gone.
    return (_REFUSED if meaning.error is NotFoundError else meaning), _CHECK_BASE_URL


def _describe_body(answer: Answer) -> str:
    quoted = _quote_body(answer)
    if 300 <= answer.status < 400:
        return f", to {shorten(answer.hide_secret(answer.headers.get('location', '')), QUOTED)!r}"
    if is_page(answer.body):
        return f", answered with {quoted}"
    return f": {quoted}" if quoted else ", no reason given"


def _quote_body(answer: Answer) -> str:
    """The vendor's message in quotes, or what came instead of one; empty where nothing came."""
    return quote_body(answer.body, _find_message, answer.hide_secret)


def _find_message(value: Any) -> str:
    if isinstance(value, Mapping):
        error = value.get("error")
        nested = error.get("message") if isinstance(error, Mapping) else None
        for message in (error, nested, value.get("message")):
            if isinstance(message, str) and message.strip():
                return message
    return value if isinstance(value, str) else ""
