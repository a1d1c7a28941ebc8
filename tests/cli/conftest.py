"""Runs the command as a user would: a process, its exit code, what it printed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from cli.agents_api import Vendor
from cli.forked import Forks, Result, shared

from connector.chatforge.webhooks import SIGNATURE_HEADER, sign
from connector.errors import StoreError
from connector.runs import records
from connector.runs.journal import Journal
from connector.sandbox import Sandbox
from connector.sandbox.server import running
from connector.sqlite import read_file

Value = TypeVar("Value")
FLOW = Path(__file__).parents[2] / "docs" / "flows" / "lead-to-crm.yaml"


@pytest.fixture(scope="session")
def forks() -> Forks:
    return shared()


@pytest.fixture
def chatforge(tmp_path: Path, forks: Forks) -> Callable[..., Result]:
    """`chatforge("runs", "list", CHATFORGE_API_KEY="…")` in an empty folder with nothing else set."""

    def run(*arguments: str, timeout: float = 60, **environment: str) -> Result:
        given = {"PATH": os.environ["PATH"], "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite", **environment}
        return forks.run(arguments, given, tmp_path, timeout)

    return run


@pytest.fixture
def flow(tmp_path: Path) -> str:
    """The example flow, beside nothing else."""
    path = tmp_path / "leads.yaml"
    path.write_bytes(FLOW.read_bytes())
    return path.name


@dataclass
class Scene:
    """A sandbox of its own, a folder with flows and a database, and the commands there."""

    sandbox: Sandbox
    folder: Path
    run: Callable[..., Result]
    settings: dict[str, str]

    @property
    def database(self) -> Path:
        return self.folder / "runs.sqlite"

    def __call__(self, *arguments: str, **more: str) -> Result:
        return self.run(*arguments, **self.settings | more)

    def write_flow(self, text: str, name: str = "leads") -> Path:
        path = self.folder / "flows" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"flow: {name}\n{text}")
        return path

    def visit(self, email: str = "ann@example.com", **more: Any) -> dict[str, str]:
        story: dict[str, str] = httpx.post(
            f"{self.sandbox.control_url}/visitors", json={"visitor_email": email} | more
        ).json()
        return story

    def fill(self, number: int, **more: Any) -> list[dict[str, str]]:
        """Leads of one hour after the other, of which no webhook tells."""
        begin = datetime(2026, 3, 1, tzinfo=UTC)
        times = [(begin + timedelta(hours=hours)).isoformat().replace("+00:00", "Z") for hours in range(number)]
        return [
            self.visit(f"visitor{hours}@example.com", webhook=False, created_at=moment, **more)
            for hours, moment in enumerate(times)
        ]

    def deliver(self, address: str, moment: datetime | None = None, **data: Any) -> str:
        """Post a signed webhook; the id of its event."""
        at = (moment or datetime.now(UTC)).isoformat().replace("+00:00", "Z")
        event = {"event": "lead.captured", "agent_id": self.sandbox.agent_id, "timestamp": at, "data": data}
        body = json.dumps(event).encode()
        headers = {SIGNATURE_HEADER: sign(body, self.sandbox.webhook_secret)}
        answer = httpx.post(f"{address}/webhooks/chatforge", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
        event_id: str = answer.json()["event_id"]
        return event_id

    def requests(self) -> dict[str, dict[str, int]]:
        """How many requests the API had, by action and status."""
        counted: dict[str, dict[str, int]] = httpx.get(f"{self.sandbox.control_url}/counters").json()["actions"]
        return counted

    def break_api(self, action: str, **fault: Any) -> None:
        answer = httpx.post(f"{self.sandbox.control_url}/faults", json={"action": action, "times": 1} | fault)
        assert answer.status_code == 201, answer.text

    def messages(self, conversation_id: str) -> list[str]:
        chat = httpx.get(f"{self.sandbox.control_url}/conversations/{conversation_id}").json()
        return [message["content"] for message in chat["messages"] if message["injected"]]

    def start(self, *arguments: str, stderr: int = subprocess.PIPE, **more: str) -> "subprocess.Popen[str]":
        """The command in a process that goes on."""
        return subprocess.Popen(
            [sys.executable, "-m", "connector", *arguments],
            env=self.settings | {"PATH": os.environ["PATH"], "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite"} | more,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    @contextmanager
    def serving(self, **more: str) -> Iterator[str]:
        """`chatforge serve`, to which the sandbox sends its webhooks; its address."""
        server = self.start("serve", "--flows", "flows", "--port", "0", **more)
        try:
            assert server.stdout
            assert server.stderr
            address = server.stdout.readline().removeprefix("listening on ").partition(";")[0]
            assert address, server.stderr.read()
            self.sandbox.webhook_url = f"{address}/webhooks/chatforge"
            yield address
        finally:
            self.sandbox.webhook_url = None
            server.terminate()
            server.communicate(timeout=20)

    def read(self, query: Callable[[Journal], Value]) -> Value:
        return read_file(self.database, lambda connection: query(Journal(connection)))

    def is_swept(self) -> bool:
        """Whether the server has seen a list whole."""
        rows = read_file(self.database, lambda connection: connection.execute("SELECT swept_at FROM polls").fetchall())
        return any(row["swept_at"] for row in rows)

    def runs(self) -> list[records.Run]:
        return self.read(lambda journal: journal.runs(10_000))

    def wait_for(self, what: Callable[[], Value], seconds: float = 20) -> Value:
        """Until `what` is true; its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(StoreError):  # the database is being made
                if value := what():
                    return value
            time.sleep(0.02)
        raise AssertionError("nothing came of it")


@pytest.fixture
def scene(tmp_path: Path, chatforge: Callable[..., Result]) -> Iterator[Scene]:
    with running() as sandbox:
        settings = {
            "CHATFORGE_BASE_URL": sandbox.url,
            "CHATFORGE_API_KEY": sandbox.api_key,
            "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
            "CHATFORGE_BUDGET_FILE": str(tmp_path / "budget.sqlite"),
        }
        yield Scene(sandbox, tmp_path, chatforge, settings)


@pytest.fixture
def vendor(scene: Scene) -> Vendor:
    return Vendor(scene)


@pytest.fixture
def agents(scene: Scene) -> Path:
    """The folder of the agents; it is made by the first pull."""
    return scene.folder / "agents"
