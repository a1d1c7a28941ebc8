"""Makes the HTTP clients that actions use: limits, time-outs, and which failures mean "not sent".

One transport (a pool of connections) serves all calls of a connection; each call has a client of its own over it.
"""

import asyncio
import functools
import importlib.util
import re
import socket
import ssl
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import httpx

from connector.errors import NetworkError, SettingsError

Purpose = Literal["takeover", "action", "interactive", "background"]
Engine = Literal["aiohttp", "httpx"]

MAX_BODY = 5_000_000
"""The longest answer that is read, in bytes; before decompression, and after it."""

_MAX_CONNECTIONS = 100
_KEEP_ALIVE_SECONDS = 15.0
_REFUSALS: Mapping[type[Exception], str] = {
    ssl.SSLError: "the TLS handshake failed",
    socket.gaierror: "its name cannot be resolved",
    ConnectionRefusedError: "connection refused",
    TimeoutError: "no connection in time",
}
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How a connection is reached. Headers hold the key, so they stay out of the repr.

    Time-outs are in seconds. `SettingsError` where the base URL or a header cannot be sent.
    """

    base_url: str
    """`http(s)://host[:port][/path]`. httpx adds a slash to it: see `httpx.AsyncClient.base_url`."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_timeout: float = 5.0
    """For one attempt to connect, the TLS handshake included; a free connection is awaited twice as long."""
    read_timeout: float = 30.0
    """For each wait for more bytes."""
    total_timeout: float = 60.0
    """For a request and its whole answer; begins when the budget has granted the request."""
    base_url_setting: str = "the base URL"
    """The name of the setting that holds the base URL, for error sentences."""

    def __post_init__(self) -> None:
        if not _is_base_url(self.base_url):
            shown = "a URL with a user name" if "@" in self.base_url else repr(self.base_url)
            raise SettingsError(
                f"{self.base_url_setting} is {shown}; write http://host/path or https://host/path, "
                "without user name, query and fragment"
            )
        for name, value in self.headers.items():
            if not _HEADER_VALUE.fullmatch(value):
                raise SettingsError(
                    f"the value of the header {name!r} has a character that HTTP cannot carry, or is empty; "
                    "look for a line break, a typographic quotation mark or a space at its ends"
                )


def _is_base_url(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError):
        return False
    return url.scheme in ("http", "https") and bool(url.host) and not (url.userinfo or "?" in text or "#" in text)


class Slot(Protocol):
    """The right to send one request. Exactly one of its methods is called, once."""

    def answered(self, response: httpx.Response | None) -> None:
        """The other side has answered; None: it certainly never saw the request."""

    def lost(self) -> None:
        """Nobody knows whether or when the other side counted the request."""

    def unused(self) -> None:
        """The request was never sent."""


class Budget(Protocol):
    """How many requests an account may send; shared by all who use the account."""

    @property
    def limit(self) -> int:
        """Requests a minute, as far as it is known now."""

    async def take(self, purpose: Purpose) -> Slot:
        """Wait until one more request may be sent."""

    async def aclose(self) -> None:
        """Keep what is not kept yet. May be used again afterwards."""


def open_transport(options: HttpOptions, engine: Engine | None = None) -> httpx.AsyncBaseTransport:
    """Open the pool that all calls of one connection share; its owner closes it with `aclose()`.

    It belongs to the event loop of its first request. `engine` None takes aiohttp where it is installed.
    Answers are read whole. Every failure is a `NetworkError`.
    """
    if engine is None:
        engine = "aiohttp" if importlib.util.find_spec("httpx_aiohttp") else "httpx"
    return _aiohttp_transport(options) if engine == "aiohttp" else _httpx_transport(options)


def _httpx_transport(options: HttpOptions) -> httpx.AsyncBaseTransport:
    limits = httpx.Limits(max_connections=_MAX_CONNECTIONS, keepalive_expiry=_KEEP_ALIVE_SECONDS)
    inner = httpx.AsyncHTTPTransport(trust_env=False, limits=limits)
    return _Transport(options, inner, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))


def _aiohttp_transport(options: HttpOptions) -> httpx.AsyncBaseTransport:
    import aiohttp  # here, because it is optional and slow to import
    import httpx_aiohttp

    context = httpx.create_ssl_context(trust_env=False)

    def open_session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, ssl=context, keepalive_timeout=_KEEP_ALIVE_SECONDS)
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        # aiohttp would silently send GET, PUT and DELETE again when a reused connection is cut.
        session._retry_connection = False
        return session

    inner = httpx_aiohttp.AiohttpTransport(verify=context, client=open_session)
    # httpx-aiohttp reports a POST that was processed and then cut as httpx.ConnectTimeout: only causes count.
    return _Transport(options, inner, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError))


def open_client(
    options: HttpOptions,
    transport: httpx.AsyncBaseTransport,
    budget: Budget | None = None,
    purpose: Purpose = "action",
    slot: Slot | None = None,
) -> httpx.AsyncClient:
    """Open the client of one call. Closing it leaves `transport` open.

    Each request waits for a slot of `budget`; the first one uses `slot`, which closing gives back if unused.
    """
    return httpx.AsyncClient(
        transport=_CallTransport(transport, budget, purpose, slot),
        base_url=_parse_base_url(options.base_url),
        headers={"Accept-Encoding": "gzip", **options.headers},
        timeout=httpx.Timeout(options.read_timeout, connect=options.connect_timeout, pool=2 * options.connect_timeout),
        trust_env=False,
        follow_redirects=False,
    )


@functools.lru_cache
def _parse_base_url(text: str) -> httpx.URL:
    return httpx.URL(text.rstrip("/") + "/")  # httpx adds the slash anyway, by parsing again


class _CallTransport(httpx.AsyncBaseTransport):
    """Sends the requests of one call, each in a slot of the budget."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport, budget: Budget | None, purpose: Purpose, slot: Slot | None
    ) -> None:
        self._transport, self._budget, self._purpose, self._slot = transport, budget, purpose, slot

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        slot = await self._take_slot()
        if slot is None:
            return await self._transport.handle_async_request(request)
        try:
            response = await self._transport.handle_async_request(request)
        except BaseException as error:
            if isinstance(error, NetworkError) and error.processed == "no":
                slot.answered(None)
            else:
                slot.lost()
            raise
        slot.answered(response)
        return response

    async def _take_slot(self) -> Slot | None:
        slot, self._slot = self._slot, None
        if slot is None and self._budget is not None:
            slot = await self._budget.take(self._purpose)
        return slot

    async def aclose(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.unused()


class _AnswerError(Exception):
    """An answer came that is not read to its end. The message is a clause without its subject."""


class _Response(httpx.Response):
    has_redirect_location = False  # otherwise httpx parses `Location`, and raises, though it does not follow it


class _Transport(httpx.AsyncBaseTransport):
    """Reads every answer whole, and says of every failure what is known about the request.

    `not_sent` are the exceptions, or causes of exceptions, that only occur before the first byte is sent.
    """

    def __init__(
        self, options: HttpOptions, inner: httpx.AsyncBaseTransport, not_sent: tuple[type[Exception], ...]
    ) -> None:
        self._options, self._inner, self._not_sent = options, inner, not_sent

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            async with asyncio.timeout(self._options.total_timeout):
                response = await self._inner.handle_async_request(request)
                try:
                    body = await _read_body(response)
                finally:
                    await response.aclose()
        except Exception as cause:
            raise self._network_error(cause, request) from cause
        for name in ("content-encoding", "content-length", "transfer-encoding"):
            response.headers.pop(name, None)
        return _Response(response.status_code, headers=response.headers, content=body)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _network_error(self, cause: Exception, request: httpx.Request) -> NetworkError:
        place = _place(request.url)
        if isinstance(cause, self._not_sent) or isinstance(cause.__cause__, self._not_sent):
            reason, transient = _describe_refusal(cause)
            setting = self._options.base_url_setting
            sentence = f"cannot reach {place}: {reason}; check {setting} and your network"
            return NetworkError(sentence, processed="no", transient=transient)
        sentence = f"{place} {self._describe_loss(cause)}"
        if request.method not in ("GET", "HEAD"):
            sentence += "; it may have carried out the request, so look there before you repeat it"
        return NetworkError(sentence, processed="unknown", transient=not isinstance(cause, _AnswerError))

    def _describe_loss(self, cause: Exception) -> str:
        if isinstance(cause, _AnswerError):
            return str(cause)
        if isinstance(cause, httpx.ReadTimeout | httpx.WriteTimeout):
            return f"was silent for {self._options.read_timeout:g} s"
        if isinstance(cause, TimeoutError):
            return f"did not finish its answer within {self._options.total_timeout:g} s"
        return "closed or broke the connection before its answer was complete"


async def _read_body(response: httpx.Response) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise _AnswerError(f"answered with the content encoding {encoding[:40]!r}, which was not asked for")
    decoder = zlib.decompressobj(wbits=47) if encoding not in ("identity", "") else None  # 47: gzip or zlib
    body = bytearray()
    async for chunk in response.aiter_raw():
        try:
            body += decoder.decompress(chunk, MAX_BODY + 1 - len(body)) if decoder else chunk
        except zlib.error:
            raise _AnswerError("sent an answer that cannot be decompressed") from None
        if decoder and decoder.unused_data:
            raise _AnswerError("sent more after the end of a compressed answer")
        if max(len(body), response.num_bytes_downloaded) > MAX_BODY:
            raise _AnswerError(f"sent an answer of more than {MAX_BODY // 1_000_000} MB; ask for less at a time")
    if decoder and not decoder.eof and response.num_bytes_downloaded:
        raise _AnswerError("sent a compressed answer without its end")
    return bytes(body)


def _place(url: httpx.URL) -> str:
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{host}:{url.port or (443 if url.scheme == 'https' else 80)}"


def _describe_refusal(error: Exception) -> tuple[str, bool]:
    """Why there is no connection, and whether that may pass by itself."""
    causes = list(_causes(error))
    for cause in causes:
        if message := getattr(cause, "verify_message", ""):
            return f"its TLS certificate is not trusted ({message})", False
    for cause in causes:
        for kind, reason in _REFUSALS.items():
            if isinstance(cause, kind):
                return reason, True
    return "no connection", True


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__
