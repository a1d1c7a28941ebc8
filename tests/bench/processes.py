"""The processes that are measured: `chatforge serve`, and the bare script."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import SECRET

TESTS = Path(__file__).parents[1]
FLOW = """\
flow: bench
trigger: {uses: chatforge.event}
steps:
  - id: note
    uses: bench.add_note
    connection: receiver
    with:
      email: ${{ string(trigger.data.visitor_email) }}
      text: ${{ string(trigger.data.conversation_summary ?? 'nothing yet') }}
  - id: contact
    if: steps.note.accepted && trigger.data.visitor_email != null
    uses: bench.upsert_contact
    connection: receiver
    with:
      email: ${{ string(trigger.data.visitor_email).lower() }}
      name: ${{ string(trigger.data.visitor_name ?? 'a visitor') }}
      note_id: ${{ steps.note.id }}
outputs:
  contact_id: ${{ steps.contact?.id }}
"""


@dataclass(slots=True)
class Process:
    """A child process that listens."""

    process: "subprocess.Popen[str]"
    address: str
    folder: Path
    environment: Mapping[str, str]

    @property
    def cpu_seconds(self) -> float:
        """Of the processor, in all its threads, since it began."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory(self) -> float:
        """What it has in memory now, in MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")


def prepare(folder: Path, receiver: str, database_url: str | None) -> dict[str, str]:
    """Write flow, connection and plugin into `folder`; the environment of a server there.

    The plugin is registered as an installed one is: by an entry point in a folder of the module path.
    """
    site = folder / "site" / "bench-1.0.dist-info"
    site.mkdir(parents=True, exist_ok=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: bench\nVersion: 1.0\n")
    (site / "entry_points.txt").write_text("[connector.plugins]\nbench = bench.plugin\n")
    (folder / "flows").mkdir(exist_ok=True)
    (folder / "flows" / "bench.yaml").write_text(FLOW)
    (folder / "flows" / "connections.yaml").write_text(f"receiver: {{connector: bench, address: {receiver}}}\n")
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{site.parent}{os.pathsep}{TESTS}",
        "HOME": str(folder),
        "CHATFORGE_API_KEY": "cf_bench",
        "CHATFORGE_WEBHOOK_SECRET": SECRET,
        "CHATFORGE_DATABASE_URL": database_url or "sqlite:///runs.sqlite",
        "BENCH_RECEIVER": receiver,
    }


SERVE = ("-m", "connector", "serve", "--flows", "flows", "--port", "0")
SCRIPT = ("-m", "bench.script")


@contextmanager
def running(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[Process]:
    """A Python process with these arguments, from the line in which it says where it listens; stopped at the end."""
    with (folder / "log").open("a") as log:
        started = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder
        )
    with started:
        assert started.stdout
        try:
            first = started.stdout.readline()
            if "listening on " not in first:
                raise RuntimeError(f"{' '.join(command)} did not start: {first}{(folder / 'log').read_text()}")
            yield Process(started, first.split("listening on ")[1].split(";")[0].strip(), folder, environment)
        finally:
            stop(started)


def stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def timed(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[Process, float]]:
    """A server, and the seconds from the start of the process to its first 200 of /readyz."""
    port = free_port()
    with (folder / "log").open("a") as log:
        begun = time.perf_counter()
        started = subprocess.Popen(
            [sys.executable, *SERVE[:-1], str(port)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
            cwd=folder,
        )
    try:
        while not _is_ready(port):
            if started.poll() is not None or time.perf_counter() > begun + 60:
                raise RuntimeError(f"the server did not become ready: {(folder / 'log').read_text()}")
            time.sleep(0.005)
        yield Process(started, f"http://127.0.0.1:{port}", folder, environment), time.perf_counter() - begun
    finally:
        stop(started)


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False
