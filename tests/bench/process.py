"""What the process of `chatforge serve` takes: to start, while nothing happens, and after many runs."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure
from bench.plan import Plan
from bench.processes import prepare, timed
from bench.trial import trial

READY = 1.0  # seconds
IDLE_MEMORY, BUSY_MEMORY = 90, 160  # MB
IDLE_CPU = 0.5  # percent of one core


async def measure(plan: Plan) -> list[Figure]:
    with TemporaryDirectory(prefix="bench-", dir=plan.folder) as folder:
        environment = prepare(Path(folder), "http://127.0.0.1:9", plan.database_url)
        with timed(Path(folder), environment):
            pass  # this one does not count: it makes the database, and reads its files from the disk
        idle = [await _idle(plan, Path(folder), environment) for _ in range(plan.repeats)]
    after = [await _after_runs(plan)]  # once: it takes long, and hardly differs
    return [
        Figure("chatforge serve, until it is ready", [ready for ready, _, _ in idle], "s", READY),
        Figure("memory of an idle server", [memory for _, memory, _ in idle], "MB", IDLE_MEMORY),
        Figure("processor of an idle server", [share for _, _, share in idle], "%", IDLE_CPU),
        Figure(f"memory after {plan.memory_runs:,} runs", after, "MB", BUSY_MEMORY),
    ]


async def _idle(plan: Plan, folder: Path, environment: Mapping[str, str]) -> tuple[float, float, float]:
    """Seconds until it is ready, MB, and percent of one core."""
    with timed(folder, environment) as (process, ready):
        await asyncio.sleep(min(1, plan.idle_seconds))
        cpu, begun = process.cpu_seconds, time.monotonic()
        await asyncio.sleep(plan.idle_seconds)
        share = (process.cpu_seconds - cpu) / (time.monotonic() - begun)
        return ready, process.memory, share * 100


async def _after_runs(plan: Plan) -> float:
    """MB."""
    async with trial(plan) as one:
        await one.run(plan.memory_runs)
        await one.settle()
        return one.process.memory
