"""Sends a request and reads its answer."""

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from connector.declare import ActionContext
from connector.errors import InputError, OutputError, RejectedError
from connector.flows import json_schema, values
from connector.flows.expressions.functions import EvaluationError
from connector.flows.predicates import compile_text
from connector.flows.slots import Expression
from connector.flows.types import ANY, BOOL, INT, ListOf, Type
from connector.plugins.http.connection import HttpConnection, KeyHeader
from connector.plugins.http.constants import find_unreadable, names_of
from connector.plugins.http.models import Answer, HttpRequest, Paging
from connector.plugins.http.target import fill, follow
from connector.plugins.http.tokens import Tokens
from connector.rest import Service, parse, quote_body
from connector.validation import quoted, replace_surrogates

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[!-~]([\t -~]*[!-~])?")
_OURS = (
    *("authorization", "cookie", "proxy-authorization"),
    *("accept-encoding", "content-length", "expect", "te", "trailer", "transfer-encoding"),
    *("connection", "host", "keep-alive", "proxy-connection", "upgrade"),
)
_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded", "text": "text/plain; charset=utf-8"}

Context = ActionContext[HttpConnection]


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent; the next page of a list has another `url` or `query`."""

    method: str
    url: str
    query: httpx.QueryParams
    headers: Mapping[str, str]
    content: bytes | None


def prepare(input: HttpRequest, context: Context) -> Sent:
    """The request. Raises InputError."""
    if fault := find_unreadable(input.model_dump()):
        raise InputError(fault)
    base = str(context.http.base_url).rstrip("/")
    content, key = _content(input), context.idempotency_key
    standard = {"accept": "application/json", **({} if content is None else {"content-type": _TYPES[input.body_type]})}
    named = {input.idempotency_header.lower(): key} if input.idempotency_header and key else {}
    ours = {name.lower() for name in context.connection.headers}
    standard = {name: value for name, value in standard.items() if name not in ours}
    headers = {**standard, **_lower(input.headers, context), **_lower(named, context)}
    query: list[tuple[str, Any]] = [
        (name, _as_text(one))
        for name, value in input.query.items()
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]
    return Sent(input.method, base + fill(input.url, input.path), httpx.QueryParams(query), headers, content)


def _lower(given: Mapping[str, str], context: Context) -> dict[str, str]:
    """The headers with their names in lower case. Raises InputError."""
    auth = context.connection.auth
    ours = (*_OURS, auth.name.lower()) if isinstance(auth, KeyHeader) else _OURS
    for name, value in given.items():
        if name.lower() in ours:
            raise InputError(
                f"headers has {name!r}, which is not for flows; keys stand in the connection, under `auth`"
            )
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise InputError(f"the header {quoted(name)} is {quoted(value)}: expected printable ASCII on one line")
    return {name.lower(): value for name, value in given.items()}


def _content(input: HttpRequest) -> bytes | None:
    if input.body is None:
        return None
    match input.body_type, input.body:
        case "json", body:
            return json.dumps(_without_nulls(body) if input.omit_null else body).encode("ascii")
        case "form", dict() as fields:
            pairs = {str(name): _as_text(value) for name, value in fields.items() if value is not None}
            return str(httpx.QueryParams(pairs)).encode("ascii")
        case "text", str() as text:
            return replace_surrogates(text).encode()
    expected = "a mapping of fields" if input.body_type == "form" else "a text"
    raise InputError(f"body is {quoted(input.body)}: expected {expected}, since body_type is {input.body_type}")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return value


def _as_text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise InputError(f"{quoted(value)} has no form in a query or a form; pick a field of it")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return replace_surrogates(text)


async def exchange(sent: Sent, context: Context) -> httpx.Response:
    """Send the request, with a token where the connection has one; once more where an old token was refused."""
    if not isinstance(context.memory, Tokens):
        return await _send(sent, context)
    token = await context.memory.get(context.http, context.now)
    response = await _send(sent, context, token)
    if response.status_code == httpx.codes.UNAUTHORIZED:
        token = await context.memory.get(context.http, context.now, refused=token)
        response = await _send(sent, context, token)
    return response


async def _send(sent: Sent, context: Context, token: str = "") -> httpx.Response:
    headers = {**sent.headers, **({"authorization": f"Bearer {token}"} if token else {})}
    return await context.http.request(
        sent.method, sent.url, params=sent.query or None, headers=headers, content=sent.content
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads answers as the flow declares them."""

    input: HttpRequest
    context: Context

    def read(self, response: httpx.Response) -> Answer:
        """The answer, which is a success. Raises ActionError."""
        headers = {name: value for name, value in response.headers.items() if name != "set-cookie"}  # it logs in
        answer = Answer(status=response.status_code, headers=headers, body=self._body(response))
        if self.input.success is None:
            self._service.require_success(response, self.context.now)
        elif not self._is_success(self.input.success, answer, response):
            self._service.require_success(response, self.context.now)
            said = quote_body(response.content) or "an empty answer"
            raise RejectedError(
                f"{self._service.name} answers {said} (status {answer.status}), and success is false: "
                f"{self.input.success}",
                status=answer.status,
            )
        return answer

    def _is_success(self, text: str, answer: Answer, response: httpx.Response) -> bool:
        """An answer for which that cannot be said is judged by its status first, so that a 429 stays one."""
        try:
            return bool(self._evaluate(text, answer, BOOL))
        except OutputError:
            self._service.require_success(response, self.context.now)
            raise

    def items(self, paging: Paging, answer: Answer) -> list[Any]:
        """Those of a page. Raises ActionError."""
        found = self._evaluate(paging.items, answer, ListOf(ANY), count=0)
        if not isinstance(found, list):
            raise OutputError(f"`items` of paging is {quoted(found)}: expected a list", processed="unknown")
        for item in found:
            self.check(item)
        return found

    def following(self, paging: Paging, answer: Answer, sent: Sent, count: int) -> Sent | None:
        """The request for the next page; None on the last one."""
        found = self._evaluate(paging.next, answer, ANY, count=count)
        if found is None or found == "":
            return None
        if paging.parameter is None:
            url = follow(found, self.context.http.base_url)
            return Sent(sent.method, url, httpx.QueryParams(), sent.headers, sent.content)
        query = sent.query.set(paging.parameter, _as_text(found))
        return Sent(sent.method, sent.url, query, sent.headers, sent.content)

    def check(self, body: Any) -> None:
        """Raise OutputError where the body, or an item, does not fit the schema; fields beside it are fine."""
        if self.input.output_schema is None:
            return
        kind = _type_of(json.dumps(self.input.output_schema))
        name = "an item" if self.input.paging else "body"
        if (reason := values.refuse(body, kind, name)) is not None:
            raise OutputError(
                f"the answer from {self._service.name} does not fit output_schema: {reason}", processed="unknown"
            )

    @property
    def _service(self) -> Service:
        step = "check `auth` of the connection"
        return Service(self.context.http.base_url.host, step, "the key is good, but may not do this")

    def _body(self, response: httpx.Response) -> Any:
        if not response.content:
            return None
        kind = response.headers.get("content-type", "")
        if "json" in kind or (self.input.output_schema is not None and "html" not in kind):
            try:
                return parse(response.content)
            except (ValueError, RecursionError):
                if response.is_success:
                    return self._service.read_json(response, self.context.now)
        return response.content.decode("utf-8", "replace")

    def _evaluate(self, text: str, answer: Answer, wanted: Type, **more: int) -> Any:
        try:
            return _compiled(text, wanted, *more).evaluate({**answer.model_dump(), **more})
        except (EvaluationError, ValueError) as error:
            raise OutputError(f"{text}: {error}", processed="unknown", status=answer.status) from None


@functools.lru_cache(maxsize=200)
def _compiled(text: str, wanted: Type, *more: str) -> Expression:
    return compile_text(text, {**names_of(ANY), **dict.fromkeys(more, INT)}, wanted)


@functools.lru_cache(maxsize=200)
def _type_of(schema: str) -> Type:
    """What fits the schema, with fields that it does not name."""
    return json_schema.read(_opened(json.loads(schema)))


def _opened(schema: Any) -> Any:
    """The schema with undeclared fields allowed wherever it does not say otherwise."""
    if isinstance(schema, list):
        return [_opened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    opened = {key: _opened(part) for key, part in schema.items()}
    return {"additionalProperties": True, **opened} if "properties" in opened else opened
