"""Serves a sandbox over HTTP: in a background thread for tests, in the foreground for people."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import uvicorn

from connector.sandbox.app import create_app
from connector.sandbox.clock import Clock, read_clock
from connector.sandbox.connections import track
from connector.sandbox.sandbox import Sandbox
from connector.sandbox.settings import SandboxSettings

GRACE_SECONDS = 1
"""How long answers that are under way may take when the server stops."""


class SandboxServer(uvicorn.Server):
    """Stops sooner than uvicorn, which looks ten times a second: suites start hundreds of sandboxes.

    It sends no Date header of its own either: the API gives the time of the sandbox's clock.
    """

    async def main_loop(self) -> None:
        while not self.should_exit:  # noqa: ASYNC110 - it is set from another thread
            await asyncio.sleep(0.01)


@contextmanager
def running(
    settings: SandboxSettings | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Clock = read_clock,
) -> Iterator[Sandbox]:
    """A sandbox that is served from a background thread until the block ends.

    Port 0 takes any free one; `sandbox.url` has it. Raises OSError when the port is taken, and StorageError
    when the database of the settings cannot be used.
    """
    with _listen(host, port) as listener, closing(Sandbox(settings, clock)) as sandbox:
        sandbox.origin = f"http://{host}:{listener.getsockname()[1]}"
        server = SandboxServer(_configure(sandbox))
        thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
        thread.start()
        try:
            yield sandbox
        finally:
            server.should_exit = True
            thread.join()


def serve(
    settings: SandboxSettings | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    started: Callable[[Sandbox], None] = lambda _sandbox: None,
) -> None:
    """Serve a sandbox until SIGINT or SIGTERM. `started` is called once it can be reached.

    Only for the main thread. Raises OSError and StorageError as `running` does.
    """
    stop = threading.Event()
    handlers = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with running(settings, host=host, port=port) as sandbox:
            started(sandbox)
            stop.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port))  # listens at once, so the first request waits for the thread
    # asyncio does this only for sockets that were made with IPPROTO_TCP; without it an answer takes 40 ms
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _configure(sandbox: Sandbox) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(sandbox),
        http=track(sandbox.connections),
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,  # logging belongs to whoever runs the sandbox
        proxy_headers=False,  # they would replace the peer address, by which a connection is cut
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
