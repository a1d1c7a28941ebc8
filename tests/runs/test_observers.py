"""Who is told how runs go on gets each attempt once, with how it ended, and cannot fail a run."""

import asyncio
from typing import Any

from connector.errors import ServerError
from connector.runs.observers import Attempted, Ended
from connector.runs.records import Run
from connector.runs.worker import Worker

BUSY = ServerError("busy", processed="no", transient=True)


class Heard:
    def __init__(self) -> None:
        self.attempts: list[tuple[Any, ...]] = []
        self.ends: list[tuple[Any, ...]] = []

    def step_changed(self, attempt: Attempted) -> None:
        assert attempt.started_at <= attempt.ended_at
        self.attempts.append((attempt.step, attempt.number, attempt.status, attempt.error, attempt.sent_at is not None))

    def run_changed(self, ended: Ended) -> None:
        self.ends.append((ended.status, ended.error))


class Broken:
    def step_changed(self, _attempt: Attempted) -> None:
        raise ValueError("broken")

    def run_changed(self, _ended: Ended) -> None:
        raise ValueError("broken")


def observe(bench, flow, *observers, hangs: asyncio.Event | None = None) -> Run:
    """Run the flow; once a call `hangs`, its process ends, and another one goes on."""

    async def work() -> Run:
        async with bench.working(flow) as (store, intake, _):
            worker = Worker(bench.adapter(), store, bench.clock, observers=observers, jitter=lambda: 0.0)
            run_id = (await intake.accept(bench.delivery())).starts[0].run_id
            if hangs is not None:
                working = asyncio.create_task(worker.work())
                await hangs.wait()
                tasks = asyncio.all_tasks() - {asyncio.current_task()}
                for task in tasks:
                    task.cancel()
                await asyncio.gather(working, *tasks, return_exceptions=True)
                worker = Worker(bench.adapter(), store, bench.clock, observers=observers)
            run: Run = (await bench.finish(store, worker, run_id))[0]
            return run

    return asyncio.run(work())


def test_each_attempt_is_told_with_how_it_ended(bench):
    bench.answers["put"] = [BUSY, "done"]
    heard = Heard()
    flow = bench.flow(
        """
        - {id: nap, wait: 1m}
        - {id: keep, uses: test.put}
        - {id: left, if: "1 > 2", uses: test.put}
        - {id: all, for_each: "['a']", uses: test.look}
        """
    )
    observe(bench, flow, heard)
    assert heard.attempts == [
        ("keep", 1, "waiting", "server", True),
        ("keep", 2, "succeeded", None, True),
        ("all[0]", 1, "succeeded", None, True),
    ]
    assert heard.ends == [("succeeded", None)]


def test_call_that_was_cut_off_is_told_by_the_next_process(bench):
    hangs = asyncio.Event()

    async def hang() -> None:
        hangs.set()
        await asyncio.sleep(60)

    bench.answers["say"] = [hang]
    heard = Heard()
    observe(bench, bench.flow("- {id: greet, uses: test.say}"), heard, hangs=hangs)
    assert heard.attempts == [("greet", 1, "held", "ambiguous", False)]
    assert heard.ends == [("held", "ambiguous")]


def test_observer_with_a_fault_fails_no_run_and_keeps_nothing_from_others(bench):
    heard = Heard()
    run = observe(bench, bench.flow("- {id: keep, uses: test.put}"), Broken(), heard)
    assert run.status == "succeeded"
    assert len(heard.attempts) == len(heard.ends) == 1
