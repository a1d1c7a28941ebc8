"""P1, P2 and P3: no lead is lost or starts a flow twice, history is not replayed, a rested list costs one request."""

from pathlib import Path

import pytest
from simulator.simulate import simulate
from simulator.world import ORDERS, Order

_FAILED = Path(__file__).with_name("failing_seeds.txt")
"""`ORDER SEED`, a line for each world that failed once."""
_SAMPLE = 15
_TORTURE = 1_000
_SHARES = 20


def _failed_once() -> list[tuple[Order, int]]:
    lines = [line.split() for line in _FAILED.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [(order, int(seed)) for order, seed in lines]


def _problems(order: Order, seeds: range) -> dict[str, list[str]]:
    """By the world that failed: `ORDER SEED`, as a line of the file of those that failed."""
    found = {f"{order} {seed}": simulate(seed, order).verdict.problems for seed in seeds}
    return {name: problems for name, problems in found.items() if problems}


@pytest.mark.parametrize("order", ORDERS)
def test_world_of_each_order_gives_every_lead_once(order: Order) -> None:
    assert _problems(order, range(_SAMPLE)) == {}


@pytest.mark.parametrize(("order", "seed"), _failed_once())
def test_world_that_failed_once_gives_every_lead_once(order: Order, seed: int) -> None:
    assert simulate(seed, order).verdict.problems == []


@pytest.mark.torture
@pytest.mark.parametrize("share", range(_SHARES))
@pytest.mark.parametrize("order", ORDERS)
def test_thousand_worlds_of_each_order_give_every_lead_once(order: Order, share: int) -> None:
    many = _TORTURE // _SHARES
    assert _problems(order, range(share * many, (share + 1) * many)) == {}
