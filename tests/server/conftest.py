"""A real server process, and a sandbox for it to talk to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import httpx
import pytest
from cli.forked import Child, shared

from connector.runs import records
from connector.runs.journal import Journal
from connector.sandbox import Sandbox
from connector.sandbox.server import running
from connector.sqlite import read_file

FLOW = Path(__file__).parents[2] / "docs" / "flows" / "lead-to-crm.yaml"
Result = TypeVar("Result")


@dataclass
class Server:
    """`chatforge serve` in a process of its own."""

    folder: Path
    environment: dict[str, str]
    flows: Path = FLOW
    prefix: list[str] = field(default_factory=list)
    """A command that runs the server, such as one that limits its resources."""
    address: str = ""
    process: "subprocess.Popen[str] | Child | None" = None

    @property
    def database(self) -> Path:
        return self.folder / "runs.sqlite"

    def start(self, *options: str) -> "Server":
        self.launch(*options)
        assert self.process
        assert self.process.stdout
        first = self.process.stdout.readline()
        if "listening on " not in first:
            self.stop()
            raise AssertionError(self.log())
        self.address = first.split("listening on ")[1].split(";")[0]
        return self

    def launch(self, *options: str) -> None:
        """Start the process; it may not come as far as listening."""
        arguments = ["serve", "--flows", str(self.flows), *options]
        with (self.folder / "server.log").open("a") as log:
            if self.prefix or any(name.startswith("PYTHON") for name in self.environment):
                self.process = subprocess.Popen(
                    [*self.prefix, sys.executable, "-m", "connector", *arguments],
                    env=self.environment,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    cwd=self.folder,
                )
            else:
                self.process = self._fork(arguments, log)

    def _fork(self, arguments: list[str], log: IO[str]) -> Child:
        """In a third of the time: what it imports is there already."""
        reading, writing = os.pipe()
        with open(writing, "w") as out:
            child = shared().start(arguments, self.environment, self.folder, out, log)
        child.stdout = open(reading, encoding="utf-8")  # noqa: SIM115 - whoever stops the server closes it
        return child

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        assert self.process
        assert self.process.stdout
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        code = self.process.wait(20)
        self.process.stdout.close()
        return code

    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def post(self, path: str, **request: Any) -> httpx.Response:
        return httpx.post(self.address + path, timeout=20, **request)

    def read(self, query: Callable[[Journal], Result]) -> Result:
        return read_file(self.database, lambda connection: query(Journal(connection)))

    def query(self, sql: str) -> list[Any]:
        return read_file(self.database, lambda connection: connection.execute(sql).fetchall())

    def runs(self) -> list[records.Run]:
        return self.read(lambda journal: journal.runs(1000))

    def starts(self) -> list[records.Start]:
        """What the flows made of each event."""
        return self.read(
            lambda journal: [start for event in journal.events(1000) for start in journal.starts(event.id)]
        )

    def wait_for(self, what: Callable[[], Result], seconds: float = 20) -> Result:
        """Until `what` is true; its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := what():
                return value
            time.sleep(0.01)
        raise AssertionError(f"nothing came of it:\n{self.log()}")

    def ended(self, run_id: str) -> records.Run:
        def look() -> records.Run | None:
            run = self.read(lambda journal: journal.run(run_id))
            return run if run and run.status in records.ENDED else None

        found = self.wait_for(look)
        assert found
        return found


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as sandbox:
        yield sandbox


def environment_of(sandbox: Sandbox) -> dict[str, str]:
    """What a server needs to talk to the sandbox."""
    return {
        "PATH": os.environ["PATH"],
        "CHATFORGE_BASE_URL": sandbox.url,
        "CHATFORGE_API_KEY": sandbox.api_key,
        "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
        "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite",
    }


@contextmanager
def serving(server: Server, *options: str) -> Iterator[Server]:
    """For a server that several tests share."""
    try:
        yield server.start("--port", "0", *options)
    finally:
        if server.process and server.process.poll() is None:
            server.stop(signal.SIGKILL)


@pytest.fixture
def make_server(tmp_path: Path, sandbox: Sandbox) -> Iterator[Callable[..., Server]]:
    """Makes servers that share a folder, so that a second one finds what the first one left."""
    made: list[Server] = []

    def make(**changes: Any) -> Server:
        environment = environment_of(sandbox) | changes.pop("environment", {})
        server = Server(tmp_path, environment, **changes)
        made.append(server)
        return server

    yield make
    for server in made:
        if server.process and server.process.poll() is None:
            server.stop(signal.SIGKILL)


@pytest.fixture
def server(make_server: Callable[..., Server], sandbox: Sandbox) -> Server:
    started = make_server().start("--port", "0")
    sandbox.webhook_url = f"{started.address}/webhooks/chatforge"
    return started  # type: ignore[no-any-return] # Callable[..., Server] loses it
