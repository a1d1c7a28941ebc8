"""Connections are cut at six points: a message comes to its visitor at most once, and what is certain is repeated.

Flows, executor, store, HTTP engines and sandbox are the real ones; the sandbox keeps a log of what it was made to do.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import pytest
import uvloop
from faults.proxy import Cut, Point

from connector.transport import Engine

Kind = Literal["once", "idempotent", "read"]

CALLS: dict[Kind, str] = {
    "once": """
    uses: chatforge.inject_message
    with:
      agent_id: ${{ inputs.agent }}
      conversation_id: ${{ inputs.conversation }}
      content: ${{ inputs.text }}
""",
    "idempotent": """
    uses: chatforge.update_agent
    with: {agent_id: "${{ inputs.agent }}", name: "${{ inputs.text }}"}
""",
    "read": """
    uses: chatforge.get_agent
    with: {agent_id: "${{ inputs.agent }}"}
""",
}
INPUTS = "inputs: {agent: {type: str}, conversation: {type: str}, text: {type: str}}\n"
RESTED = """
  - id: look
    uses: chatforge.get_agent
    with: {agent_id: "${{ inputs.agent }}"}
  - id: rest
    wait: 1s
"""
ACT = """
  - id: act
    retry: {delay: 1s, max_attempts: 3}"""
FACTS: dict[Point, tuple[Literal["no", "unknown"], int]] = {
    "connect": ("no", 0),
    "accept": ("unknown", 0),
    "request": ("unknown", 0),
    "forwarded": ("unknown", 1),
    "head": ("unknown", 1),
    "body": ("unknown", 1),
}
"""What is to be known of the request after a cut, and how often the sandbox has carried it out by then."""
AFTER_THE_EFFECT: list[Point] = ["forwarded", "head", "body"]
LONG = 300_000
"""Characters that do not fit into the buffers of a connection, so that a cut may meet whoever is still writing."""


@dataclass(frozen=True)
class Case:
    kind: Kind
    kept: bool
    cut: Cut
    is_long: bool = False

    def expect(self) -> tuple[str, int, int]:
        """The status of the run, the attempts of its step, and how often the sandbox has done it in the end."""
        processed, done = FACTS[self.cut.point]
        if processed == "no":
            return "succeeded", 2, int(self.kind != "read")
        if self.kind == "once":
            return "held", 1, done
        if self.kind == "idempotent":
            return "succeeded", 2, done + 1
        # A read that met a closing connection is sent again at once, within its attempt.
        return "succeeded", 1 if self.kept and self.cut.point != "body" else 2, 0


def each_case() -> Iterator[Case]:
    for kind, kept, point, reset in product(CALLS, (False, True), FACTS, (False, True)):
        yield Case(kind, kept, Cut(point, reset))


def random_cut(chance: random.Random, point: Point) -> Cut:
    return Cut(point, chance.random() < 0.5, chance.random())


def random_case(chance: random.Random, point: Point) -> Case:
    [kind] = chance.choices(list(CALLS), [3, 1, 1])
    return Case(kind, chance.random() < 0.5, random_cut(chance, point), chance.random() < 0.2)


async def run_each(sites: Any, engine: Engine, cases: Iterable[Case]) -> set[str]:
    """One run after the other; those that must be held."""
    flows = {kind: sites.flow(f"flow: {kind}\n{INPUTS}steps:{RESTED}{ACT}{call}") for kind, call in CALLS.items()}
    conversation_id, held = sites.converse(), set()
    async with sites.open(engine) as site:
        for number, case in enumerate(cases):
            text = f"message {number}".ljust(LONG if case.is_long else 0, ".")
            run_id = await site.start(flows[case.kind], text, conversation_id)
            run = await site.finish(run_id, moves(site.proxy, case))
            attempts = site.attempts(run_id, "act")
            assert (run.status, len(attempts), site.copies(text)) == case.expect(), (case, run.error, attempts)
            if case.cut.point != "connect":
                done = site.proxy.done.pop()
                assert (done.cut, done.kept) == (case.cut, case.kept), case
            if run.status == "held":
                held.add(run_id)
            assert not site.proxy.plan
            assert not site.proxy.done
    return held


def moves(proxy: Any, case: Case) -> Callable[[float], Awaitable[None]]:
    """What is done while the run rests, before the request that is to be cut, and before another attempt."""
    rested = False

    async def move(_seconds: float) -> None:
        nonlocal rested
        if rested:
            await proxy.listen()
            return
        rested = True
        if not case.kept:
            await proxy.close_kept(reset=False)
        if case.cut.point == "connect":
            await proxy.refuse()
            await proxy.close_kept(reset=case.cut.reset)
        else:
            proxy.plan.append(case.cut)

    return move


def work(loop: str, task: Coroutine[Any, Any, set[str]]) -> set[str]:
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(task)


engines = pytest.mark.parametrize(
    ("engine", "loop"),
    [("aiohttp", "asyncio"), ("aiohttp", "uvloop"), ("httpx", "asyncio"), ("httpx", "uvloop")],
    ids=lambda name: name,
)


@engines
def test_cut_at_each_point_is_held_where_in_doubt_and_repeated_where_certain(sites, engine, loop):
    chance = random.Random(engine + loop)  # noqa: S311 - where to cut
    cases = [*each_case(), *(random_case(chance, point) for point in FACTS for _ in range(3))]
    assert len(cases) == 90
    assert work(loop, run_each(sites, engine, cases)) == sites.held()


@pytest.mark.torture
@pytest.mark.parametrize("point", FACTS)
@pytest.mark.parametrize(("engine", "loop"), [("aiohttp", "uvloop"), ("httpx", "asyncio")])
def test_five_hundred_runs_cut_at_each_point_send_no_message_twice(sites, engine, loop, point):
    chance = random.Random(f"{engine} {point}")  # noqa: S311 - where to cut
    cases = [random_case(chance, point) for _ in range(500)]
    held = work(loop, run_each(sites, engine, cases))
    assert held == sites.held()
    print(f"{engine}, {point}: {len(cases)} runs, {len(held)} held")


async def run_at_once(sites: Any, engine: Engine, number: int, seed: int) -> set[str]:
    """All at the same time, over connections of which many are cut; those that are held."""
    chance = random.Random(seed)  # noqa: S311 - where to cut
    points = [point for point in FACTS if point != "connect"]
    flow, conversation_id = sites.flow(f"flow: many\n{INPUTS}steps:{ACT}{CALLS['once']}"), sites.converse()
    async with sites.open(engine, parallel=20) as site:
        site.proxy.plan.extend(
            random_cut(chance, chance.choice(points)) if chance.random() < 0.3 else None for _ in range(number)
        )
        runs = {await site.start(flow, f"many {one}", conversation_id): f"many {one}" for one in range(number)}
        await site.worker.finish(list(runs))
        ended = {run_id: site.run(run_id) for run_id in runs}
        held = {run_id for run_id, run in ended.items() if run.status == "held"}
        assert {run.status for run in ended.values()} <= {"held", "succeeded"}
        assert all(site.copies(text) == 1 for run_id, text in runs.items() if run_id not in held)
        assert all(site.copies(runs[run_id]) <= 1 for run_id in held)
        assert sum(site.copies(runs[run_id]) for run_id in held) == site.proxy.count(AFTER_THE_EFFECT)
        assert len(held) == len(site.proxy.done) > number / 10
        assert not site.proxy.plan
        assert {done.kept for done in site.proxy.done} == {False, True}
    return held


@engines
@pytest.mark.parametrize(
    ("number", "seed"), [(80, 1), *(pytest.param(500, seed, marks=pytest.mark.torture) for seed in range(2, 6))]
)
def test_cuts_among_runs_at_the_same_time_hold_those_that_they_met(sites, engine, loop, number, seed):
    assert work(loop, run_at_once(sites, engine, number, seed)) == sites.held()
