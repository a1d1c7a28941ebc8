"""Decides about runs of a bench as a person does, and lets them go on in another process."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from runs.driving import at_work, until_status

from connector import engines
from connector.adapter import Delivery
from connector.declare import Event
from connector.flows.flow import Flow
from connector.runs import revisions
from connector.runs.decisions import cancels, interventions, resolutions, retries
from connector.runs.decisions.interventions import Intervention, Person
from connector.runs.decisions.resolutions import Resolution, Resolved
from connector.runs.decisions.retries import Retry
from connector.runs.effects import acts_once
from connector.runs.records import Run, Step
from connector.runs.store import Store

Outcome = tuple[Run, dict[str, Step]]


def decide(bench: Any, work: Callable[..., Any], *args: Any) -> Any:
    """One transaction."""

    async def write() -> Any:
        store = Store(bench.database)
        try:
            return await store.write(work, *args)
        finally:
            store.close()

    return asyncio.run(write())


def person(bench: Any) -> Person:
    return Person("Ann", bench.now, "she knows")


def load_flow(bench: Any, run: Run) -> Flow:
    flow = engines.read(
        bench.database, lambda connection: revisions.load(connection, run.revision, bench.adapter().catalogue)
    )
    assert isinstance(flow, Flow), flow
    return flow


def retry(bench: Any, run: Run, *repeats: str, flow: Flow | None = None) -> None:
    wanted = Retry(flow or load_flow(bench, run), person(bench), repeats)
    adapter = bench.adapter()
    decide(bench, retries.retry, run.id, wanted, adapter.catalogue, acts_once(adapter))


def resolve(bench: Any, run: Run, step: str, output: Any = None, *, done: bool) -> Resolved:
    adapter, wanted = bench.adapter(), Resolution(step, done, person(bench), output)
    resolved: Resolved = decide(bench, resolutions.resolve, run.id, wanted, adapter.catalogue, acts_once(adapter))
    return resolved


def cancel(bench: Any, run: Run) -> str:
    status: str = decide(bench, cancels.cancel, run.id, person(bench))
    return status


def go_on(bench: Any, run: Run) -> Outcome:
    """Until its end; time passes only while it waits."""

    async def work() -> Outcome:
        async with bench.working() as (store, _, worker):
            outcome: Outcome = await bench.finish(store, worker, run.id)
            return outcome

    return asyncio.run(work())


def interventions_of(bench: Any, run: Run) -> list[Intervention]:
    return engines.read(bench.database, lambda connection: interventions.load(connection, run.id))


def texts(bench: Any, action: str) -> list[str]:
    """What the action was called with."""
    return [text for name, text, _ in bench.calls if name == action]


def run_until(bench: Any, flow: Flow, *statuses: str, **payload: Any) -> Run:
    """Start the flow in a process that ends once its run has one of the statuses."""

    async def work() -> Run:
        async with bench.working(flow) as (store, intake, worker):
            run_id = (await intake.accept(bench.delivery(**payload))).starts[0].run_id
            async with at_work(worker):
                return await until_status(store, run_id, *statuses)

    return asyncio.run(work())


def run_on(bench: Any, run: Run, *statuses: str) -> Run:
    """Work until the run has one of the statuses."""

    async def work() -> Run:
        async with bench.working() as (store, _, worker), at_work(worker):
            return await until_status(store, run.id, *statuses)

    return asyncio.run(work())


def tell(bench: Any, **payload: Any) -> None:
    """An event comes that starts nothing."""
    bench.received += 1
    told = Event("ping", f"told-{bench.received}", None, {"at": bench.now.isoformat(), **payload}, "poll")

    async def accept() -> None:
        async with bench.working() as (_, intake, _worker):
            await intake.accept(Delivery("test", "default", told, json.dumps(told.payload), bench.now))

    asyncio.run(accept())
