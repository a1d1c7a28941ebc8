"""Reads the answers of services that speak JSON over HTTP: what a status means, and what the body says.

Service("HubSpot", on_authentication="renew the token").read(response, Contact, context)
"""

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from connector import drift
from connector.declare import ActionContext
from connector.errors import (
    LOOK_FIRST,
    ActionError,
    AuthenticationError,
    DuplicateError,
    ForbiddenError,
    NotFoundError,
    OutputError,
    Processed,
    RateLimitError,
    RejectedError,
    ServerError,
)
from connector.retry_after import read_retry_after
from connector.validation import replace_surrogates, sentence

Model = TypeVar("Model", bound=BaseModel)

QUOTED = 200
"""Characters of what the other side says in a sentence."""
_QUOTED_PAGE = 80
_SURROGATE = re.compile(rb"\\u[dD]")
_PREFIX = 20_000
"""How much of a body is looked at for a sentence, in characters."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a status says: the error, its clause, and what to do."""

    error: type[ActionError]
    what: str
    step: str
    processed: Processed = "no"
    transient: bool = False


_NOT_TAKEN = Meaning(ServerError, "{name} did not take the request", "try again", transient=True)
_MEANINGS = {
    401: Meaning(AuthenticationError, "{name} does not accept the key", ""),
    403: Meaning(ForbiddenError, "{name} does not let this key do that", ""),
    404: Meaning(NotFoundError, "{name} does not find it", "check the ids and the address"),
    408: _NOT_TAKEN,
    409: Meaning(DuplicateError, "{name} has one already, or it has changed meanwhile", "look for it first"),
    425: _NOT_TAKEN,
    429: Meaning(RateLimitError, "too many requests for {name}", "see who else uses the key", transient=True),
}
_REDIRECTED = Meaning(RejectedError, "{name} redirects, which is not followed", "use the final address")
_REFUSED = Meaning(RejectedError, "{name} refuses the request", "correct the input: the same again will not help")
_FAILED = Meaning(ServerError, "{name} failed", LOOK_FIRST, processed="unknown", transient=True)
_FAILED_TO_READ = replace(_FAILED, step="try again")


def find_message(value: Any) -> str:
    """The text of an error in the usual places of a JSON body; empty where there is none."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        return ""
    for name in ("error_description", "message", "detail", "error", "title", "errors"):
        inner = value.get(name)
        found = find_message(inner[0] if isinstance(inner, list) and inner else inner)
        if found.strip():
            return found
    return ""


@dataclass(frozen=True, slots=True)
class Service:
    """The other side, by the name that sentences give it."""

    name: str
    on_authentication: str
    """What to do where the key is not accepted."""
    on_permission: str = "give the key the permission for it"
    find_message: Callable[[Any], str] = find_message
    """The text of an error in a JSON body; empty where there is none."""

    def require_success(self, response: httpx.Response, now: datetime) -> None:
        """Raise the ActionError that a status outside 2xx stands for. `now` serves a `Retry-After` without `Date`."""
        status = response.status_code
        if 200 <= status < 300:
            return
        meaning = _meaning_of(status, response.request.method)
        steps = {401: self.on_authentication, 403: self.on_permission}
        said = self._quote(response) or "no reason given"
        raise meaning.error(
            f"{meaning.what.format(name=self.name)} ({status}: {said}); {steps.get(status) or meaning.step}",
            processed=meaning.processed,
            transient=meaning.transient,
            status=status,
            retry_after=read_retry_after(response.headers, now),
        )

    def read_json(self, response: httpx.Response, now: datetime) -> Any:
        """The body of a successful answer. Raises ActionError."""
        self.require_success(response, now)
        try:
            return parse(response.content)
        except (ValueError, RecursionError):
            came = self._quote(response) or "an empty answer"
        raise OutputError(
            f"expected JSON from {self.name}, got {came} (status {response.status_code}); check the address",
            processed="unknown",
            status=response.status_code,
        )

    def read(self, response: httpx.Response, model: type[Model], context: ActionContext[Any]) -> Model:
        """The body of a successful answer as a model. Raises ActionError."""
        value = self.read_json(response, context.now)
        try:
            found = model.model_validate(value)
        except ValidationError as error:
            context.count_drift(drift.find_faults(error))
            reason = sentence(error)
        else:
            context.count_drift(drift.find(found))
            return found
        raise OutputError(
            f"the answer from {self.name} does not fit: {reason}; see whether a newer release knows it",
            processed="unknown",
            status=response.status_code,
        )

    def _quote(self, response: httpx.Response) -> str:
        """The service's message in quotes, or what came instead of one; empty where nothing came."""
        if 300 <= response.status_code < 400:
            return f"to {shorten(response.headers.get('location', ''), QUOTED)!r}"
        return quote_body(response.content, self.find_message)


def _meaning_of(status: int, method: str) -> Meaning:
    if status >= 500:
        return _FAILED_TO_READ if method in ("GET", "HEAD") else _FAILED
    if status in (302, 303):  # many a service says so when it has done what a POST wanted
        return replace(_REDIRECTED, processed="unknown")
    return _REDIRECTED if status < 400 else _MEANINGS.get(status, _REFUSED)


def parse(body: bytes) -> Any:
    """The JSON of an answer; ValueError or RecursionError where it is none, as with NaN and Infinity.

    Of names, not of values, halves of characters are replaced: pydantic takes no such name.
    """
    named = _with_whole_names if _SURROGATE.search(body) else None
    return json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=named)


def _with_whole_names(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {replace_surrogates(name): value for name, value in fields}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def quote_body(body: bytes, find: Callable[[Any], str] = find_message, hide: Callable[[str], str] = str) -> str:
    """The message of an error in quotes, or what came instead of one; empty where nothing came.

    `hide` takes secrets out, before anything is cut.
    """
    text = hide(body.decode("utf-8", "replace"))[:_PREFIX]
    if is_page(body):
        title = re.search(r"<title[^<>]*>([^<]*)", text, re.IGNORECASE)
        shown = title[1] if title else re.sub(r"<[^<>]*>", " ", text)
        return f"an HTML page {shorten(hide(html.unescape(shown)), _QUOTED_PAGE)!r}"
    try:
        message = find(json.loads(text)) or text
    except (ValueError, RecursionError):
        message = text
    shown = shorten(hide(message), QUOTED)
    return repr(shown) if shown else ""


def is_page(body: bytes) -> bool:
    """Whether a body is HTML or XML."""
    return body[:_PREFIX].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def shorten(text: str, limit: int) -> str:
    """One line without control characters, at most `limit` long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
