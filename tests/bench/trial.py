"""One server under load: it is started, warmed up, and given webhooks."""

import asyncio
import itertools
import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.load import connected, make_webhooks, post_all
from bench.plan import Plan
from bench.processes import SERVE, Process, prepare, running
from bench.receiver import Receiver, receiving

PATIENCE = 600.0
"""Seconds until runs that do not arrive are given up."""
_numbers = itertools.count(1)
"""No number comes twice, as a webhook that is known already starts nothing."""


@dataclass(slots=True)
class Trial:
    """A process that was started for this, and the receiver that it calls."""

    plan: Plan
    process: Process
    receiver: Receiver

    def webhooks(self, count: int) -> list[bytes]:
        """New ones."""
        first, *_ = itertools.islice(_numbers, count)
        return make_webhooks(first, count)

    async def run(self, count: int) -> tuple[float, float]:
        """So many runs, as fast as they go: seconds until the last one's second call arrived, and of the processor."""
        requests = self.webhooks(count)
        self.receiver.forget()
        async with connected(self.process.address, self.plan.connections) as senders:
            cpu, begun = self.process.cpu_seconds, time.perf_counter()
            await post_all(senders, requests)
            await self.receiver.wait_for_runs(count, PATIENCE)
        return max(self.receiver.arrived.values()) - begun, self.process.cpu_seconds - cpu

    async def settle(self) -> None:
        """Until every run of the server's database is over. Raises RuntimeError where one did not succeed."""
        end = time.monotonic() + 30
        while (found := self._count_runs()).keys() != {"succeeded"}:
            if time.monotonic() > end:
                raise RuntimeError(f"expected that all runs succeed, not {found}: {self.process.log()[-2000:]}")
            await asyncio.sleep(0.05)

    def _count_runs(self) -> dict[str, int]:
        """By status."""
        if self.plan.database_url is not None:
            return _count_listed(self.process)
        connection = sqlite3.connect(self.process.folder / "runs.sqlite")
        try:
            return dict(connection.execute("SELECT status, count(*) FROM runs WHERE flow = 'bench' GROUP BY status"))
        finally:
            connection.close()


@asynccontextmanager
async def trial(plan: Plan, command: Sequence[str] = SERVE, folder: Path | None = None) -> AsyncIterator[Trial]:
    """A warm process; with a new SQLite database unless `folder` has one, or the plan names another database."""
    with TemporaryDirectory(prefix="bench-", dir=plan.folder) as new:
        place = folder or Path(new)
        async with receiving() as receiver:
            environment = prepare(place, receiver.address, plan.database_url)
            with running(command, place, environment) as process:
                found = Trial(plan, process, receiver)
                await found.run(plan.warm_up)
                yield found


def _count_listed(process: Process) -> dict[str, int]:
    """By status, the newest runs of any database, as the command lists them."""
    command = [sys.executable, "-m", "connector", "runs", "list", "--flow", "bench", "--limit", "10000", "--json"]
    done = subprocess.run(command, cwd=process.folder, env=process.environment, check=True, capture_output=True)
    return Counter(run["status"] for run in json.loads(done.stdout))
