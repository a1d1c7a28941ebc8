"""Checks the way to the other side: address, name, connection, TLS, answer, clock."""

import asyncio
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from pydantic import BaseModel

from connector.chatforge.probe.answers import count
from connector.declare import ConnectionType
from connector.diagnosis.findings import (
    CheckError,
    Finding,
    Findings,
    Say,
    fail,
    fail_with,
    ok,
    skip,
    skip_after_failure,
    warn,
)
from connector.diagnosis.limits import call_within
from connector.errors import ConnectorError, NetworkError, SettingsError
from connector.reach import Reach
from connector.rest import is_page
from connector.transport import HttpOptions, open_client, open_transport

STAGE_SECONDS = 5.0
"""How long a name, a connection or an answer is waited for."""
SOON = 7  # days
_WARN_SKEW, _FAIL_SKEW = 60, 300  # seconds; an event more than 5 minutes in the future is held
_MOST_ADDRESSES = 3


def check_reach(
    declared: ConnectionType, values: BaseModel, say: Say, *, strict: bool
) -> Generator[Finding, None, bool]:
    """From the address to an answer; returns whether there was a usable one. `strict` is as in `describe_answer`."""
    try:
        base_url = _base_url(declared, values)
        url = httpx.URL(HttpOptions(base_url, base_url_setting="the base URL").base_url)
        reach = _reach(declared, values)
    except ConnectorError as error:
        yield fail_with(error, "address", "correct the base URL")
        return False
    yield check_address(url)
    stages = _pass_stages(url, base_url, reach, say, strict=strict)
    statuses = yield from skip_after_failure(("name", "connection", "TLS", "answer", "clock"), stages)
    return statuses["answer"] == "ok"


def _base_url(declared: ConnectionType, values: BaseModel) -> str:
    """The address that the plugin makes of the values, or the value itself where the plugin lacks another one."""
    try:
        return declared.http(values).base_url if declared.http else ""
    except Exception as error:
        if isinstance(given := getattr(values, "base_url", None), str):
            return given
        # whatever a stranger's function raises; its text may hold a secret
        raise SettingsError(f"the plugin makes no address of the values, {type(error).__name__}") from None


def _reach(declared: ConnectionType, values: BaseModel) -> Reach | None:
    """Which addresses the plugin allows itself; None: all, or it has no options."""
    try:
        return declared.http(values).reach if declared.http else None
    except Exception:  # whatever a stranger's function raises; the address is looked at all the same
        return None


def _require_reached(reach: Reach | None, addresses: Sequence[str]) -> None:
    """Raise CheckError where a request would be refused before it is sent."""
    try:
        for address in addresses:
            if reach is not None:
                reach.require(address)
    except OSError as error:
        what, _, step = str(error).partition("; ")
        raise CheckError(fail("connection", what, step, NetworkError), "nothing is sent there") from None


def check_address(url: httpx.URL) -> Finding:
    if url.scheme == "http" and not is_loopback(url.host):
        step = "write https:// in the base URL, unless everything up to that host is yours"
        return warn("address", f"{url}: the key is sent in the clear", step)
    return ok("address", str(url))


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _pass_stages(url: httpx.URL, base_url: str, reach: Reach | None, say: Say, *, strict: bool) -> Findings:
    """Each stage needs the one before it. Raises CheckError."""
    port = url.port or (443 if url.scheme == "https" else 80)
    say(f"looking up {url.host}")
    addresses, found = find_addresses(url.host, port)
    yield found
    _require_reached(reach, addresses)
    say(f"connecting to {url.host}:{port}")
    connected, found = connect(addresses, port)
    yield found
    with closing(connected):
        yield check_tls(connected, url, httpx.create_ssl_context(trust_env=False), datetime.now(UTC))
    say(f"waiting for an answer of {url.host}")
    response = asyncio.run(ask_without_key(base_url))
    yield describe_answer(response, strict=strict)
    yield check_clock(response.headers.get("date"), datetime.now(UTC))


def find_addresses(host: str, port: int) -> tuple[list[str], Finding]:
    """The addresses of a host, in the order of the resolver, and what to say of them. Raises CheckError."""
    try:
        found = call_within(STAGE_SECONDS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        step = "check the base URL, and that this machine resolves names"
        failed = fail("name", f"{host} cannot be resolved: {reason}", step, NetworkError)
        raise CheckError(failed, "no address to connect to") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if addresses == [host]:
        return addresses, ok("name", f"{host} needs no look-up")
    more = f" and {len(addresses) - _MOST_ADDRESSES} more" if len(addresses) > _MOST_ADDRESSES else ""
    return addresses, ok("name", f"{host} is {', '.join(addresses[:_MOST_ADDRESSES])}{more}")


def connect(addresses: Sequence[str], port: int) -> tuple[socket.socket, Finding]:
    """A connection to the first address that takes one, within `STAGE_SECONDS` in all. Raises CheckError."""
    end, reasons = time.monotonic() + STAGE_SECONDS, []
    for address in addresses[:_MOST_ADDRESSES]:
        if (left := end - time.monotonic()) <= 0:
            break
        try:
            connected = socket.create_connection((address, port), timeout=left)
        except OSError as error:
            reason = "no connection in time" if isinstance(error, TimeoutError) else (error.strerror or str(error))
            reasons.append(f"{address}: {reason[:1].lower()}{reason[1:]}")
        else:
            return connected, ok("connection", f"port {port} of {address} is open")
    detail = f"port {port} cannot be reached, {'; '.join(reasons)}"
    step = "check the base URL, and that no firewall stands between; see whether the service is up"
    raise CheckError(fail("connection", detail, step, NetworkError), "no connection")


def check_tls(connected: socket.socket, url: httpx.URL, context: ssl.SSLContext, now: datetime) -> Finding:
    """Shake hands over an open connection, which is left unusable. Raises CheckError."""
    if url.scheme != "https":
        return skip("TLS", "the address is http://")
    try:
        connected.settimeout(STAGE_SECONDS)
        with context.wrap_socket(connected, server_hostname=url.host) as secure:
            certificate = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        detail = f"the certificate is not trusted: {error.verify_message.rstrip('.')}"
        step = "check the base URL and the clock of this machine; otherwise the certificate there must be replaced"
    except OSError as error:  # ssl.SSLError is one
        detail = f"the handshake failed: {getattr(error, 'reason', None) or error.strerror or error}"
        step = "check whether the address begins with http:// instead, and what stands between"
    else:
        return _describe_certificate(certificate, now)
    raise CheckError(fail("TLS", detail, step, NetworkError), "no trusted connection")


def _describe_certificate(certificate: Mapping[str, Any], now: datetime) -> Finding:
    names = [name for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate.get("notAfter"))), UTC)
    days = (end - now).days
    shown = ", ".join(names[:2]) + (", …" if len(names) > 2 else "")
    detail = f"certificate for {shown}, {count(days, 'day')} left"
    if days < SOON:
        return warn("TLS", detail, "see that it is renewed in time: without it nothing connects")
    return ok("TLS", detail)


async def ask_without_key(base_url: str, seconds: float = STAGE_SECONDS) -> httpx.Response:
    """The answer to one request; `seconds` is how long each step of it may take. Raises CheckError."""
    options = HttpOptions(base_url, connect_timeout=seconds, read_timeout=seconds, total_timeout=2 * seconds)
    try:
        async with open_alone(options) as client:
            return await client.get(base_url.rstrip("/"))
    except NetworkError as error:
        raise CheckError(fail_with(error, "answer", "see whether the service is up"), "no answer") from None


@asynccontextmanager
async def open_alone(options: HttpOptions) -> AsyncIterator[httpx.AsyncClient]:
    """A client with connections of its own, which end with it."""
    transport = open_transport(options)
    try:
        async with open_client(options, transport) as client:
            yield client
    finally:
        await transport.aclose()


def describe_answer(response: httpx.Response, *, strict: bool) -> Finding:
    """Whether the API may have answered a request without a key, or something else at its address.

    Only of an API with one address (`strict`) is it known that an answer there is JSON.
    """
    status = response.status_code
    if strict and 300 <= status < 400:
        place = response.headers.get("location", "nowhere")[:200]
        return fail("answer", f"{status}, a redirect to {place}", "set the base URL to the final address")
    if status >= 500:
        return fail("answer", f"{status}: the service fails", "wait, and see whether it is down for others")
    kind = _kind(response.content)
    if strict and kind != "JSON" and (status < 300 or (status == 404 and kind == "an HTML page")):
        step = "the base URL is probably wrong: compare it with the address in ChatForge's API reference"
        return fail("answer", f"{status} with {kind}, not with JSON", step)
    return ok("answer", f"{status} with {kind}, to a request without a key")


def _kind(body: bytes) -> str:
    if not body.strip():
        return "no body"
    if is_page(body):
        return "an HTML page"
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return "plain text"
    return "JSON"


def check_clock(date: str | None, now: datetime) -> Finding:
    """This machine's clock beside the `Date` of an answer that came just now."""
    try:
        there = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return skip("clock", "the answer has no readable Date")
    skew = (now - (there if there.tzinfo else there.replace(tzinfo=UTC))).total_seconds()
    if abs(skew) <= _WARN_SKEW:
        return ok("clock", "agrees with the other side's to a minute" if abs(skew) > 2 else "agrees")
    detail = f"this machine's is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the other side's"
    step = "set it by NTP: an event that seems older than 7 days, or more than 5 minutes ahead, starts nothing"
    return (fail if abs(skew) > _FAIL_SKEW else warn)("clock", detail, step)
