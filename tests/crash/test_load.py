"""The server is killed at any moment while many deliveries come and many runs are under way."""

import random
import time

import httpx
import pytest
from crash.checker import Checker
from crash.flows import CASES
from crash.journal import count_notes
from crash.load import Load
from crash.world import World

_DISTURBED = 3
"""Attempts that the faults of this test cost a step at most, nearly always."""


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
    load = kill_under_load(world, kills, seed)
    after = world.look_at_all()
    notes = count_notes(world.folder / "contacts.sqlite")
    assert not [*Checker(load.told, world.deaths, after, notes, _DISTURBED).faults_before_decisions()]
    held = [row for row in after.runs.values() if row["status"] == "held"]
    while any(row["status"] == "held" for row in after.runs.values()):
        world.resolve(after)
        load.finish()
        after = world.look_at_all()
    assert not [*Checker(load.told, world.deaths, after, notes).faults_after_decisions()]
    print(f"{len(load.told)} deliveries, {load.answers}, {kills} kills, {len(after.runs)} runs, {len(held)} held")
