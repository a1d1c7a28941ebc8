"""Runs flows on the real interpreter and a real database, with actions that return and fail at random."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from pydantic import BaseModel

from connector import settings
from connector.adapter import Adapter, Delivery
from connector.declare import Action, ActionContext, Event, Trigger
from connector.errors import NetworkError, NotFoundError, RateLimitError
from connector.flows.catalogue import Operation
from connector.flows.flow import Approve, Flow
from connector.flows.types import Type
from connector.registry import Registry
from connector.runs import claims, records, revisions
from connector.runs.decisions import answers
from connector.runs.decisions.answers import Answer
from connector.runs.intake import Intake
from connector.runs.interpreter import Interpreter
from connector.runs.store import Store
from connector.validation import read

MakeValue = Callable[[Type, Random], Any]
Models = Mapping[str, tuple[type[BaseModel], type[BaseModel]]]

FAILURES = (
    NotFoundError("there is no such thing"),
    NetworkError("cannot reach it", processed="no", transient=True),
    NetworkError("the connection was cut", processed="unknown", transient=True),
    RateLimitError("too many requests", transient=True, retry_after=90.0),
)
ROUNDS = 300
FAR = datetime(8000, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """The other side of the flows, and the clock, which passes over what they wait for."""

    folder: Path
    models: Models
    effects: Mapping[str, str]
    make_value: MakeValue
    random: Random = field(default_factory=Random)
    now: datetime = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
    events: int = 0

    def clock(self) -> datetime:
        return self.now

    def adapter(self) -> Adapter:
        actions = {name: self._action(name) for name in self.models if name != "trigger"}
        triggers = {"crm.lead": self._trigger()}
        return Adapter(Registry(actions, triggers, {}), settings.load(self.folder, environ={}), self.clock)

    def _action(self, name: str) -> Action:
        given, returned = self.models[name]
        kind = Operation.of({"type": "object"}, returned.model_json_schema(mode="serialization")).output

        async def run(_input: BaseModel, _context: ActionContext[None]) -> BaseModel:
            if self.random.random() < 0.15:
                raise self.random.choice(FAILURES)
            return read(returned, self.make_value(kind, self.random))

        effect: Any = self.effects.get(name, "idempotent")
        return Action(name, name, name, effect, "action", given, returned, {}, run)

    def _trigger(self) -> Trigger:
        given, returned = self.models["trigger"]

        def select(event: Event, _input: Any, _received_at: datetime) -> BaseModel:
            return read(returned, event.payload)

        return Trigger("crm.lead", "Lead", "A lead.", given, returned, select, Event("lead", "1", None, {}))

    def delivery(self) -> Delivery:
        self.events += 1
        kind = Operation.of(
            {"type": "object"}, self.models["trigger"][1].model_json_schema(mode="serialization")
        ).output
        payload = self.make_value(kind, self.random)
        event = Event("lead", f"lead-{self.events}", None, payload, "manual")
        return Delivery("crm", "default", event, json.dumps(payload), self.now)

    async def run(self, flow: Flow, adapter: Adapter, store: Store) -> list[records.Failure]:
        """Start the flow, let its run end, and tell what failed in it, handled or not."""
        self.now += timedelta(days=1)
        stored = await Intake(adapter, store, [flow], lambda: None).accept(self.delivery())
        [start] = stored.starts
        if start.run_id is None:
            assert not start.held, start.reason
            return []
        await self._finish(start.run_id, flow, adapter, store)
        run = store.read(lambda journal: journal.run(start.run_id or ""))
        assert run is not None
        steps = store.read(lambda journal: journal.steps(run.id)).values()
        return [error for error in (run.error, *(step.error for step in steps)) if error is not None]

    async def _finish(self, run_id: str, flow: Flow, adapter: Adapter, store: Store) -> None:
        interpreter = Interpreter(adapter, store, self.clock, self.random.random)
        pinned = store.query(revisions.load, flow.revision, adapter.catalogue)
        assert isinstance(pinned, Flow), pinned
        for _ in range(ROUNDS):
            for claim in (await store.write(claims.take, self.now, 1, [run_id])).claims:
                await interpreter.advance(claim, pinned)
            found = store.read(lambda journal: journal.run(run_id))
            assert found is not None
            if found.status in records.ENDED:
                return
            await self._go_on(found, flow, adapter, store)
        raise AssertionError(f"the run {run_id} does not end")

    async def _go_on(self, run: records.Run, flow: Flow, adapter: Adapter, store: Store) -> None:
        """Answer, send an event or let time pass."""
        steps = store.read(lambda journal: journal.steps(run.id)).values()
        asked = [step.id for step in steps if step.action == "approve" and step.status == "waiting"]
        wake_at = run.wake_at or self.now
        if asked and (wake_at > FAR or self.random.random() < 0.7):
            self.now += timedelta(minutes=1)
            await store.write(answers.give, run.id, asked[0], self._answer(asked[0], flow))
        elif self.random.random() < 0.3:
            await Intake(adapter, store, [], lambda: None).accept(self.delivery())
        elif wake_at < FAR:
            self.now = max(self.now, wake_at)

    def _answer(self, path: str, flow: Flow) -> Answer:
        step_id = path.rpartition("/")[2].partition("[")[0]
        asked = next(step.does for _, step in flow.all_steps() if step.id == step_id)
        assert isinstance(asked, Approve)
        form = {
            name: self.make_value(one.type, self.random)
            for name, one in asked.form.items()
            if one.required or self.random.random() < 0.5
        }
        return Answer(self.random.random() < 0.7, "ann", self.now, form)
