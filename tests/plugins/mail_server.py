"""SMTP servers on the loopback: aiosmtpd, which keeps what it takes, and one that answers as a test says."""

import asyncio
import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "cal", "pass/7Qz+9=kXw2"


@dataclass
class Mailbox:
    """What aiosmtpd was sent, and how it answers to it."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    """The mechanisms that were tried."""
    refused: dict[str, str] = field(default_factory=dict)
    """By recipient, the reply that it gets."""

    @property
    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(one.content, policy=policy.default) for one in self.envelopes]

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any):  # noqa: N802
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope):  # noqa: N802
        self.envelopes.append(envelope)
        return "250 queued as 4711"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: Any):
        self.logins.append(mechanism)
        good = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=good, handled=False)


@contextmanager
def running(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, login: bool = False, **options: Any
) -> Iterator[Mailbox]:
    """aiosmtpd with STARTTLS where there is a context, or with TLS from the beginning; `options` are its own."""
    mailbox, loop, ready = Mailbox(), asyncio.new_event_loop(), threading.Event()

    def make() -> SMTP:
        starttls = None if implicit else tls
        return SMTP(mailbox, hostname="mail.example.com", tls_context=starttls, loop=loop, **options)

    def work() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(loop.create_server(make, "127.0.0.1", 0, ssl=tls if implicit else None))
        mailbox.port = server.sockets[0].getsockname()[1]
        ready.set()
        loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()

    if login:
        options["authenticator"] = mailbox.authenticate
    thread = threading.Thread(target=work)
    thread.start()
    ready.wait(10)
    try:
        yield mailbox
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


CLOSE, SILENCE = "close", "silence"
_USUAL = {
    "GREETING": "220 mail.example.com", "EHLO": "250-mail.example.com\r\n250 AUTH PLAIN", "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 OK", "RCPT": "250 OK", "DATA": "354 go on", ".": "250 queued", "NOOP": "250 OK", "QUIT": "221 bye",
}  # fmt: skip


@dataclass
class Script:
    port: int = 0
    said: list[str] = field(default_factory=list)
    """What the client said, each line."""


@contextmanager
def answering(replies: Mapping[str, str]) -> Iterator[Script]:
    """A server that gives these replies by the verb, CLOSE or SILENCE among them, and otherwise the usual ones."""
    script, over = Script(), threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def answer(self, verb: str) -> bool:
            reply = {**_USUAL, **replies}[verb]
            if reply == SILENCE:
                over.wait(30)
            if reply in (CLOSE, SILENCE):
                return False
            self.wfile.write(f"{reply}\r\n".encode())
            return True

        def handle(self) -> None:
            going, in_content = self.answer("GREETING"), False
            while going and (line := self.rfile.readline().decode().rstrip("\r\n")):
                script.said.append(line)
                verb = "." if in_content else line.partition(" ")[0].upper()
                if in_content:
                    while line != ".":
                        line = self.rfile.readline().decode().rstrip("\r\n")
                going, in_content = self.answer(verb), verb == "DATA" and replies.get("DATA", "354")[0] == "3"

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield script
        finally:
            over.set()
            server.shutdown()
            thread.join()
