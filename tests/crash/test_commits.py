"""The server dies before or after a commit; the next one goes on, and the sandbox tells what was done how often."""

import random
from collections import Counter

import pytest
from crash.checker import Checker
from crash.flows import CASES, Case
from crash.journal import Picture, count_notes
from crash.server import MOMENTS, Moment
from crash.world import Told, World


def run(world: World, case: Case, commits: int = 0, moment: Moment = MOMENTS[0]) -> bool:
    """Let the flow run, and its server die at that commit; whether it has come so far."""
    world.begin()
    child = world.serve(case)
    world.order_faults(case.faults)
    told = world.tell(case)
    child.fuse.set(commits, moment)
    for one in told:
        world.deliver(one.body)
    after = world.settle()
    child.fuse.set(0)
    assert {world.deliver(one.body) for one in told} == {200}
    require(world, told, after)
    return bool(world.deaths)


def require(world: World, told: list[Told], after: Picture) -> None:
    notes = count_notes(world.folder / "contacts.sqlite")
    checker = Checker(told, world.deaths, after, notes)
    assert not [*checker.faults_before_decisions()]
    while any(row["status"] == "held" for row in after.runs.values()):
        world.resolve(after)
        after = world.settle()
    assert not [*Checker(told, world.deaths, after, notes).faults_after_decisions()]


def test_flows_run_when_nobody_dies(world):
    for case in CASES:
        assert not run(world, case)


@pytest.mark.parametrize("seed", [1])
def test_run_goes_on_after_a_death_at_some_commits(world, seed):
    chance, deaths = random.Random(f"{seed}"), Counter[str]()  # noqa: S311 - where to die
    while deaths.total() < 10:
        case, commits, moment = chance.choice(CASES), chance.randrange(1, 12), chance.choice(MOMENTS)
        print(f"seed {seed}, death {deaths.total()}: {case.name}, {moment} {commits}")
        deaths[case.name] += run(world, case, commits, moment)


@pytest.mark.torture
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_run_goes_on_after_a_death_at_any_commit(world, case):
    deaths = 0
    for moment in MOMENTS:
        commits = 1
        while run(world, case, commits, moment):
            commits += 1
            deaths += 1
    print(f"{case.name}: {deaths} deaths")
