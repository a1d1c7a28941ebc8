"""Runs of real flows against a sandbox, with a proxy between them that cuts connections."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from faults.proxy import FaultProxy

from connector import settings
from connector.adapter import Adapter
from connector.flows.flow import Flow
from connector.flows.folder import Folder
from connector.registry import Registry
from connector.runs import records
from connector.runs.intake import Intake
from connector.runs.store import Store
from connector.runs.worker import Worker
from connector.sandbox import Sandbox, SandboxSettings
from connector.sandbox.records import Visitor
from connector.sandbox.server import running
from connector.transport import Engine

UNLIMITED = 900_000
"""Requests a minute: no test of these waits for the budget."""


@dataclass
class Clock:
    """Stands still until it is set."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Site:
    """A store, a worker, and a proxy before the sandbox."""

    sandbox: Sandbox
    proxy: FaultProxy
    adapter: Adapter
    store: Store
    worker: Worker
    intake: Intake
    clock: Clock

    async def start(self, flow: Flow, text: str, conversation_id: str) -> str:
        inputs = {"agent": self.sandbox.agent_id, "conversation": conversation_id, "text": text}
        stored = await self.intake.start(flow, inputs, self.clock())
        run_id = stored.starts[0].run_id
        assert run_id
        return run_id

    async def finish(self, run_id: str, between: Callable[[float], Awaitable[None]]) -> records.Run:
        """Work until the run has ended. Where it waits, `between` is called with the seconds, and they are over."""
        finishing = asyncio.create_task(self.worker.finish([run_id]))
        while not finishing.done():
            run = self.run(run_id)
            if run.status == "waiting" and run.wake_at and run.wake_at > self.clock.now:
                await between((run.wake_at - self.clock.now).total_seconds())
                self.clock.now = run.wake_at
                self.worker.wake()
            await asyncio.sleep(0.001)
        await finishing
        return self.run(run_id)

    def run(self, run_id: str) -> records.Run:
        run = self.store.read(lambda journal: journal.run(run_id))
        assert run
        return run

    def attempts(self, run_id: str, step: str) -> list[records.Attempt]:
        return [one for one in self.store.read(lambda journal: journal.attempts(run_id)) if one.step == step]

    def copies(self, text: str) -> int:
        """How often the sandbox took the text, as a message or as the name of an agent."""
        bodies = [effect.body or {} for effect in self.sandbox.effects.entries]
        return sum(text in (body.get("content"), body.get("name")) for body in bodies)


@dataclass
class Sites:
    """Makes sites, one after the other, with a database each."""

    folder: Path
    registry: Registry
    sandbox: Sandbox

    @asynccontextmanager
    async def open(self, engine: Engine, parallel: int = 1) -> AsyncIterator[Site]:
        port, clock = int(self.sandbox.origin.rsplit(":", 1)[1]), Clock(datetime.now(UTC))
        async with FaultProxy(port).running() as proxy:
            adapter = Adapter(self.registry, self._settings(proxy), clock, engine)
            store = Store(self.database)
            worker = Worker(adapter, store, clock, jitter=lambda: 1.0, parallel=parallel)
            intake = Intake(adapter, store, [], worker.wake)
            site = Site(self.sandbox, proxy, adapter, store, worker, intake, clock)
            try:
                async with adapter:
                    yield site
            finally:
                store.close()

    @property
    def database(self) -> Path:
        return self.folder / "runs.sqlite"

    def _settings(self, proxy: FaultProxy) -> settings.Settings:
        path = self.sandbox.url.removeprefix(self.sandbox.origin)
        environ = {
            "CHATFORGE_BASE_URL": proxy.url + path,
            "CHATFORGE_API_KEY": self.sandbox.api_key,
            "CHATFORGE_RATE_LIMIT": str(UNLIMITED),
        }
        return settings.load(self.folder, environ=environ)

    def flow(self, text: str) -> Flow:
        adapter = Adapter(self.registry, settings.load(self.folder, environ={}))
        checked = Folder({"flow.yaml": text}, adapter.catalogue).check("flow.yaml")
        assert checked.flow, checked.problems
        return checked.flow

    def converse(self) -> str:
        """A conversation that is active; its id."""
        visitor = Visitor(name="Ann", email="ann@example.com")
        return self.sandbox.receive_visitor(self.sandbox.agent_id, visitor, ["hello"], webhook=False)[0]

    def held(self) -> set[str]:
        """The runs that `chatforge runs list --status held` shows."""
        command = [sys.executable, "-m", "connector", "runs", "list", "--status", "held", "--limit", "10000", "--json"]
        environ = {"PATH": os.environ["PATH"], "CHATFORGE_DATABASE_URL": f"sqlite:///{self.database}"}
        done = subprocess.run(command, env=environ, cwd=self.folder, capture_output=True, text=True, check=True)
        return {run["id"] for run in json.loads(done.stdout)}


@pytest.fixture
def sites(tmp_path: Path, built_in: Registry) -> Iterator[Sites]:
    with running(SandboxSettings(rate_limit=UNLIMITED)) as sandbox:
        yield Sites(tmp_path, built_in, sandbox)
