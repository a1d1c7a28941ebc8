"""Runs a flow on a database of its own that is then thrown away, with pins for whatever acts; no time is waited."""

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from connector.adapter import Adapter
from connector.database import Connection
from connector.errors import StoreError
from connector.flows.flow import Flow
from connector.runs import claims, events, records
from connector.runs.events import BY_HAND, Decision, NewEvent
from connector.runs.interpreter import Interpreter
from connector.runs.journal import Journal
from connector.runs.pins import EVERY, Pin, Pins
from connector.runs.store import Store

UNPINNED = "unpinned"
"""The kind of the error of a step that would act, and has no pin."""
_silent = logging.getLogger(__name__)  # it has no run that somebody could look at
_silent.disabled = True
_TICK = timedelta(microseconds=1)  # the journal orders steps by when they began


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rehearsal ended. Without a run, `reason` says why none started."""

    run: records.Run | None
    steps: Mapping[str, records.Step]
    reason: str | None = None


async def rehearse(adapter: Adapter, flow: Flow, decision: Decision, pins: Pins, now: datetime) -> Outcome:
    """What the flow makes of what `decision` starts it with. `now` is when; waits move it on.

    No action is called and no event or answer awaited: each takes its pin, or fails with the kind `unpinned`.
    """
    closed = {EVERY: Pin(kind=UNPINNED, message="it has no pin, and nothing is called here"), **pins}
    with tempfile.TemporaryDirectory(prefix="chatforge-") as folder:
        store = Store(Path(folder) / "rehearsal.sqlite")
        try:
            return await _run(adapter, store, flow, replace(decision, pins=closed), now)
        finally:
            store.close()


async def _run(adapter: Adapter, store: Store, flow: Flow, decision: Decision, now: datetime) -> Outcome:
    new = NewEvent("rehearsal", flow.name, BY_HAND, "rehearsal", now, now, "{}", "manual")
    [start] = (await store.write(events.add_event, new, [decision])).starts
    if start.run_id is None:
        return Outcome(None, {}, start.reason)
    clock = now

    def tick() -> datetime:
        nonlocal clock
        clock += _TICK
        return clock

    interpreter = Interpreter(adapter, store, tick, jitter=lambda: 0.0, log=_silent)
    while claimed := (await store.write(claims.take, clock, 1)).claims:
        await interpreter.advance(claimed[0], flow)
        run, steps = store.query(_look, claimed[0].run.id)
        if run is None or run.status in records.ENDED:
            return Outcome(run, steps)
        clock = max(clock, run.wake_at or clock)
    raise StoreError(f"the rehearsal of {flow.name} did not end; report it with the flow")


def _look(connection: Connection, run_id: str) -> tuple[records.Run | None, Mapping[str, records.Step]]:
    journal = Journal(connection)
    return journal.run(run_id), journal.steps(run_id)
