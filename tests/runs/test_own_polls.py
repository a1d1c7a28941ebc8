"""Polls of triggers that find their events by themselves, over minutes that take no time."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pydantic import BaseModel
from simulator.loop import run
from simulator.store import Observer, SimulatedStore, open_database

from connector import registry, settings
from connector.adapter import DEFAULT, Adapter
from connector.declare import Event, Poll, PollStep, Trigger
from connector.flows.check import check
from connector.registry import Registry
from connector.runs.intake import Intake
from connector.runs.polling.poller import Poller

START = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)


class Wanted(BaseModel):
    name: str = "x"


class Longer(BaseModel):
    name: str = "x"
    most: int = 50


class Other(BaseModel):
    name: str = "y"


class Out(BaseModel):
    at: datetime


def count(_wanted: Any, state: Any, _page: Any, now: datetime) -> PollStep:
    """An event a round."""
    number = (state or {"number": 0})["number"] + 1
    return PollStep([Event("ping", f"ping-{number}", now, {}, "poll")], {"number": number}, None)


class LimitedAdapter(Adapter):
    """An adapter of accounts with a limit of ten requests a minute."""

    def rate_limit(self, connector: str, connection: str = DEFAULT) -> int | None:
        return 10


class Scene:
    """A flow with a poll of its own; `live` is one process."""

    def __init__(self) -> None:
        self.connection = open_database()
        self.now = 0.0

    def live(self, seconds: float, model: type[BaseModel] = Wanted, poll: Poll = count, every: float = 10.0) -> None:
        trigger = Trigger(
            "test.ping",
            "Ping",
            "A ping.",
            model,
            Out,
            lambda _event, _input, at: Out(at=at),
            Event("ping", "ping-0", None, {}, "poll"),
            ("poll",),
            poll,
            lambda _input: every,
        )
        run(self._live(seconds, trigger))
        self.now += seconds

    async def _live(self, seconds: float, trigger: Trigger) -> None:
        loop, installed = asyncio.get_running_loop(), registry.load()
        adapter = LimitedAdapter(
            Registry(installed.actions, {trigger.name: trigger}, installed.connections),
            settings.load(Path(__file__).parent, environ={}),
            self._clock,
        )
        text = "flow: f\ntrigger: {uses: test.ping}\nsteps:\n- {id: look, uses: contacts.list}\n"
        flow = check(text, "f.yaml", adapter.catalogue).flow
        assert flow
        store = SimulatedStore(self.connection, Observer(loop.time, 0.0), Random(1), crashes=0.0)  # noqa: S311 - no secret
        poller = Poller(Intake(adapter, store, [flow]), [], self._clock, loop.time)  # type: ignore[arg-type]
        working = asyncio.create_task(poller.work())
        await asyncio.sleep(seconds)
        poller.stop()
        await working

    def _clock(self) -> datetime:
        return START + timedelta(seconds=self.now + asyncio.get_running_loop().time())

    @property
    def found(self) -> list[str]:
        return [row[0] for row in self.connection.execute("SELECT identity FROM events ORDER BY rowid")]

    @property
    def rounds(self) -> int:
        return int(self.connection.execute("SELECT json_extract(state, '$.state.number') FROM own_polls").fetchone()[0])


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


def test_poll_goes_on_where_its_plugin_got_a_field_that_means_what_was(warnings: Callable[[], list[str]]) -> None:
    scene = Scene()
    scene.live(25)
    scene.live(25, Longer)
    assert scene.found == [f"ping-{number}" for number in range(1, 7)]
    assert warnings() == []


def test_poll_whose_input_means_something_else_begins_anew(warnings: Callable[[], list[str]]) -> None:
    scene = Scene()
    scene.live(25)
    scene.live(15, Other)
    assert scene.rounds == 2
    assert warnings() == ["the poll for the flow f begins anew: its state is of another input"]


def test_poll_that_would_take_too_many_requests_has_longer_pauses(warnings: Callable[[], list[str]]) -> None:
    scene = Scene()
    scene.live(601, every=1.0)
    assert scene.rounds == 71
    [warning] = warnings()
    assert "would take 60 requests a minute, more than 70 % of 10" in warning


def test_fault_of_a_plugin_is_logged_once_and_the_poll_goes_on(warnings: Callable[[], list[str]]) -> None:
    tried = []

    def poll(*arguments: Any) -> PollStep:
        tried.append(asyncio.get_running_loop().time())
        if len(tried) < 4:
            raise KeyError("name")
        return count(*arguments)

    scene = Scene()
    scene.live(200, poll=poll)
    assert [round(when) for when in tried[:5]] == [0, 10, 30, 70, 80]
    [warning] = warnings()
    assert warning.startswith("polling for the flow f of test/default fails and is tried again: the poll of test.ping")
