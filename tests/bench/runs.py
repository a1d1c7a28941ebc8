"""How many runs a second: webhook, HTTP call, condition, HTTP call; beside a bare script that does the same."""

from collections.abc import Sequence
from dataclasses import replace

import postgres
from bench.figures import Figure
from bench.plan import Plan
from bench.processes import SCRIPT, SERVE
from bench.trial import trial

RUNS_A_SECOND, ON_POSTGRES = 500, 150
RATIO = 0.6


async def measure(plan: Plan) -> list[Figure]:
    """In turn, so that whatever else the machine does hits both alike."""
    pairs = [(await _saturate(plan, SERVE), await _saturate(plan, SCRIPT)) for _ in range(plan.repeats)]
    ratios = [served[0] / bare[0] for served, bare in pairs]
    return [
        *_figures([served for served, _ in pairs], RUNS_A_SECOND),
        Figure("runs of the bare script", [rate for _, (rate, _) in pairs], "/s"),
        Figure("processor for a run of the bare script", [cpu for _, (_, cpu) in pairs], "ms"),
        Figure("runs, against those of the bare script", ratios, "", RATIO, at_least=True),
    ]


async def measure_on_postgres(plan: Plan) -> list[Figure]:
    """On a server on the same cores; that of TEST_POSTGRES_URL, or one that is started for it."""
    served = []
    with postgres.running() as server:
        for _ in range(plan.repeats):
            with postgres.schema(server) as url:
                served.append(await _saturate(replace(plan, database_url=url.url), SERVE))
    return _figures(served, ON_POSTGRES)


def _figures(served: Sequence[tuple[float, float]], target: float) -> list[Figure]:
    return [
        Figure("runs, all synced to disk", [rate for rate, _ in served], "/s", target, at_least=True),
        Figure("processor for a run", [cpu for _, cpu in served], "ms"),
    ]


async def _saturate(plan: Plan, command: Sequence[str]) -> tuple[float, float]:
    """Runs a second, and milliseconds of the processor for each."""
    async with trial(plan, command) as one:
        seconds, cpu = await one.run(plan.runs)
        if command is SERVE:
            await one.settle()
        return plan.runs / seconds, cpu / plan.runs * 1e3
