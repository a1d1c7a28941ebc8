"""The server is killed at any moment while many deliveries come and many runs are under way."""

import random
import time

import httpx
import pytest
from crash.flows import CASES
from crash.load import Load
from crash.world import World

_DISTURBED = 3
"""Attempts that the faults of this test cost a step at most, nearly always."""


_AT_ONCE = 50
"""Kills of one load: what is seen at each is kept until all is looked at."""


def kill_under_load(world: World, kills: int, seed: str) -> Load:
    """All deliveries are acknowledged in the end, and all that can go on has ended."""
    chance = random.Random(seed)  # noqa: S311 - when to kill
    world.serve(*CASES)
    world.begin()
    with Load(world, CASES, seed, per_second=20) as load:
        for _ in range(kills):
            time.sleep(chance.uniform(0, 0.8))
            if chance.random() < 0.1:
                fault = {"action": "v1-message", "status": 429}
                httpx.post(f"{world.sandbox.control_url}/faults", json=fault).raise_for_status()
            assert world.child
            world.child.kill()
            world.go_on()
    load.finish()
    return load


@pytest.mark.parametrize(
    ("kills", "seed"),
    [pytest.param(6, "sample", id="sample"), pytest.param(1_000, "all", id="all", marks=pytest.mark.torture)],
)
def test_runs_go_on_whenever_the_server_is_killed(world, kills, seed):
    for begun in range(0, kills, _AT_ONCE):
        load = kill_under_load(world, min(kills - begun, _AT_ONCE), f"{seed} {begun}")
        runs = load.require(_DISTURBED, knows_doubts=True).runs
        held = sum(row["status"] == "held" for row in runs.values())
        print(f"{len(load.told)} deliveries, {load.answers}, {len(runs)} runs, {held} held")
