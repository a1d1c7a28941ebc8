"""A bench to run flows on: a real store, the real adapter, and a few actions that do what a test tells them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import postgres
import pytest
from pydantic import BaseModel

from connector import engines, settings
from connector.adapter import Adapter, Delivery
from connector.database import Connection, Failpoint, PostgresUrl
from connector.declare import ActionContext, ConnectionType, Event, Trigger, action
from connector.engines import Address
from connector.flows.flow import Flow
from connector.flows.folder import Folder
from connector.plugins.starts import SCHEDULE
from connector.registry import Registry
from connector.runs import records
from connector.runs.intake import Intake
from connector.runs.store import Store
from connector.runs.worker import Worker
from connector.transport import HttpOptions, Purpose

START = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)


class Text(BaseModel):
    text: str = ""


class Ping(BaseModel):
    name: str | None = None
    at: datetime
    anything: Any = None


@dataclass
class Bench:
    """`answers` are what the next calls of an action do: return a text, or raise."""

    folder: Path
    database: Address
    now: datetime = START
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    """(action, text, idempotency key) of each call."""
    answers: dict[str, list[str | Exception | Callable[[], Awaitable[None]]]] = field(default_factory=dict)
    created: set[str] = field(default_factory=set)
    received: int = 0
    purposes: list[Purpose] = field(default_factory=list)
    """For which the budget was asked."""
    budget_wait: timedelta | None = None
    """How long each call waits until it may send."""
    budget_pause: float = 0.0
    """The same in seconds of the machine's clock; needs a `budget_wait`."""

    def clock(self) -> datetime:
        return self.now

    def look(self, work: Callable[[Connection], Any]) -> Any:
        return engines.read(self.database, work)

    def change(self, statement: str, values: Sequence[Any] = ()) -> None:
        """As no program of ours would."""
        if isinstance(self.database, PostgresUrl):
            postgres.change(self.database, statement, values)
            return
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(statement, values)

    def empty(self) -> None:
        """Begin with a new database."""
        if isinstance(self.database, PostgresUrl):
            postgres.empty(self.database)
            return
        for path in self.folder.glob(f"{self.database.name}*"):
            path.unlink()

    def adapter(self) -> Adapter:
        actions = {declared.name: declared for declared in self._actions()}
        connections = {"test": self._connection()} if self.budget_wait else {}
        registry = Registry(actions, {"test.ping": PING, "schedule": SCHEDULE}, connections)
        return Adapter(registry, settings.load(self.folder, environ={}), self.clock)

    def flow(
        self,
        steps: str,
        rest: str = "",
        trigger: str = "{uses: test.ping}",
        name: str = "example",
        beside: Sequence[str] = (),
    ) -> Flow:
        """`beside` are the texts of flows that it may call."""
        text = f"flow: {name}\ntrigger: {trigger}\nsteps:\n{dedent(steps)}\n{rest}"
        others = {f"{number}.yaml": dedent(other) for number, other in enumerate(beside)}
        checked = Folder({"example.yaml": text, **others}, self.adapter().catalogue).check("example.yaml")
        assert checked.flow, checked.problems
        return checked.flow

    def delivery(self, identity: str | None = None, /, **payload: Any) -> Delivery:
        self.received += 1
        event = Event("ping", identity or f"ping-{self.received}", payload.pop("occurred_at", None), payload)
        return Delivery("test", "default", event, "{}", self.now)

    @asynccontextmanager
    async def working(
        self, *flows: Flow, failpoint: Failpoint | None = None
    ) -> AsyncIterator[tuple[Store, Intake, Worker]]:
        store = Store(self.database, failpoint=failpoint)
        try:
            async with self.adapter() as adapter:
                worker = Worker(adapter, store, self.clock)
                yield store, Intake(adapter, store, flows, worker.wake), worker
        finally:
            store.close()

    def run(self, flow: Flow, /, **payload: Any) -> tuple[records.Run, dict[str, records.Step]]:
        """Start the flow and work until its run has ended; time passes only while it waits."""

        async def work() -> tuple[records.Run, dict[str, records.Step]]:
            async with self.working(flow) as (store, intake, worker):
                stored = await intake.accept(self.delivery(**payload))
                run_id = stored.starts[0].run_id
                assert run_id, stored.starts
                return await self.finish(store, worker, run_id)

        return asyncio.run(work())

    async def finish(self, store: Store, worker: Worker, run_id: str) -> tuple[records.Run, dict[str, records.Step]]:
        finishing = asyncio.create_task(worker.finish([run_id]))
        while not finishing.done():
            if wake_at := store.read(lambda journal: journal.next_wake()):
                self.now = max(self.now, wake_at)
                worker.wake()
            await asyncio.sleep(0.001)
        await finishing
        run = store.read(lambda journal: journal.run(run_id))
        assert run
        return run, store.read(lambda journal: journal.steps(run_id))

    def _connection(self) -> ConnectionType:
        return ConnectionType(
            model=NoInput,
            title="Test",
            help="",
            default=lambda _settings: {},
            http=lambda _values: HttpOptions("http://127.0.0.1:9"),
            budget=lambda _values: self,
        )

    @property
    def limit(self) -> int:
        return 100

    async def take(self, purpose: Purpose) -> "Bench":
        self.purposes.append(purpose)
        self.now += self.budget_wait or timedelta()
        await asyncio.sleep(self.budget_pause)
        return self

    def unused(self) -> None:
        """A slot is given back."""

    async def aclose(self) -> None:
        """There is nothing to close."""

    def _actions(self) -> list[Any]:
        @action(effect="read", title="Look")
        async def look(input: Text, context: ActionContext[None]) -> Text:
            return await self._answer("look", input, context)

        @action(effect="idempotent", title="Put")
        async def put(input: Text, context: ActionContext[None]) -> Text:
            return await self._answer("put", input, context)

        @action(effect="once", title="Say")
        async def say(input: Text, context: ActionContext[None]) -> Text:
            return await self._answer("say", input, context)

        @action(effect="destructive", title="Delete")
        async def delete(input: Text, context: ActionContext[None]) -> Text:
            return await self._answer("delete", input, context)

        @action(effect="idempotent", title="Create")
        async def create(input: Text, context: ActionContext[None]) -> Text:
            async def find() -> bool:
                return input.text in self.created

            existed = await context.kept("existed", find)
            self.created.add(input.text)
            await self._answer("create", input, context)
            return Text(text="known" if existed else "new")

        declared = (look, put, say, delete, create)
        return [replace(one, name=f"test.{one.name}") for one in declared]

    async def _answer(self, name: str, input: Text, context: ActionContext[None]) -> Text:
        self.calls.append((name, input.text, context.idempotency_key))
        queued = self.answers.get(name, [])
        answer = queued.pop(0) if queued else f"{name} {input.text}"
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            await answer()
            return Text(text="late")
        return Text(text=answer)


def _select(event: Event, _input: Any, received_at: datetime) -> Ping | None:
    return Ping.model_validate({"at": received_at, **event.payload}) if event.name == "ping" else None


class NoInput(BaseModel):
    pass


PING = Trigger("test.ping", "Ping", "A ping.", NoInput, Ping, _select, {})


ON_A_FILE = pytest.mark.parametrize("bench", ["sqlite"], indirect=True)
"""For tests of what only a file has."""


@pytest.fixture(params=["sqlite", "postgres"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """One on each kind of database."""
    if request.param == "sqlite":
        yield Bench(tmp_path, tmp_path / "runs.sqlite")
        return
    with postgres.schema(request.getfixturevalue("postgres_server")) as url:
        yield Bench(tmp_path, url)


def later(**duration: float) -> datetime:
    return START + timedelta(**duration)
