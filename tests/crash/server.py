"""Servers in processes of their own, which can be told to die at a commit.

They are forked from a nursery, which has imported and read all that takes long.
"""

import faulthandler
import itertools
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
class Ended:
    code: int


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


def serve(number: int, plugins: Registry, flows: list[Flow], options: Options, told: Connection) -> None:
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
        told.send((number, address))

    with service.listen("127.0.0.1", 0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        while True:
            try:
                return service.serve(plugins, found, flows, listener, started, fuse.burn)
            except StoreLockedError:  # Postgres notices the death of a process only when it looks
                time.sleep(0.01)


def nurse(asked: Connection, told: Connection) -> None:
    """Fork a server for each `Options` that are sent; `told` gets its number and process id, its address, its end."""
    forking = multiprocessing.get_context("fork")
    plugins, known = registry.load(), dict[Path, list[Flow]]()
    children, numbers = dict[Any, Any](), itertools.count()
    while True:
        for ready in wait([asked, *children]):
            if ready is not asked:
                number, child = children.pop(ready)
                child.join()
                told.send((number, Ended(child.exitcode)))
                continue
            try:
                options: Options = asked.recv()
            except EOFError:
                return
            if options.flows not in known:
                found = settings.load(options.folder, environ=options.environ)
                known[options.flows] = load_flows(options.flows, Adapter(plugins, found).catalogue)
            number = next(numbers)
            args = (number, plugins, known[options.flows], options, told)
            child = forking.Process(target=serve, args=args, daemon=True)
            child.start()
            told.send((number, child.pid))
            children[child.sentinel] = number, child


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
        self._numbers = itertools.count()
        self._known: dict[int, Child] = {}

    def close(self) -> None:
        """End it, and the servers that still run."""
        self._ask.close()
        self._process.join()
        self._told.close()

    def start(self, options: Options) -> "Child | None":
        """A server that answers; None where it was killed before it did."""
        child = Child(self, Fuse(options.folder))
        self._known[next(self._numbers)] = child
        self._ask.send(options)
        end = time.monotonic() + SILENCE
        while not child.address and child.code is None:
            self.listen(0.01)
            if time.monotonic() > end:
                child.kill()
                raise AssertionError("the server does not begin to serve; see server.log")
        return None if child.is_dead else child

    def listen(self, seconds: float = 0) -> None:
        """Take notice of what has happened to the servers."""
        while self._told.poll(seconds):
            number, what = self._told.recv()
            self._known[number].notice(what)
            seconds = 0


@dataclass
class Child:
    """A server, numbered as it was asked for: the system uses the ids of processes again."""

    nursery: Nursery
    fuse: Fuse
    pid: int = 0
    address: str = ""
    code: int | None = None

    def notice(self, what: "int | str | Ended") -> None:
        match what:
            case Ended(code):
                self.code = code
            case str():
                self.address = what
            case int():
                self.pid = what

    @property
    def is_dead(self) -> bool:
        """Whether it was killed; any other end is a fault."""
        self.nursery.listen()
        assert self.code in (None, -signal.SIGKILL), f"the server ended by itself, with {self.code}; see server.log"
        return self.code is not None

    def kill(self) -> None:
        if not self.is_dead:
            os.kill(self.pid, signal.SIGKILL)
            self._wait(20)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.code is None:
            assert time.monotonic() < end, "the server does not end"
            self.nursery.listen(0.01)
