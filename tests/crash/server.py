"""Servers in processes of their own, which can be told to die at a commit.

They are forked from a nursery, which has imported and read all that takes long.
"""

import faulthandler
import logging
import mmap
import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

import aiohttp  # noqa: F401 - which the transport imports when it is needed

from connector import registry, settings
from connector.adapter import Adapter
from connector.cli.flow_files import load_flows
from connector.errors import StoreLockedError
from connector.flows.flow import Flow
from connector.registry import Registry
from connector.server import service

Moment = Literal["before commit", "after commit"]
SILENCE = 30.0
"""Seconds in which a server begins to serve."""
MOMENTS: tuple[Moment, ...] = ("before commit", "after commit")


@dataclass(frozen=True, slots=True)
class Options:
    folder: Path
    environ: Mapping[str, str]
    flows: Path
    """A folder, or one file."""


class Fuse:
    """How many commits are left to a process, in memory that it shares with others; it has no end while that is 0."""

    def __init__(self, folder: Path) -> None:
        path = folder / "fuse"
        with path.open("ab") as file:
            file.truncate(8)
        with path.open("r+b") as file:
            self._numbers = memoryview(mmap.mmap(file.fileno(), 8)).cast("i")

    def set(self, commits: int, moment: Moment = MOMENTS[0]) -> None:
        self._numbers[1] = MOMENTS.index(moment)
        self._numbers[0] = commits

    def burn(self, moment: Moment) -> None:
        """A failpoint."""
        if self._numbers[0] == 0 or moment != MOMENTS[self._numbers[1]]:
            return
        self._numbers[0] -= 1
        if self._numbers[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def serve(plugins: Registry, flows: list[Flow], options: Options, told: Connection) -> None:
    """What `chatforge serve` does, as far as that is not about people."""
    logging.basicConfig(
        filename=options.folder / "server.log", format="%(asctime)s %(process)d %(message)s", force=True
    )
    logging.raiseExceptions = False  # where its disk is full
    found, fuse = settings.load(options.folder, environ=options.environ), Fuse(options.folder)
    log = (options.folder / "server.log").open("a")
    faulthandler.dump_traceback_later(SILENCE / 2, file=log)  # where it stands that begins to serve too late

    def started(_upcoming: object) -> None:
        faulthandler.cancel_dump_traceback_later()
        told.send((os.getpid(), address))

    with service.listen("127.0.0.1", 0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        while True:
            try:
                return service.serve(plugins, found, flows, listener, started, fuse.burn)
            except StoreLockedError:  # Postgres notices the death of a process only when it looks
                time.sleep(0.01)


def nurse(asked: Connection, told: Connection) -> None:
    """Fork a server for each `Options` that are sent. `told` gets its process id and address, then its end."""
    forking = multiprocessing.get_context("fork")
    plugins, known = registry.load(), dict[Path, list[Flow]]()
    children = dict[Any, Any]()
    while True:
        for ready in wait([asked, *children]):
            if ready is not asked:
                child = children.pop(ready)
                child.join()
                told.send((child.pid, child.exitcode))
                continue
            try:
                options: Options = asked.recv()
            except EOFError:
                return
            if options.flows not in known:
                found = settings.load(options.folder, environ=options.environ)
                known[options.flows] = load_flows(options.flows, Adapter(plugins, found).catalogue)
            child = forking.Process(target=serve, args=(plugins, known[options.flows], options, told), daemon=True)
            child.start()
            children[child.sentinel] = child


class Nursery:
    """The process that forks servers."""

    def __init__(self) -> None:
        spawning = multiprocessing.get_context("spawn")  # this process may have threads
        asked, self._ask = spawning.Pipe(duplex=False)
        self._told, told = spawning.Pipe(duplex=False)
        self._process = spawning.Process(target=nurse, args=(asked, told))
        self._process.start()
        asked.close()
        told.close()
        self._addresses = dict[int, str]()
        self._codes = dict[int, int]()

    def close(self) -> None:
        """End it, and the servers that still run."""
        self._ask.close()
        self._process.join()
        self._told.close()

    def start(self, options: Options) -> "Child | None":
        """A server that answers; None where it was killed before it did."""
        known = self._addresses.keys() | self._codes.keys()
        self._ask.send(options)
        while not (new := (self._addresses.keys() | self._codes.keys()) - known):
            self.listen(SILENCE)
        [pid] = new
        if pid in self._addresses:
            return Child(self, pid, self._addresses[pid], Fuse(options.folder))
        assert self._codes[pid] == -signal.SIGKILL, "the server ended before it served; see server.log"
        return None

    def listen(self, seconds: float = 0) -> None:
        """Take notice of what has happened to the servers."""
        assert not seconds or self._told.poll(seconds), "the nursery is silent"
        while self._told.poll():
            pid, what = self._told.recv()
            (self._addresses if isinstance(what, str) else self._codes)[pid] = what

    def code(self, pid: int) -> int | None:
        self.listen()
        return self._codes.get(pid)


@dataclass
class Child:
    """A server that answered."""

    nursery: Nursery
    pid: int
    address: str
    fuse: Fuse

    @property
    def is_dead(self) -> bool:
        """Whether it was killed; any other end is a fault."""
        code = self.nursery.code(self.pid)
        assert code in (None, -signal.SIGKILL), f"the server ended by itself, with {code}"
        return code is not None

    def kill(self) -> None:
        if self.nursery.code(self.pid) is None:
            os.kill(self.pid, signal.SIGKILL)
        self._wait(20)

    def stop(self) -> None:
        """As an operator stops it."""
        os.kill(self.pid, signal.SIGTERM)
        assert self._wait(20) == 0

    def _wait(self, seconds: float) -> int:
        end = time.monotonic() + seconds
        while (code := self.nursery.code(self.pid)) is None:
            assert time.monotonic() < end, "the server does not end"
            time.sleep(0.002)
        return code
