"""The server dies before or after a commit; the next one goes on, and the sandbox tells what was done how often."""

import random
from collections.abc import Sequence

import pytest
from crash.checker import Checker
from crash.flows import BY_NAME, CASES, Case
from crash.journal import Picture, count_notes
from crash.server import MOMENTS, Moment
from crash.world import Told, World

Death = tuple[int, Moment]


def run(world: World, case: Case, *deaths: Death) -> int:
    """Run the flow. Its server dies at the first of these commits, the next ones at theirs; how many did."""
    world.begin()
    child = world.serve(case)
    world.order_faults(case.faults)
    told = world.tell(case)
    world.plan = [*deaths[1:]]
    child.fuse.set(*deaths[0])
    for one in told:
        world.deliver(one.body)
    after = world.settle()
    world.plan = []
    world.fuse.set(0)
    assert {world.deliver(one.body) for one in told} == {200}
    require(world, told, after)
    return len(world.deaths)


def require(world: World, told: Sequence[Told], after: Picture) -> None:
    """What must be true, before and after people have said what became of the messages."""
    notes = count_notes(world.contacts)
    assert not [*Checker(told, world.deaths, after, notes).faults_before_decisions()]
    while any(row["status"] == "held" for row in after.runs.values()):
        world.resolve(after)
        after = world.settle()
    assert not [*Checker(told, world.deaths, after, notes).faults_after_decisions()]


def test_flows_do_as_they_say_where_nobody_dies(world):
    world.order_faults(BY_NAME["refused"].faults)
    world.serve(*CASES)
    world.begin()
    told = [one for case in CASES for one in world.tell(case)]
    for one in told:
        world.deliver(one.body)
    after = world.settle()
    assert not world.sandbox.faults.waiting
    assert not world.deaths
    assert not [row for row in after.runs.values() if row["status"] == "held"]
    notes = count_notes(world.contacts)
    assert not [*Checker(told, [], after, notes, disturbed=2).faults_before_decisions()]


def random_death(chance: random.Random, most: int) -> Death:
    return chance.randrange(1, most), chance.choice(MOMENTS)


@pytest.mark.parametrize(
    ("number", "seed"), [(10, "sample"), pytest.param(300, "many", marks=pytest.mark.torture)], ids=["sample", "many"]
)
def test_run_goes_on_after_deaths_at_some_commits(world, number, seed):
    chance, died = random.Random(seed), 0  # noqa: S311 - where to die
    while died < number:
        case, deaths = chance.choice(CASES), [random_death(chance, 12)]
        if chance.random() < 0.3:
            deaths += [random_death(chance, 8), random_death(chance, 4)]
        print(f"{case.name}: {deaths}")
        died += run(world, case, *deaths)


@pytest.mark.torture
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_run_goes_on_after_a_death_at_any_commit(world, case):
    deaths = 0
    for moment in MOMENTS:
        commits = 1
        while run(world, case, (commits, moment)):
            commits += 1
        deaths += commits - 1
    print(f"{case.name}: {deaths} deaths")
