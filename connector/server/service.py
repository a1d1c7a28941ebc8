"""Runs the server: one process, one database, one worker, the webhooks."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from types import FrameType

import uvicorn
import uvloop
from starlette.applications import Starlette

from connector import sqlite
from connector.adapter import Adapter
from connector.errors import SettingsError, StoreError
from connector.flows.flow import Flow
from connector.registry import Registry
from connector.runs.intake import Intake
from connector.runs.store import Store
from connector.runs.worker import Worker
from connector.server.app import Webhooks, create_app
from connector.settings import Settings

GRACE_SECONDS = 3


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, stop_working: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop_working = stop_working

    def handle_exit(self, number: int, frame: FrameType | None) -> None:
        """No new step starts from now on, even while uvicorn waits for slow clients."""
        self._stop_working()
        super().handle_exit(number, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again when it ends, which would end the process before its last writes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SettingsError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise SettingsError(
            f"cannot listen on {host}:{port}: {reason}; choose another address with --host and --port"
        ) from error
    # asyncio does this only for sockets that it makes itself; without it an answer may wait for 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(
    registry: Registry,
    settings: Settings,
    flows: Sequence[Flow],
    listener: socket.socket,
    started: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM. `started` is called once webhooks are answered. Raises StoreError."""

    async def work() -> None:
        async with Adapter(registry, settings) as adapter, _working(adapter, settings, flows) as parts:
            app, working, stop_working = parts
            server = _Server(_configure(app), stop_working)
            working.add_done_callback(lambda _: server.handle_exit(signal.SIGTERM, None))
            announcing = asyncio.create_task(_announce(server, started))
            await server.serve(sockets=[listener])
            await announcing

    with sqlite.exclusive(settings.database), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


def _configure(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


@asynccontextmanager
async def _working(
    adapter: Adapter, settings: Settings, flows: Sequence[Flow]
) -> AsyncIterator[tuple[Starlette, asyncio.Task[None], Callable[[], None]]]:
    """The app, the task of the worker behind it, and what makes the worker stop."""
    store = Store(settings.database)
    worker = Worker(adapter, store, _now)
    working = asyncio.create_task(worker.work())

    async def ready() -> str | None:
        if working.done():
            return "the worker has stopped"
        try:
            await store.ping()
        except StoreError as error:
            return str(error)
        return None

    try:
        webhooks = Webhooks(adapter, Intake(adapter, store, flows, worker.wake))
        yield create_app(webhooks, ready), working, worker.stop
    finally:
        worker.stop()
        try:
            await working
        finally:
            store.close()


async def _announce(server: uvicorn.Server, started: Callable[[], None]) -> None:
    while not server.started and not server.should_exit:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    if server.started:
        started()


def _now() -> datetime:
    return datetime.now(UTC)
