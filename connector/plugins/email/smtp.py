"""Speaks with an SMTP server, step by step, so that each failure says whether the message may have been taken."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiosmtplib
import httpx

from connector.errors import AuthenticationError, NetworkError, RejectedError, SettingsError
from connector.plugins.email.message import Written, describe
from connector.plugins.email.models import PORTS, EmailConnection
from connector.plugins.email.replies import Stage, error_of
from connector.reach import Reach
from connector.unreached import describe_refusal

_CONNECT_SECONDS = 10.0
_QUIT_SECONDS = 3.0
_SETTINGS = "check host, port and security of the connection, and your network"


@dataclass(slots=True)
class Session:
    """A connection to the server, after the greeting."""

    client: aiosmtplib.SMTP
    connection: EmailConnection
    place: str
    greeting: str = ""
    stage: Stage = "connect"
    """What the last command was about."""

    @property
    def largest(self) -> int | None:
        """Bytes of a message, where the server tells it."""
        size = self.client.esmtp_extensions.get("size", "")
        return int(size) if re.fullmatch("[0-9]{1,20}", size) and int(size) > 0 else None

    async def greet(self) -> None:
        await self.client.ehlo()
        if self.connection.security == "starttls":
            if not self.client.supports_extension("starttls"):
                message = f"{self.place} offers no STARTTLS; write security: tls and its port, or ask its operator"
                raise NetworkError(message, processed="no")
            await self.client.starttls()
            await self.client.ehlo()
        if self.connection.user is not None:
            self.stage = "login"
            await self._log_in(self.connection.user)

    async def _log_in(self, user: str) -> None:
        """By one mechanism: a password that is wrong is told the server once, not three times."""
        secret = self.connection.password
        password = secret.get_secret_value() if secret else ""
        known = {"plain": self.client.auth_plain, "login": self.client.auth_login, "cram-md5": self.client.auth_crammd5}
        for name, log_in in known.items():
            if name in self.client.server_auth_methods:
                await log_in(user, password)
                return
        offered = ", ".join(self.client.server_auth_methods) or "nothing"
        raise AuthenticationError(
            f"{self.place} takes no password; it offers {describe(offered)}; see what its provider says about SMTP"
        )

    async def send(self, written: Written) -> str:
        """What the server said when it took the message."""
        options = self._options(written)
        self.stage = "from"
        encoding = "utf-8" if written.needs_utf8 else "ascii"
        await self.client.mail(self.connection.sender, options=options, encoding=encoding)
        for address, name in written.recipients.items():
            self.stage = name
            await self.client.rcpt(address, encoding=encoding)
        self.stage = "data"
        start = await self.client.execute_command(b"DATA")
        if start.code != 354:
            raise aiosmtplib.SMTPDataError(start.code, start.message)
        return await self._send_content(written.content)

    def _options(self, written: Written) -> list[str]:
        size = len(written.content)
        if (largest := self.largest) is not None and size > largest:
            raise RejectedError(f"text: the message has {size} bytes, and {self.place} takes {largest}; shorten it")
        options = [f"SIZE={size}"] if self.client.supports_extension("size") else []
        if not written.needs_utf8:
            return options
        if not self.client.supports_extension("smtputf8"):
            message = f"{self.place} takes only addresses with ASCII before the @; use another address"
            raise RejectedError(f"to: {message}")
        return [*options, "SMTPUTF8"]

    async def _send_content(self, content: bytes) -> str:
        protocol = self.client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        protocol.write(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
        self.stage = "content"
        reply = await protocol.read_response(self.connection.timeout)
        if not 200 <= reply.code < 300:
            raise aiosmtplib.SMTPDataError(reply.code, reply.message)
        return describe(reply.message)


@asynccontextmanager
async def open_session(connection: EmailConnection, trusted: ssl.SSLContext) -> AsyncIterator[Session]:
    """A session that is logged in. All that fails, also in the block, is an ActionError."""
    port = connection.port or PORTS[connection.security]
    place = f"{connection.host}:{port}"
    client = _client(connection, await _connect(connection, port, place), trusted)
    session = Session(client, connection, place)
    try:
        session.greeting = describe((await client.connect()).message)
        await session.greet()
        yield session
        with suppress(aiosmtplib.SMTPException, OSError):  # what was to be done is done
            await client.execute_command(b"QUIT", timeout=_QUIT_SECONDS)
    except (aiosmtplib.SMTPException, OSError) as error:
        raise error_of(error, session.stage, place, _SETTINGS) from None
    finally:
        transport: Any = client.transport
        if transport is not None:
            transport.abort()  # closing would wait for the other side's end of TLS
        client.close()


def _client(connection: EmailConnection, connected: socket.socket, trusted: ssl.SSLContext) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=connection.host,
        sock=connected,
        local_hostname=_name(connected),
        timeout=connection.timeout,
        use_tls=connection.security == "tls",
        start_tls=False,
        tls_context=trusted,
    )


def _name(connected: socket.socket) -> str:
    """How this machine greets: by its address (RFC 5321, 4.1.3), which takes no look-up."""
    address = connected.getsockname()[0]
    return f"[IPv6:{address}]" if connected.family == socket.AF_INET6 else f"[{address}]"


def trust(connection: EmailConnection) -> ssl.SSLContext:
    """Which certificates are trusted. Raises SettingsError."""
    context = httpx.create_ssl_context(trust_env=False)
    if connection.ca is not None:
        try:
            context.load_verify_locations(cadata=connection.ca.get_secret_value())
        except (ssl.SSLError, ValueError):
            raise SettingsError("`ca` of the connection is no PEM; write {file: ca.pem} with certificates") from None
    return context


async def _connect(connection: EmailConnection, port: int, place: str) -> socket.socket:
    """A socket to the first address that answers. Each was looked at before; no name is resolved twice."""
    loop, reach = asyncio.get_running_loop(), Reach(connection.networks)
    failed: Exception = OSError("no address")
    try:
        found = await loop.getaddrinfo(connection.host, port, type=socket.SOCK_STREAM)
        for *_, address in found:
            reach.require(str(address[0]))
    except (OSError, UnicodeError) as error:
        found, failed = [], error
    for family, kind, protocol, _, address in found:
        try:
            return await _open(socket.socket(family, kind, protocol), address, connection.timeout)
        except OSError as error:  # TimeoutError is one
            failed = error
    reason, transient = describe_refusal(failed)
    raise NetworkError(f"cannot reach {place}: {reason}; {_SETTINGS}", processed="no", transient=transient)


async def _open(opened: socket.socket, address: Any, seconds: float) -> socket.socket:
    opened.setblocking(False)
    try:
        async with asyncio.timeout(min(_CONNECT_SECONDS, seconds)):
            await asyncio.get_running_loop().sock_connect(opened, address)
    except BaseException:
        opened.close()
        raise
    return opened
