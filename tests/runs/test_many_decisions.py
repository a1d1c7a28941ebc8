"""A run with steps of all kinds, in which calls fail at random, and people decide at random, until it succeeds."""

import asyncio
from collections import defaultdict
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from runs.deciding import cancel, go_on, person, resolve, retry

from connector import engines
from connector.errors import NetworkError, NotFoundError
from connector.runs.decisions import cancels
from connector.runs.decisions.doubts import find_doubts
from connector.runs.decisions.interventions import RefusedError
from connector.runs.effects import acts_once
from connector.runs.journal import Journal
from connector.runs.store import Store

ORDER = """
flow: order
inputs: {name: {type: str}}
steps:
  - id: kind
    switch:
      on: inputs.name
      cases: {a: [{id: first, uses: test.say, with: {text: "${{ inputs.name }}"}}]}
      default: [{id: other, uses: test.put, with: {text: "${{ inputs.name }}"}}]
  - {id: tell, uses: test.say, with: {text: "tell ${{ inputs.name }}"}}
on_error:
  - {id: sorry, uses: test.say, with: {text: "sorry ${{ inputs.name }}"}}
  - {id: note, uses: test.put, with: {text: "${{ error.message }}"}}
outputs: {said: "${{ steps.tell.text }}"}
"""
STEPS = """
- {id: begin, uses: test.put, with: {text: begin}}
- {id: each, for_each: "['x', 'y', 'z']", uses: test.say, max_parallel: 2, with: {text: "${{ item }}"}}
- {id: orders, for_each: "['a', 'b']", uses: flow.order, max_parallel: 2, with: {name: "${{ item }}"}}
- id: ask
  approve: {title: Go on?, timeout: 1h, on_timeout: approve, notify: [{id: asked, uses: test.say, with: {text: ask}}]}
- {id: reply, wait_for: {uses: test.ping, match: "false", timeout: 1h}}
- {id: end, uses: test.say, with: {text: end}}
"""
ON_ERROR = "on_error:\n  - {id: alarm, uses: test.say, with: {text: alarm}}\n"
OUTPUTS = "outputs: {each: '${{ steps.each.map(one, one?.text) }}', orders: '${{ steps.orders }}'}\n"


class Chance:
    """How each call ends. `told` are the outcomes of each place that speaks, by idempotency key."""

    def __init__(self, bench: Any, seed: int) -> None:
        self.bench, self.random = bench, Random(seed)  # noqa: S311 - a failing seed must fail again
        self.told: dict[str, list[str]] = defaultdict(list)
        self.calm = False
        self.run_id = ""
        bench.answers = {name: [self.call] * 10_000 for name in ("say", "put")}

    async def call(self) -> None:
        name, _, key = self.bench.calls[-1]
        draw = self.random.random() + (1 if self.calm else 0)
        outcome = "gone" if draw < 0.15 else "cut" if draw < 0.3 else "done"
        if name == "say":
            self.told[key].append(outcome)
        if 0.3 < draw < 0.35:
            await self.ask_to_cancel()
        if outcome == "gone":
            raise NotFoundError("gone")
        if outcome == "cut":
            raise NetworkError("cut", processed="unknown", transient=True)

    async def ask_to_cancel(self) -> None:
        store = Store(self.bench.database)
        try:
            await store.write(cancels.cancel, self.run_id, person(self.bench))
        finally:
            store.close()


def decide(bench: Any, chance: Chance, run: Any) -> None:
    """Until the run is queued again."""
    steps = engines.read(bench.database, lambda connection: Journal(connection).steps(run.id))
    doubts = find_doubts(steps, acts_once(bench.adapter()))
    if run.status == "held" and chance.random.random() < 0.2:
        cancel(bench, run)
    for doubt in doubts:
        with pytest.raises(RefusedError):
            retry(bench, run)
        done = chance.random.random() < 0.5
        resolve(bench, run, doubt.id, {"text": "late"} if done else None, done=done)
        chance.told[f"{run.id}:{doubt.id}"].append("resolved" if done else "asked for again")
    if not doubts or engines.read(bench.database, lambda c: Journal(c).run(run.id)).status == "cancelled":
        retry(bench, run)


def play(bench: Any, seed: int) -> Chance:
    """A run that succeeds in the end."""
    chance = Chance(bench, seed)
    flow = bench.flow(STEPS, ON_ERROR + OUTPUTS, beside=[ORDER])

    async def begin() -> Any:
        async with bench.working(flow) as (store, intake, worker):
            chance.run_id = (await intake.accept(bench.delivery())).starts[0].run_id
            return (await bench.finish(store, worker, chance.run_id))[0]

    run = asyncio.run(begin())
    for turn in range(60):
        if run.status == "succeeded":
            break
        chance.calm = turn > 20
        decide(bench, chance, run)
        run, _ = go_on(bench, run)
    assert run.status == "succeeded", (seed, run)
    assert run.outputs == {"each": ["late"] * 3, "orders": [{"said": "late"}] * 2}, seed
    return chance


def check(chance: Chance, seed: int) -> None:
    """Nobody was told twice, and all that had to be said was said."""
    for key, outcomes in chance.told.items():
        for one, following in pairwise(outcomes):
            assert one not in ("done", "resolved"), (seed, key, outcomes)
            assert one != "cut" or following in ("resolved", "asked for again"), (seed, key, outcomes)
    said = {key.partition(":")[2]: outcomes[-1] for key, outcomes in chance.told.items()}
    places = [*(f"each[{index}]" for index in range(3)), "orders[0]/first", "orders[0]/tell", "orders[1]/tell", "asked"]
    assert {said.get(place) for place in (*places, "end")} <= {"done", "resolved"}, (seed, said)


@pytest.mark.parametrize("seed", range(8))
def test_run_succeeds_by_decisions_and_nobody_is_told_twice(bench, seed):
    check(play(bench, seed), seed)


@pytest.mark.torture
@pytest.mark.parametrize("hundred", range(5))
def test_many_runs_succeed_by_decisions_and_nobody_is_told_twice(bench, hundred):
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        check(play(bench, seed), seed)
