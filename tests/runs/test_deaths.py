"""The process dies at each write of the journal in turn; the next one goes on, and nobody is told anything twice."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from runs.driving import at_work

from connector.adapter import Delivery
from connector.declare import Event
from connector.errors import StoreError
from connector.runs import records
from connector.runs.decisions import answers
from connector.runs.decisions.answers import Answer
from connector.runs.intake import Intake
from connector.runs.store import Store
from connector.runs.worker import Worker
from connector.sqlite import Database

GREET = """
flow: greet
inputs: {name: {type: str}}
steps:
  - {id: rest, wait: 1m}
  - {id: say, uses: test.say, with: {text: "hello ${{ inputs.name }}"}}
outputs: {said: "${{ steps.say.text }}"}
"""
STEPS = """
- {id: first, uses: test.put, with: {text: first}}
- {id: each, for_each: "['a', 'b']", uses: test.say, with: {text: "item ${{ item }}"}}
- {id: pause, wait: 10m}
- id: route
  switch:
    on: trigger.name
    cases: {Ann: [{id: chosen, uses: test.say, with: {text: chosen}}]}
- id: ask
  approve:
    title: Go on?
    notify: [{id: tell, uses: test.say, with: {text: asked}}]
- id: reply
  wait_for: {uses: test.ping, match: event.name == 'Bob', timeout: 1d}
- {id: greet, uses: flow.greet, with: {name: "${{ steps.reply?.name ?? 'nobody' }}"}}
"""
OUTPUTS = "outputs: {said: '${{ steps.greet.said }}', by: '${{ steps.ask.by }}', items: '${{ steps.each }}'}"
ALL_SAID = ["item a", "item b", "chosen", "asked", "hello Bob"]


class Mortal:
    """A database that works until its last write, which is kept, or lost at the last moment."""

    def __init__(self, database: Database, writes: int, *, keeps_last: bool) -> None:
        self._database, self._left, self._keeps_last = database, writes, keeps_last

    def read(self, work: Callable[..., Any]) -> Any:
        return self._database.read(work)

    async def write(self, work: Callable[..., Any]) -> Any:
        self._left -= 1
        if self._left < 0 or (self._left == 0 and not self._keeps_last):
            raise StoreError("the process has died")
        done = await self._database.write(work)
        if self._left == 0:
            raise StoreError("the process has died")
        return done

    @property
    def is_dead(self) -> bool:
        return self._left <= 0

    def close(self) -> None:
        self._database.close()


class MortalStore(Store):
    def __init__(self, path: Any, writes: int, *, keeps_last: bool) -> None:
        super().__init__(path)
        self.mortal = Mortal(self._database, writes, keeps_last=keeps_last)
        self._database = self.mortal  # type: ignore[assignment]


async def live(bench: Any, store: Store, run_id: str, is_dead: Callable[[], bool]) -> None:
    """Work on the run until it has ended or the process has died; others answer and write meanwhile."""
    world = Store(bench.database)
    worker = Worker(bench.adapter(), store, bench.clock)
    others = Intake(bench.adapter(), world, [])
    try:
        async with at_work(worker), asyncio.timeout(20):
            while not is_dead():
                run = world.read(lambda journal: journal.run(run_id))
                assert run
                if run.status in records.ENDED:
                    return
                if run.status == "waiting" and run.wake_at and run.wake_at > bench.now:
                    await go_on(bench, world, others, run)
                    worker.wake()
                await asyncio.sleep(0.002)
    finally:
        world.close()


async def go_on(bench: Any, world: Store, others: Intake, run: records.Run) -> None:
    """What the run waits for comes."""
    steps = world.read(lambda journal: journal.steps(run.id))
    waiting = {step.id for step in steps.values() if step.status == "waiting"}
    bench.now += timedelta(minutes=11)
    if "ask" in waiting:
        await world.write(answers.give, run.id, "ask", Answer(True, "Cal", bench.now, {}))
    elif "reply" in waiting:
        told = Event("ping", "bob", None, {"at": bench.now.isoformat(), "name": "Bob"}, "poll")
        await others.accept(Delivery("test", "default", told, json.dumps(told.payload), bench.now))


def run_with_deaths(bench: Any, flow: Any, deaths: list[int], *, keeps_last: bool = True) -> tuple[records.Run, int]:
    """The run, whose processes die after so many writes each; and how many writes the last one made."""

    async def work() -> tuple[records.Run, int]:
        async with bench.working(flow) as (_, intake, _worker):
            run_id = (await intake.accept(bench.delivery(name="Ann"))).starts[0].run_id
        for writes in [*deaths, 1_000_000]:
            store = MortalStore(bench.database, writes, keeps_last=keeps_last)
            await live(bench, store, run_id, lambda store=store: store.mortal.is_dead)
            run = store.read(lambda journal: journal.run(run_id))
            left = store.mortal._left
            store.close()
        return run, 1_000_000 - left

    return asyncio.run(work())


def assert_nothing_twice(bench: Any, every: int, *, keeps_last: bool) -> None:
    """Let a process die at every so many writes."""
    flow = bench.flow(STEPS, OUTPUTS, beside=[GREET])
    run, writes = run_with_deaths(bench, flow, [])
    assert (run.status, said(bench)) == ("succeeded", ALL_SAID)
    held = 0
    for death in range(1, writes, every):
        bench.calls.clear()
        bench.empty()
        again, _ = run_with_deaths(bench, flow, [death], keeps_last=keeps_last)
        assert max(Counter(said(bench)).values()) == 1, death
        held += again.status == "held"
        if again.status != "held":
            assert (again.status, said(bench), again.outputs) == ("succeeded", ALL_SAID, run.outputs), death
    assert held > 0 or every > 1


@pytest.mark.parametrize("keeps_last", [True, False], ids=["kept", "lost"])
def test_run_goes_on_after_a_death_at_a_write_and_says_nothing_twice(bench, keeps_last):
    assert_nothing_twice(bench, 3, keeps_last=keeps_last)


@pytest.mark.torture
@pytest.mark.parametrize("keeps_last", [True, False], ids=["kept", "lost"])
def test_run_goes_on_after_a_death_at_any_write_and_says_nothing_twice(bench, keeps_last):
    assert_nothing_twice(bench, 1, keeps_last=keeps_last)


def said(bench: Any) -> list[str]:
    """The texts that act once."""
    return [text for name, text, _ in bench.calls if name == "say"]
