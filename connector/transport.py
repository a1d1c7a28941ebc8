"""Makes the HTTP clients that actions use: limits, time-outs, and which failures mean "not sent".

One transport (a pool of connections) serves all calls of a connection; each call has a client of its own over it.
"""

import asyncio
import functools
import importlib
import importlib.util
import json
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import httpx

from connector.answers import AnswerError, read_body
from connector.errors import LOOK_FIRST, NetworkError, SettingsError
from connector.exchanges import Exchange
from connector.reach import Reach
from connector.unreached import describe_place, describe_refusal
from connector.validation import replace_surrogates

Purpose = Literal["takeover", "action", "interactive", "background"]
Engine = Literal["aiohttp", "httpx"]

# They log whole URLs, which may hold a secret or what a visitor wrote.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_SAFE = ("GET", "HEAD")
_MAX_CONNECTIONS = 100
_KEEP_ALIVE_SECONDS = 15.0
_HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


@dataclass(frozen=True)
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
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """Which certificates are trusted; None: those that a public authority has signed."""
    reach: Reach | None = None
    """Which addresses may be connected to; None: all."""
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

    @functools.cached_property
    def _client_url(self) -> httpx.URL:
        return httpx.URL(self.base_url.rstrip("/") + "/")  # httpx adds the slash anyway, by parsing again

    @functools.cached_property
    def _client_headers(self) -> httpx.Headers:
        """With those that httpx adds to them."""
        headers = {"Accept-Encoding": "gzip", **self.headers}
        return httpx.AsyncClient(headers=headers, transport=httpx.AsyncBaseTransport()).headers

    @functools.cached_property
    def _client_timeout(self) -> httpx.Timeout:
        return httpx.Timeout(self.read_timeout, connect=self.connect_timeout, pool=2 * self.connect_timeout)

    def open_client(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
        """Open a client that sends the headers with each request. What all clients share is made once."""
        return _Client(
            transport=transport,
            base_url=self._client_url,
            headers=self._client_headers,
            timeout=self._client_timeout,
            trust_env=False,
            follow_redirects=False,
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

    async def used(self) -> int:
        """Requests that count now, of all who use the account, as far as they are known: those of the last minute."""

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


def load_engine() -> None:
    """Import what the first request would import otherwise, for a tenth of a second."""
    if importlib.util.find_spec("httpx_aiohttp"):
        importlib.import_module("httpx_aiohttp")


def _httpx_transport(options: HttpOptions) -> httpx.AsyncBaseTransport:
    limits = httpx.Limits(max_connections=_MAX_CONNECTIONS, keepalive_expiry=_KEEP_ALIVE_SECONDS)
    inner = httpx.AsyncHTTPTransport(verify=_trusted(options), trust_env=False, limits=limits)
    if (reach := options.reach) is not None:
        inner._pool._network_backend = _httpx_reaching(inner._pool._network_backend, reach)
    not_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    return _Transport(options, inner, not_sent, (httpx.NetworkError, httpx.RemoteProtocolError))


def _httpx_reaching(inner: Any, reach: Reach) -> Any:
    """A network backend that resolves a name by itself, and connects to the first address that answers."""
    import httpcore  # here, because only this engine uses it

    class Backend(httpcore.AsyncNetworkBackend):
        async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
                for *_, address in found:
                    reach.require(str(address[0]))
            except OSError as error:
                raise httpcore.ConnectError(str(error)) from error
            for *_, address in found[:-1]:
                with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                    return await self._to(str(address[0]), port, *args, **options)
            return await self._to(str(found[-1][-1][0]), port, *args, **options)

        async def _to(self, address: str, port: int, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
            stream: httpcore.AsyncNetworkStream = await inner.connect_tcp(address, port, *args, **options)
            return stream

    return Backend()


def _aiohttp_transport(options: HttpOptions) -> httpx.AsyncBaseTransport:
    import aiohttp  # here, because it is optional and slow to import
    import httpx_aiohttp

    context = _trusted(options)

    def open_session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=_MAX_CONNECTIONS,
            ssl=context,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            **(_aiohttp_reaching(options.reach) if options.reach else {}),
        )
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_create_start.append(_note_fresh)
        session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trace_configs=[tracing]
        )
        # aiohttp would silently send GET, PUT and DELETE again when a reused connection is cut.
        session._retry_connection = False
        return session

    inner = httpx_aiohttp.AiohttpTransport(verify=context, client=open_session)
    # httpx-aiohttp reports a POST that was processed and then cut as httpx.ConnectTimeout: only causes count.
    not_sent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
    return _Transport(options, inner, not_sent, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError))


def _aiohttp_reaching(reach: Reach) -> dict[str, Any]:
    """How the connector keeps to the reach; an address that stands in the URL is not resolved."""
    import aiohttp

    class Resolver(aiohttp.ThreadedResolver):
        async def resolve(self, *args: Any, **options: Any) -> list[Any]:
            found = await super().resolve(*args, **options)
            for one in found:
                reach.require(one["host"])
            return found

    def open_socket(found: tuple[Any, ...]) -> socket.socket:
        reach.require(found[4][0])
        return socket.socket(*found[:3])

    return {"resolver": Resolver(), "socket_factory": open_socket}


def _trusted(options: HttpOptions) -> ssl.SSLContext:
    return options.tls or httpx.create_ssl_context(trust_env=False)


def open_client(
    options: HttpOptions,
    transport: httpx.AsyncBaseTransport,
    budget: Budget | None = None,
    purpose: Purpose = "action",
    slot: Slot | None = None,
    *,
    reads: bool = False,
    told: Callable[[Exchange], None] = lambda _exchange: None,
) -> httpx.AsyncClient:
    """Open the client of one call. Closing it leaves `transport` open.

    Each request waits for a slot of `budget`; the first one uses `slot`, which closing gives back if unused. Where the
    call only `reads`, a request that met a kept connection which the other side was closing is sent once more. `told`
    is called with each request once it has ended.
    """
    return options.open_client(_CallTransport(transport, budget, purpose, slot, reads, told))


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """What an answer sets is not looked at."""


class _Client(httpx.AsyncClient):
    """Keeps no cookies: accounts are told apart by their keys. Reads a URL once, where httpx reads it three times.

    In JSON, U+FFFD is sent for what UTF-8 cannot carry.
    """

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        if isinstance(url, str) and not _ABSOLUTE.match(url):
            url = httpx.URL(f"{self.base_url}{url.lstrip('/')}")
        try:
            return super().build_request(method, url, **options)
        except UnicodeEncodeError:  # half of a character, which a visitor may well type
            if (body := options.get("json")) is None:
                raise
        options["json"] = json.loads(replace_surrogates(json.dumps(body, ensure_ascii=False)))
        return super().build_request(method, url, **options)

    @property
    def headers(self) -> httpx.Headers:
        return self._headers

    @headers.setter
    def headers(self, headers: Any) -> None:
        self._headers = httpx.Headers(headers)  # they are whole, where httpx adds its own each time

    @property  # type: ignore[misc]  # nobody sets them
    def cookies(self) -> httpx.Cookies:
        return _NO_COOKIES


_NO_COOKIES = _NoCookies()
_ABSOLUTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")


_GIVEN_UP = "no answer had come when the time of the step was over, or its process ended"


class _CallTransport(httpx.AsyncBaseTransport):
    """Sends the requests of one call, each in a slot of the budget."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        budget: Budget | None,
        purpose: Purpose,
        slot: Slot | None,
        reads: bool,
        told: Callable[[Exchange], None],
    ) -> None:
        self._transport, self._budget, self._purpose, self._slot = transport, budget, purpose, slot
        self._reads, self._told = reads, told

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._send(request)
        except _KeptConnectionError:
            if not self._reads or request.method not in _SAFE:
                raise
        return await self._send(request)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        slot = await self._take_slot()
        if slot is None:
            return await self._exchange(request)
        try:
            response = await self._exchange(request)
        except BaseException as error:
            if isinstance(error, NetworkError) and error.processed == "no":
                slot.answered(None)
            else:
                slot.lost()
            raise
        slot.answered(response)
        return response

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        began = time.monotonic()
        try:
            response = await self._transport.handle_async_request(request)
        except (NetworkError, asyncio.CancelledError) as error:
            sentence = str(error) if isinstance(error, NetworkError) else _GIVEN_UP
            self._told(Exchange(request, None, time.monotonic() - began, sentence))
            raise
        # What a success brought is the action's affair: twenty of its pages may be 100 MB.
        kept = httpx.Response(response.status_code) if response.is_success else response
        self._told(Exchange(request, kept, time.monotonic() - began))
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


class _KeptConnectionError(NetworkError):
    """A connection that was kept from an earlier request ended before the answer began; a new one may be good."""


@dataclass(slots=True)
class _Sending:
    """What is known of a request while it is sent."""

    fresh: bool = False
    """Whether a connection was made for it."""
    answered: bool = False
    """Whether its answer has begun."""

    async def trace(self, event: str, _info: object) -> None:
        """Is told by httpx what happens."""
        self.fresh |= event == "connection.connect_tcp.started"


_sending: ContextVar[_Sending] = ContextVar("_sending")
"""For aiohttp, which is not told what is sent with which request."""


async def _note_fresh(*_about: object) -> None:
    _sending.get().fresh = True


class _Response(httpx.Response):
    has_redirect_location = False  # otherwise httpx parses `Location`, and raises, though it does not follow it


class _Transport(httpx.AsyncBaseTransport):
    """Reads every answer whole, and says of every failure what is known about the request.

    `not_sent` are the exceptions, or causes of exceptions, that only occur before the first byte is sent, `cut` those
    of a connection that ended.
    """

    def __init__(
        self,
        options: HttpOptions,
        inner: httpx.AsyncBaseTransport,
        not_sent: tuple[type[Exception], ...],
        cut: tuple[type[Exception], ...],
    ) -> None:
        self._options, self._inner, self._not_sent, self._cut = options, inner, not_sent, cut

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sending = _Sending()
        _sending.set(sending)
        request.extensions = {**request.extensions, "trace": sending.trace}
        try:
            async with asyncio.timeout(self._options.total_timeout):
                response = await self._inner.handle_async_request(request)
                sending.answered = True
                try:
                    body = await read_body(response)
                finally:
                    await response.aclose()
        except Exception as cause:
            raise self._network_error(cause, request, sending) from cause
        for name in ("content-encoding", "content-length", "transfer-encoding"):
            response.headers.pop(name, None)
        return _Response(response.status_code, headers=response.headers, content=body)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _network_error(self, cause: Exception, request: httpx.Request, sending: _Sending) -> NetworkError:
        place = describe_place(request.url)
        if _is_any(cause, self._not_sent):
            reason, transient = describe_refusal(cause)
            setting = self._options.base_url_setting
            sentence = f"cannot reach {place}: {reason}; check {setting} and your network"
            return NetworkError(sentence, processed="no", transient=transient)
        sentence = f"{place} {self._describe_loss(cause)}"
        if request.method not in _SAFE:
            sentence += f"; {LOOK_FIRST}"
        was_kept = not (sending.fresh or sending.answered) and _is_any(cause, self._cut)
        kind = _KeptConnectionError if was_kept else NetworkError
        return kind(sentence, processed="unknown", transient=not isinstance(cause, AnswerError))

    def _describe_loss(self, cause: Exception) -> str:
        if isinstance(cause, AnswerError):
            return str(cause)
        if isinstance(cause, httpx.ReadTimeout | httpx.WriteTimeout):
            return f"was silent for {self._options.read_timeout:g} s"
        if isinstance(cause, TimeoutError):
            return f"did not finish its answer within {self._options.total_timeout:g} s"
        return "closed or broke the connection before its answer was complete"


def _is_any(error: Exception, kinds: tuple[type[Exception], ...]) -> bool:
    """Whether the exception, or its cause, is of these kinds."""
    return isinstance(error, kinds) or isinstance(error.__cause__, kinds)
