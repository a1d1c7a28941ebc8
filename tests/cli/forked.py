"""Commands as processes that are forked from one that has imported them: the imports take longer than most commands."""

import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    error: str


class Forks:
    """Runs commands, each in a process with its own folder, environment and output."""

    def __enter__(self) -> Self:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "cli.forked", str(theirs.fileno())]
            self._process = subprocess.Popen(command, cwd=TESTS, pass_fds=[theirs.fileno()])
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()
        self._process.wait(20)

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float) -> Result:
        if any(name.startswith("PYTHON") for name in environment):  # read when an interpreter starts
            return _start(arguments, environment, folder, timeout)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
            child = self.start(arguments, environment, folder, out, error)
            try:
                code = child.wait(timeout)
            except TimeoutError:
                child.send_signal(signal.SIGKILL)
                raise
            return Result(code, _read(out), _read(error))

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, out: IO[Any], error: IO[Any]
    ) -> "Child":
        """Its output goes to the files."""
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as order, theirs:
            order.write(json.dumps([arguments, environment, str(folder)]).encode())
            order.flush()
            files = [one.fileno() for one in (theirs, order, out, error)]
            socket.send_fds(self._socket, [b"."], files)
        told = ours.makefile("r")
        return Child(int(told.readline()), ours, told)


@dataclass
class Child:
    """A command at work; `stdout` where somebody reads it meanwhile."""

    pid: int
    _socket: socket.socket
    _told: IO[str]
    returncode: int | None = None
    stdout: IO[str] | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._socket], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises TimeoutError."""
        if self.returncode is None:
            self._socket.settimeout(timeout)
            self.returncode = int(self._told.readline())
            self._told.close()
            self._socket.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        assert self.stdout
        with self.stdout:
            text = self.stdout.read()
        self.wait(timeout)
        return text, None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@functools.cache
def shared() -> Forks:
    """The one of this test process."""
    forks = Forks().__enter__()
    atexit.register(forks.__exit__)
    return forks


def _start(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float) -> Result:
    command = [sys.executable, "-m", "connector", *arguments]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=timeout)
    return Result(done.returncode, done.stdout, done.stderr)


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _serve(orders: socket.socket) -> None:
    """Fork for each order until the test process leaves. A child of its own tells its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those
    while True:
        message, files, _, _ = socket.recv_fds(orders, 1, 4)
        if not message:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            orders.close()
            _follow(socket.socket(fileno=files[0]), *files[1:])
        for file in files:
            os.close(file)


def _follow(told: socket.socket, order: int, out: int, error: int) -> None:
    with open(order) as file:
        file.seek(0)
        arguments, environment, folder = json.load(file)
    pid = os.fork()
    if pid == 0:
        told.close()
        _execute(arguments, environment, folder, out, error)
    told.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    told.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _execute(arguments: list[str], environment: dict[str, str], folder: str, out: int, error: int) -> None:
    """Become the command, as it would be started."""
    for theirs, ours in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (error, 2)):
        os.dup2(theirs, ours)
        os.close(theirs)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.path[0] = folder
    sys.stdin, sys.stdout = open(0), open(1, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    sys.argv = ["chatforge", *arguments]
    from connector.__main__ import main

    main()
    sys.exit(0)


_NOT_OURS = ("connector.testing", "connector.hosts.airflow.", "connector.hosts.prefect.")
"""No command uses them, and what they import may not be there."""


def _import_all(package: Any) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.startswith(_NOT_OURS) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


if __name__ == "__main__":
    import connector
    from connector.transport import load_engine

    _import_all(connector)
    load_engine()
    gc.freeze()  # a child's end need not look through what it never touched
    with socket.socket(fileno=int(sys.argv[1])) as given:
        _serve(given)
