"""The real Prefect, from the environment that `make test-prefect` installs: its server, and flows run one at a time.

Its SQLite refuses what comes at the same time, so nothing does.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from connector.sandbox import Sandbox

HOST = Path(__file__).parents[3] / ".hosts" / "prefect"
PATIENCE = 90.0


@dataclass
class Prefect:
    """A server with a database of its own."""

    folder: Path
    sandbox: Sandbox
    port: int

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PREFECT_HOME": str(self.folder),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "CHATFORGE_BUDGET_FILE": str(self.folder / "budget.sqlite"),
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def call(self, command: str, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """A command of Prefect's environment, to its end; what it says is also in call.log."""
        done = subprocess.run(
            [str(HOST / "bin" / command), *arguments],
            env=self.environment | more,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        with (self.folder / "call.log").open("a") as log:
            log.write(done.stdout + done.stderr)
        return done

    def keep_account(self, key: str) -> str:
        """As the block `main`; what its check says."""
        done = self.call("python", str(Path(__file__).with_name("flows") / "account.py"), KEY=key, URL=self.sandbox.url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def written(self) -> str:
        """All that was written: what commands and the server said, what flows logged, and the database as it is."""
        logged = httpx.post(f"{self.url}/logs/filter", json={"limit": 200}, timeout=30).text
        files = [path for path in self.folder.rglob("*") if path.suffix == ".log" or ".db" in path.name]
        return logged + "".join(path.read_bytes().decode("latin-1") for path in files)


@contextmanager
def serving(folder: Path, sandbox: Sandbox) -> Iterator[Prefect]:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        host = Prefect(folder, sandbox, int(found.getsockname()[1]))
    command = [str(HOST / "bin" / "prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(host.port)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, env=host.environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and server.poll() is None:
            with suppress(httpx.TransportError):
                if httpx.get(f"{host.url}/health", timeout=10).is_success:
                    break
            time.sleep(0.2)
        else:
            raise RuntimeError(f"Prefect did not start: {(folder / 'server.log').read_text()[-500:]}")
        yield host
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
