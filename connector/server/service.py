"""Runs the server: one process, one database, one worker, what starts runs, their keepers, the webhooks."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Protocol

import uvicorn
import uvloop
from starlette.types import ASGIApp

from connector import engines
from connector.adapter import Adapter
from connector.database import Failpoint
from connector.errors import SettingsError, StoreError
from connector.flows.flow import Flow
from connector.registry import Registry
from connector.runs.alerts import Alerts
from connector.runs.drifts import Keeper, keep_drifts
from connector.runs.observers import Observer
from connector.runs.sampling import Sampler, find_connections
from connector.runs.store import Store
from connector.runs.upkeep.integrity import Integrity
from connector.runs.worker import Worker
from connector.server.access import Access
from connector.server.app import Webhooks, create_app
from connector.server.deadline import Deadline
from connector.server.flow_files import FlowFiles
from connector.server.live import Live
from connector.server.meter import Meter
from connector.server.readiness import Readiness
from connector.server.refusals import Refusals
from connector.server.serving import Maker, Serving
from connector.server.site import Site
from connector.server.web import Web
from connector.settings import Settings
from connector.transport import load_engine

GRACE_SECONDS = 3

Started = Callable[[Mapping[str, datetime]], None]
"""Is told when each flow that the clock starts does so next."""


class _Part(Protocol):
    """Something that works until it is told to stop."""

    async def work(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Parts:
    app: ASGIApp
    working: asyncio.Task[None]
    """What the worker and those who start runs do."""
    stop_working: Callable[[], None]
    upcoming: Callable[[], Mapping[str, datetime] | None]


class Server(uvicorn.Server):
    """Ends by SIGINT or SIGTERM, calls `stop_working` at once, and lets `deadline` begin."""

    def __init__(self, config: uvicorn.Config, stop_working: Callable[[], None], deadline: Deadline) -> None:
        super().__init__(config)
        self._stop_working = stop_working
        self._deadline = deadline

    def handle_exit(self, number: int, frame: FrameType | None) -> None:
        """No new step starts from now on, even while uvicorn waits for slow clients."""
        self._deadline.begin()
        self._stop_working()
        super().handle_exit(number, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again when it ends, which would end the process before its last writes."""
        loop = asyncio.get_running_loop()

        def told(number: int) -> None:
            with suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(self.handle_exit, number, None)

        self._deadline.watch_signals(told)
        yield


def listen(host: str, port: int, options: str = "--host and --port") -> socket.socket:
    """A listening socket. Raises SettingsError where the address, which `options` chose, cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise SettingsError(
            f"cannot listen on {host}:{port}: {reason}; choose another address with {options}"
        ) from error
    # asyncio does this only for sockets that it makes itself; without it an answer may wait for 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(
    registry: Registry,
    settings: Settings,
    flows: Sequence[Flow],
    listener: socket.socket,
    started: Started,
    failpoint: Failpoint | None = None,
    *,
    folder: Path = Path("flows"),
    files: FlowFiles | None = None,
    access: Access | None = None,
    tracers: Sequence[Observer] = (),
    webhooks: socket.socket | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. `started` is called once webhooks are answered. Raises StoreError.

    Without `access` there are no pages. `folder` is where the flows lie; with `files` they are taken over as they
    change. With `webhooks`, another listening socket at another port, webhooks are answered only there. `tracers` are
    told how runs go on.
    """
    listeners = [listener] if webhooks is None else [listener, webhooks]
    port = None if webhooks is None else webhooks.getsockname()[1]

    async def work() -> None:
        store = Store(settings.database, hold, failpoint)
        async with (
            Adapter(registry, settings) as adapter,
            _working(adapter, store, flows, settings, folder, files, access, port, tracers) as parts,
        ):
            server = Server(configure(parts.app), parts.stop_working, deadline)
            parts.working.add_done_callback(lambda _: server.handle_exit(signal.SIGTERM, None))
            announcing = asyncio.create_task(_announce(server, parts, started))
            await server.serve(sockets=listeners)
            await announcing

    deadline = Deadline()
    load_engine()
    # What is there now stays; what runs make is gone before it would be looked for.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    with (
        deadline,
        engines.exclusive(settings.database) as hold,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(work())
        deadline.worked()


def configure(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


@asynccontextmanager
async def _working(
    adapter: Adapter,
    store: Store,
    flows: Sequence[Flow],
    settings: Settings,
    folder: Path,
    files: FlowFiles | None,
    access: Access | None,
    webhooks_port: int | None,
    tracers: Sequence[Observer],
) -> AsyncIterator[_Parts]:
    """The app, and what works behind it."""
    stopped = asyncio.Event()
    meter = Meter()
    worker = Worker(adapter, store, _now, observers=(meter, *tracers), traced=bool(tracers))
    serving = Serving(Maker(adapter, store, settings, worker.wake, _now), flows, files)
    integrity = Integrity(settings.database)
    keeper = Keeper(store, adapter.drifts, _now)
    default = settings.on_failure.get_secret_value() if settings.on_failure else None
    alerts = Alerts(
        adapter, store, lambda: serving.flows, worker.wake, _now, default=default, public_url=settings.public_url
    )
    sampler = Sampler(adapter, find_connections(adapter, settings), _now)
    parts = (serving, worker, integrity, keeper, alerts, sampler)
    working = asyncio.create_task(_work(*parts))

    def stop() -> None:
        stopped.set()
        for part in parts:
            part.stop()

    try:
        refusals = Refusals()
        site = Site(
            adapter=adapter,
            store=store,
            settings=settings,
            serving=serving,
            folder=folder,
            alerts=alerts,
            refusals=refusals,
            wake=worker.wake,
            clock=_now,
            sampler=sampler,
            meter=meter,
        )
        pages = Web(site, access, Live(site, lambda: stopped.is_set())).routes() if access else []
        received = Webhooks(adapter, lambda: serving.intake, refusals, _now, meter)
        app = create_app(received, Readiness(working, store, integrity).fault, pages, webhooks_port)
        yield _Parts(app, working, stop, lambda: serving.upcoming)
    finally:
        stop()
        try:
            await working
            with suppress(StoreError):  # what calls have counted since
                await keep_drifts(store, adapter.drifts, _now())
        finally:
            store.close()


async def _work(*parts: _Part) -> None:
    """Until one of them ends; then the others are stopped."""
    tasks = [asyncio.create_task(part.work()) for part in parts]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for part in parts:
        part.stop()
    await asyncio.wait(tasks)
    for task in tasks:
        task.result()


async def _announce(server: uvicorn.Server, parts: _Parts, started: Started) -> None:
    while not server.should_exit:
        if server.started and (upcoming := parts.upcoming()) is not None:
            return started(upcoming)
        await asyncio.sleep(0.01)  # uvicorn has no event for it


def _now() -> datetime:
    return datetime.now(UTC)
