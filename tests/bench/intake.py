"""How fast webhooks are acknowledged, which is when they and their runs are on the disk.

The receiver does not answer meanwhile. So the worker is busy with as many runs as it does at a time, and those of the
webhooks that are measured stay queued.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import quantiles

from bench.figures import Figure
from bench.load import connected, post_all, post_paced
from bench.plan import Plan
from bench.trial import PATIENCE, Trial, trial

ACKNOWLEDGED, SLOWEST = 2_000, 50  # a second; milliseconds
PARALLEL = 100
"""Runs that the worker does at a time."""


async def measure(plan: Plan) -> list[Figure]:
    found = [await _intake(plan) for _ in range(plan.repeats)]
    at = f"at {plan.intake_rate:g} webhooks a second"
    return [
        Figure(
            f"acknowledged from {plan.connections} connections",
            [rate for rate, _ in found],
            "/s",
            ACKNOWLEDGED,
            at_least=True,
        ),
        Figure(f"acknowledgement {at}, median", [cuts[49] for _, cuts in found], "ms"),
        Figure(f"acknowledgement {at}, 99th percentile", [cuts[98] for _, cuts in found], "ms", SLOWEST),
    ]


async def _intake(plan: Plan) -> tuple[float, list[float]]:
    """Acknowledgements a second, and how long one takes at a steady pace: cuts in milliseconds."""
    async with _busy(plan) as one:
        _, took = await post_paced(one.process.address, one.webhooks(plan.paced_intake), plan.intake_rate)
        async with connected(one.process.address, plan.connections) as senders:
            seconds = await post_all(senders, one.webhooks(plan.intake))
        return plan.intake / seconds, quantiles((one_took * 1e3 for one_took in took), n=100)


@asynccontextmanager
async def _busy(plan: Plan) -> AsyncIterator[Trial]:
    """A server whose worker waits for answers."""
    async with trial(plan) as one:
        one.receiver.holds = True
        one.receiver.forget()
        async with connected(one.process.address, plan.connections) as senders:
            await post_all(senders, one.webhooks(PARALLEL))
        await one.receiver.wait_for_calls(PARALLEL, PATIENCE)
        yield one
        one.process.process.kill()  # it would wait for the answers
