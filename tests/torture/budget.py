"""Measures R1, R2 and R3: processes that share a budget file, against the sandbox's windows, by HTTP on loopback.

`python -m torture.budget [--minutes 10] [--speed 10] [--windows sliding,fixed,weighted] [--seed 1]`, run from `tests`.
All durations are seconds of a clock that runs `speed` times as fast as the machine's, for the sandbox, the budget
and its waits alike. One process sends takeovers, the others have reads waiting all the time.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import httpx

from connector.chatforge.budget import Clock, RateBudget, SharedFile
from connector.chatforge.budget.clock import read_boot_clock, read_boot_id
from connector.chatforge.budget.rule import WINDOW
from connector.sandbox import SandboxSettings
from connector.sandbox.server import running
from connector.transport import HttpOptions, Purpose, open_client, open_transport

WINDOWS = ("sliding", "fixed", "weighted")
PROCESSES = 4
LIMIT = 100
ONE_WAY = (0.02, 0.2)
"""Seconds that a request or an answer travels, on top of what it takes here."""
BLOCKED_EVERY, BLOCKED = 37.0, 2.0
"""Every so often the way there is blocked for so long: what was sent arrives at the end of that, and counts then."""
_TESTS = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one window of the sandbox."""

    window: str
    minutes: int
    requests: int
    """Started within these minutes."""
    refused: int
    """How many of them were answered 429."""
    refused_late: int
    """The same in the last third."""
    use: float
    """Per cent of the limit."""
    round_trip: float
    """The mean, in seconds."""
    promised_use: float
    """What the rule leaves of the limit with such round trips: a slot is free `WINDOW` after its answer."""
    takeovers: int
    wait_p50: float
    wait_p99: float
    wait_longest: float
    lag_p99: float
    """By how much timers of the takeovers' process were late, in seconds: noise of this machine."""
    fewest_waiting: int
    """Reads that waited at any time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process is told."""

    urls: dict[str, str]
    key: str
    file: str
    speed: float
    minutes: float
    reads: int
    """How many wait at any time, in this process and for each window; 0 for the one that sends takeovers."""
    seed: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A request: when it was wanted, started and answered, in seconds since the beginning."""

    window: str
    purpose: Purpose
    wanted: float
    started: float
    answered: float
    status: int


class Worker:
    """One process: a budget for each window, all in one file."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.begun = 0.0
        self.sent: list[Sent] = []
        self.lags: list[float] = []
        self.waiting = dict.fromkeys(plan.urls, 0)
        self.fewest = dict.fromkeys(plan.urls, plan.reads)
        self.random = random.Random(plan.seed)  # noqa: S311 - not for secrets

    def now(self) -> float:
        return read_boot_clock() * self.plan.speed - self.begun

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.plan.speed)

    async def run(self) -> None:
        lines = [Line(self, window) for window in self.plan.urls]
        print("ready", flush=True)
        self.begun = float(await asyncio.to_thread(sys.stdin.readline)) * self.plan.speed
        await self.sleep(-self.now())
        tasks = [asyncio.create_task(self._measure_lag())]
        for line in lines:
            if self.plan.reads:
                tasks += [asyncio.create_task(line.read()) for _ in range(self.plan.reads)]
            else:
                tasks.append(asyncio.create_task(line.take_over()))
        await self.sleep(self.plan.minutes * 60 - self.now())
        sent = [[getattr(request, field.name) for field in fields(Sent)] for request in self.sent]
        print(json.dumps({"sent": sent, "lags": self.lags, "fewest": self.fewest}), flush=True)
        os._exit(0)  # whatever is under way is lost, as it is when a process dies

    async def _measure_lag(self) -> None:
        while True:
            before = self.now()
            await self.sleep(0.5)
            self.lags.append(self.now() - before - 0.5)
            for window, waiting in self.waiting.items():
                self.fewest[window] = min(self.fewest[window], waiting)


class LongWay(httpx.AsyncBaseTransport):
    """The way to a server that is far away, which loopback lacks."""

    def __init__(self, worker: Worker, transport: httpx.AsyncBaseTransport) -> None:
        self._worker, self._transport = worker, transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        chance, now = self._worker.random, self._worker.now()
        await self._worker.sleep(max(0.0, BLOCKED - now % BLOCKED_EVERY) + chance.uniform(*ONE_WAY))
        response = await self._transport.handle_async_request(request)
        await self._worker.sleep(chance.uniform(*ONE_WAY))
        return response


class Line:
    """The requests of one process to one window."""

    def __init__(self, worker: Worker, window: str) -> None:
        plan = worker.plan
        clock = Clock(lambda: read_boot_clock() * plan.speed, time.time, read_boot_id(), plan.speed)
        self._worker, self._window = worker, window
        self._budget = RateBudget(LIMIT, SharedFile(Path(plan.file)), window, clock)
        self._options = HttpOptions(plan.urls[window], {"Authorization": f"Bearer {plan.key}"})
        self._transport = LongWay(worker, open_transport(self._options))

    async def read(self) -> None:
        """One of those who wait all the time."""
        while True:
            await self._send("interactive")

    async def take_over(self) -> None:
        """A takeover every few seconds, from the start; one does not wait for the one before."""
        under_way = set()
        while True:
            task = asyncio.create_task(self._send("takeover"))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            await self._worker.sleep(self._worker.random.uniform(1, 5))

    async def _send(self, purpose: Purpose) -> None:
        reads = purpose == "interactive"
        wanted = self._worker.now()
        self._worker.waiting[self._window] += reads
        slot = await self._budget.take(purpose)
        self._worker.waiting[self._window] -= reads
        started = self._worker.now()
        async with open_client(self._options, self._transport, slot=slot) as client:
            response = await client.get(self._options.base_url, params={"action": "v1-agents"})
        answered = self._worker.now()
        self._worker.sent.append(Sent(self._window, purpose, wanted, started, answered, response.status_code))


def measure(
    minutes: float = 10.0,
    speed: float = 10.0,
    windows: Sequence[str] = WINDOWS,
    seed: int = 1,
    reads: int = 5_000,
) -> list[Figures]:
    """The figures of each window. All windows are measured at the same time, for `minutes` of the fast clock.

    `reads` is how many wait at any time for each window, over all processes.
    """
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        sandboxes = {
            window: opened.enter_context(running(SandboxSettings(rate_window=window, clock_speed=speed)))
            for window in windows
        }
        urls = {window: sandbox.url for window, sandbox in sandboxes.items()}
        key = next(iter(sandboxes.values())).api_key
        plans = [
            Plan(urls, key, f"{folder}/budget.sqlite", speed, minutes, reads // (PROCESSES - 1) if number else 0, seed)
            for number in range(PROCESSES)
        ]
        reports = _run(plans, opened)
    return [_count(window, int(minutes), reports) for window in windows]


def _run(plans: Sequence[Plan], opened: ExitStack) -> list[dict[str, Any]]:
    """Start a process for each plan, let them begin at the same moment, and return what they report."""
    workers = []
    for plan in plans:
        command = [sys.executable, "-m", "torture.budget", "--worker", json.dumps(asdict(plan))]
        worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_TESTS)
        workers.append(opened.enter_context(worker))
        opened.callback(worker.kill)
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    begin = read_boot_clock() + 0.2
    for worker in workers:
        assert worker.stdin
        worker.stdin.write(f"{begin}\n")
        worker.stdin.flush()
    return [json.loads(worker.communicate()[0]) for worker in workers]


def _count(window: str, minutes: int, reports: Sequence[dict[str, Any]]) -> Figures:
    sent = [Sent(*values) for report in reports for values in report["sent"] if values[0] == window]
    counted = [request for request in sent if request.started < minutes * 60]
    assert {request.status for request in sent} <= {200, 429}
    refused = [request.started for request in sent if request.status == 429]
    waits = sorted(request.started - request.wanted for request in sent if request.purpose == "takeover")
    round_trip = fmean(request.answered - request.started for request in sent)
    return Figures(
        window=window,
        minutes=minutes,
        requests=len(counted),
        refused=len(refused),
        refused_late=sum(started > minutes * 40 for started in refused),
        use=100 * len(counted) / (minutes * LIMIT),
        round_trip=round_trip,
        promised_use=100 * 60 / (WINDOW + round_trip),
        takeovers=len(waits),
        wait_p50=percentile(waits, 0.5),
        wait_p99=percentile(waits, 0.99),
        wait_longest=waits[-1],
        lag_p99=percentile(sorted(reports[0]["lags"]), 0.99),
        fewest_waiting=sum(report["fewest"][window] for report in reports),
    )


def percentile(values: Sequence[float], part: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(part * len(values)))]


def describe(figures: Figures) -> str:
    return (
        f"{figures.window:8}  {figures.requests} requests in {figures.minutes} min, {figures.use:.1f} % of the limit "
        f"(the rule allows {figures.promised_use:.1f} % with round trips of {figures.round_trip:.2f} s); "
        f"{figures.refused} times 429, {figures.refused_late} in the last third; {figures.takeovers} takeovers waited "
        f"{figures.wait_p50:.2f} s (median), {figures.wait_p99:.2f} s (p99), {figures.wait_longest:.2f} s (longest) "
        f"beside {figures.fewest_waiting} reads; timers were {figures.lag_p99:.2f} s late (p99)"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--worker", help=argparse.SUPPRESS)
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--speed", type=float, default=10.0)
    options.add_argument("--windows", default=",".join(WINDOWS))
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--reads", type=int, default=5_000)
    given = options.parse_args()
    if given.worker:
        return asyncio.run(Worker(Plan(**json.loads(given.worker))).run())
    for figures in measure(given.minutes, given.speed, given.windows.split(","), given.seed, given.reads):
        print(describe(figures))


if __name__ == "__main__":
    main()
