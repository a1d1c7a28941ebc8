"""A flow that checks clean does not fail for a name, a type or a missing input.

Flows with steps of all kinds are grown at random, and run by the real interpreter, with outputs made from the
declared types. A failing seed is in the message.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from flows.made_flows import Gardener
from flows.worlds import MakeValue, Models, World

from connector.adapter import Adapter
from connector.flows.calls import NoFlow
from connector.flows.check import check
from connector.flows.flow import Call, Flow
from connector.runs.frames import action_of
from connector.runs.store import Store

# Reasons that lie in a value, not in its type.
ALLOWED = ("has no value", "is longer than", "no time of the calendar", "too much to read", "at most 1000 items")


@pytest.fixture
def world(tmp_path: Path, models: Models, effects: Mapping[str, str], make_value: MakeValue) -> World:
    return World(tmp_path, models, effects, make_value)


def grow(random: Random, adapter: Adapter) -> tuple[Flow, list[str]]:
    """A flow, and the texts of it and of those that it calls."""
    flows: dict[str, Flow] = {}
    texts = []

    def check_text(text: str) -> Flow | None:
        return check(text, "f.yaml", adapter.catalogue, lambda name: flows.get(name, NoFlow("none", ""))).flow

    for name, steps, is_called in (("b", 6, True), ("c", 6, True), ("a", 24, False)):
        texts.append(Gardener(random, check_text, name, [*flows], is_called=is_called).grow(steps))
        flow = check_text(texts[-1])
        assert flow is not None, texts[-1]
        flows[name] = flow
    return flows["a"], texts


async def try_flow(seed: int, world: World, adapter: Adapter, store: Store) -> Counter[str]:
    """Runs the flow of this seed several times; how many steps of each kind it has."""
    world.random = Random(seed)  # noqa: S311 - a failing seed must fail again
    flow, texts = grow(world.random, adapter)
    shown = "\n---\n".join(texts)
    for _ in range(5):
        try:
            failures = await world.run(flow, adapter, store)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}\n{shown}") from error
        for failure in failures:
            refused = failure.kind in ("expression", "input", "settings")
            assert not refused or any(reason in failure.message for reason in ALLOWED), (
                f"seed {seed}: {failure}\n{shown}"
            )
    kinds = Counter(action_of(step.does).partition(".")[0] for _, step in flow.all_steps())
    return kinds + Counter(for_each=sum(isinstance(s.does, Call) and s.does.each is not None for s in flow.walk()))


def try_flows(seeds: range, world: World) -> Counter[str]:
    async def work() -> Counter[str]:
        store = Store(world.folder / "runs.sqlite")
        try:
            async with world.adapter() as adapter:
                return sum([await try_flow(seed, world, adapter, store) for seed in seeds], Counter[Any]())
        finally:
            store.close()

    return asyncio.run(work())


def test_random_flows_that_check_run(world: World) -> None:
    kinds = try_flows(range(12), world)
    assert all(kinds[kind] > 2 for kind in ("crm", "flow", "for_each", "wait", "approve", "switch", "stop")), kinds


@pytest.mark.torture
@pytest.mark.parametrize("thousand", [1, 2, 3])
def test_many_random_flows_that_check_run(thousand: int, world: World) -> None:
    assert try_flows(range(1_000 * thousand, 1_000 * (thousand + 1)), world).total() > 5_000
