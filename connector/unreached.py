"""Says in words where nothing was reached, and why."""

import socket
import ssl
from collections.abc import Iterator, Mapping

import httpx

from connector.reach import RefusedAddressError

_REFUSALS: Mapping[type[Exception], str] = {
    ssl.SSLError: "the TLS handshake failed",
    socket.gaierror: "its name cannot be resolved",
    ConnectionRefusedError: "connection refused",
    TimeoutError: "no connection in time",
}


def describe_place(url: httpx.URL) -> str:
    """`host:port`."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{host}:{url.port or (443 if url.scheme == 'https' else 80)}"


def describe_refusal(error: Exception) -> tuple[str, bool]:
    """Why there is no connection, and whether that may pass by itself."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, RefusedAddressError):
            return str(cause), False
    for cause in causes:
        if message := getattr(cause, "verify_message", ""):
            return f"its TLS certificate is not trusted ({message})", False
    for cause in causes:
        for kind, reason in _REFUSALS.items():
            if isinstance(cause, kind):
                return reason, True
    if any(isinstance(cause, ValueError) for cause in causes):
        return "its host is neither a name nor an address", False
    return "no connection", True


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__
