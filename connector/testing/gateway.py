"""Stands between a plugin and the double of its service: remembers what was sent, and answers as a test wants."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit, urlunsplit

_SECONDS = 30
_OF_ONE_HOP = {"connection", "host", "content-length", "transfer-encoding", "accept-encoding", "keep-alive"}


@dataclass(frozen=True, slots=True)
class Request:
    """What the plugin sent. The names of `headers` are in lower case."""

    method: str
    target: str
    """Path and query."""
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What it gets."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


Respond = Callable[[Request], Answer | None]
"""A request → its answer; None cuts the connection."""


class Gateway:
    """`url` is the address that the plugin gets instead of the double's. Set `respond` to answer otherwise."""

    def __init__(self, url: str, port: int) -> None:
        self._double = urlsplit(url)
        self.url = urlunsplit(self._double._replace(scheme="http", netloc=f"127.0.0.1:{port}"))
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        """What the double has answered."""
        self.respond: Respond = self.forward

    def forward(self, request: Request) -> Answer:
        """Ask the double."""
        double = http.client.HTTPConnection(self._double.hostname or "", self._double.port, timeout=_SECONDS)
        try:
            double.request(request.method, request.target, request.body or None, _passed_on(request.headers))
            came = double.getresponse()
            answer = Answer(came.status, came.read(), _passed_on(dict(came.getheaders())))
        finally:
            double.close()
        self.answers.append(answer)
        return answer

    def take(self, request: Request) -> Answer | None:
        self.requests.append(request)
        return self.respond(request)


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OF_ONE_HOP}


@contextmanager
def running(url: str) -> Iterator[Gateway]:
    """A gateway to the double at `url`, until the block ends."""
    with _Server(url) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01], name="gateway")
        thread.start()
        try:
            yield server.gateway
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gateway = Gateway(url, self.server_port)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.gateway.take(Request(self.command, self.path, headers, body))
        self.close_connection = True
        if answer is None:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response_only(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815 - the library's names

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: what a plugin prints is looked at."""
