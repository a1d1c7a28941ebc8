"""How long it takes from a webhook to the second call of its run, when the server is not busy."""

from statistics import quantiles

from bench.figures import Figure
from bench.load import post_paced
from bench.plan import Plan
from bench.trial import PATIENCE, trial

MEDIAN, SLOWEST = 10, 40  # milliseconds


async def measure(plan: Plan) -> list[Figure]:
    found = [await _latencies(plan) for _ in range(plan.repeats)]
    what = f"webhook to second call, {plan.latency_rate:g} webhooks a second"
    return [
        Figure(f"{what}, median", [cuts[49] for cuts in found], "ms", MEDIAN),
        Figure(f"{what}, 99th percentile", [cuts[98] for cuts in found], "ms", SLOWEST),
    ]


async def _latencies(plan: Plan) -> list[float]:
    """The 99 cuts between the hundredths, in milliseconds."""
    async with trial(plan) as one:
        requests = one.webhooks(plan.latency_runs)
        one.receiver.forget()
        due, _ = await post_paced(one.process.address, requests, plan.latency_rate)
        await one.receiver.wait_for_runs(plan.latency_runs, PATIENCE)
        arrived = [one.receiver.arrived[number] for number in sorted(one.receiver.arrived)]
        await one.settle()
        return quantiles(((after - before) * 1e3 for before, after in zip(due, arrived, strict=True)), n=100)
