"""Analytics over time: what samples tell, how they are kept, and the action, against the sandbox."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import settings
from connector.adapter import Adapter
from connector.chatforge.analytics import store
from connector.chatforge.analytics.action import is_due
from connector.chatforge.analytics.change import Counted, measure, split
from connector.chatforge.analytics.sample import Sample, read_sample
from connector.chatforge.analytics.store import Agent
from connector.chatforge.models import Analytics
from connector.errors import InputError, NetworkError, NotFoundError
from connector.registry import Registry
from connector.runs.sampling import Sampler, find_connections
from connector.sandbox import Sandbox
from connector.sandbox.account import Visitor
from connector.sandbox.faults import Fault
from connector.sandbox.server import running

AGENT = Agent("default", "agent")


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}:00+00:00")


def sample(moment: str, count: int | None, total: int | None = None, month: str = "") -> Sample:
    """All three numbers of the month are `count`."""
    when = at(moment)
    return Sample(when, month or f"{when:%Y-%m}", count, count, count, total, total)


def changed(samples: list[Sample], since: str, until: str) -> tuple[int | None, int | None, bool]:
    """Conversations, messages, and whether that is all."""
    change = measure(samples, at(since), at(until))
    return change.counted.conversations, change.counted.messages, change.complete


HOURS = [sample(f"03-10T{hour:02}:02", 10 + hour) for hour in range(24)]


@pytest.mark.parametrize(
    ("samples", "since", "until", "expected"),
    [
        pytest.param(HOURS, "03-10T04:00", "03-10T06:00", (2, 2, True), id="samples near both ends"),
        pytest.param(HOURS, "03-10T03:40", "03-10T06:20", (2, 2, True), id="the nearer sample counts"),
        pytest.param(HOURS, "03-09T04:00", "03-10T06:00", (6, 6, False), id="sampled for a shorter time"),
        pytest.param(HOURS, "03-01T00:00", "03-10T06:00", (16, 16, True), id="the first sample of its month"),
        pytest.param(HOURS, "02-15T00:00", "03-10T06:00", (16, 16, False), id="longer than that month"),
        pytest.param(HOURS, "03-10T20:00", "03-12T00:00", (3, 3, False), id="no longer sampled"),
        pytest.param(HOURS, "03-12T00:00", "03-13T00:00", (None, None, False), id="not sampled then"),
        pytest.param([], "03-12T00:00", "03-13T00:00", (None, None, False), id="never sampled"),
        pytest.param(
            [sample("03-10T04:00", 9), sample("03-10T05:00", 5), sample("03-10T06:00", 7)],
            "03-10T04:00", "03-10T06:00", (2, 2, True), id="shrinks",
        ),
        pytest.param(
            [sample("03-10T04:00", 4), sample("03-10T05:00", None), sample("03-10T06:00", 7)],
            "03-10T04:00", "03-10T06:00", (3, 3, True), id="one answer lacks it",
        ),
        pytest.param(
            [sample("03-10T04:00", None), sample("03-10T05:00", None)],
            "03-10T04:00", "03-10T05:00", (None, None, True), id="all answers lack it",
        ),
        pytest.param(
            [sample("03-31T23:00", 80, 200), sample("03-31T23:55", 82, 202), sample("04-01T01:00", 3, 206)],
            "03-31T23:00", "04-01T01:00", (6, 5, True), id="the month changes",
        ),
        pytest.param(
            [sample("03-31T23:55", 82, 202), sample("04-01T00:02", 3, 206)],
            "04-01T00:00", "04-01T00:10", (3, 3, True), id="from the beginning of a month",
        ),
        pytest.param(
            [sample("03-20T10:00", 50, 100), sample("05-03T10:00", 4, 154)],
            "03-20T10:00", "05-03T10:00", (54, 4, False), id="nobody looked at the end of a month",
        ),
        pytest.param(
            [sample("03-31T21:00", 8, 8), *(sample(f"03-31T2{n}:30", n, 9 + n, "2026-04") for n in (2, 3))],
            "03-31T21:00", "03-31T23:30", (4, 3, False), id="its month begins before that of UTC",
        ),
        pytest.param(
            [sample("03-10T04:00", 4), sample("03-10T05:00", 5), sample("03-10T04:30", 6), sample("03-10T05:30", 7)],
            "03-10T04:00", "03-10T05:30", (3, 3, True), id="the clock is put back",
        ),
    ],
)  # fmt: skip
def test_change_is_the_sum_of_what_came(samples, since, until, expected):
    assert changed(samples, since, until) == expected


def test_parts_are_known_where_samples_are_dense_enough():
    samples = [sample("03-10T04:02", 4), sample("03-10T05:02", 6), sample("03-10T09:02", 9), sample("03-10T10:02", 9)]
    change = measure(samples, at("03-10T03:00"), at("03-10T11:00"))
    found = split(change.increases, at("03-10T03:00"), at("03-10T11:00"), "hour")
    assert [(part.at.hour, part.counted.leads) for part in found] == [
        (3, None), (4, 2), (5, None), (6, None), (7, None), (8, None), (9, 0), (10, None),
    ]  # fmt: skip
    assert change.counted.leads == 5


def test_month_that_ended_has_what_came_up_to_its_end():
    samples = [sample("01-31T23:50", 7, 7), sample("02-01T00:02", 1, 10), sample("03-01T00:02", 2, 21)]
    change = measure(samples, at("01-01T00:00"), at("03-02T00:00"))
    parts = split(change.increases, at("01-01T00:00"), at("03-02T00:00"), "month")
    assert [part.counted.leads for part in parts] == [9, 10, 2]
    assert [part.at.month for part in parts] == [1, 2, 3]


def test_conversion_is_null_without_conversations():
    assert [Counted(8, 2, 0).conversion, Counted(0, 2, 0).conversion, Counted(8, None, 0).conversion] == [
        0.25, None, None,
    ]  # fmt: skip


def test_answer_that_is_odd_is_read_as_one_that_lacks_it():
    answer = Analytics.model_validate({"month": "March", "conversations": {"total": -1, "this_month": 10**40}})
    assert read_sample(answer, at("03-10T04:00")) == Sample(at("03-10T04:00"), "2026-03", None, None, None, None, None)


@pytest.mark.parametrize(
    ("newest", "now", "due"),
    [
        (None, "03-10T04:00", True),
        ("03-10T03:01", "03-10T04:00", False),
        ("03-10T03:00", "03-10T04:00", True),
        ("03-10T05:00", "03-10T04:00", True),
        ("03-31T23:20", "03-31T23:49", False),
        ("03-31T23:20", "03-31T23:50", True),
        ("03-31T23:50", "03-31T23:55", False),
        ("01-31T23:20", "01-31T23:50", True),
    ],
)
def test_sample_is_due_once_an_hour_and_before_a_month_ends(newest, now, due):
    assert is_due(sample(newest, 1) if newest else None, at(now)) == due


# How they are kept


async def add_all(path: Path, *samples: Sample, agent: Agent = AGENT) -> None:
    for one in samples:
        await store.use(path, lambda connection, one=one: store.add(connection, agent, one), writing=True)


async def read_all(path: Path, agent: Agent = AGENT) -> list[Sample]:
    return list(
        await store.use(path, lambda connection: store.read_since(connection, agent, datetime.min.replace(tzinfo=UTC)))
    )


def test_samples_are_kept_apart_by_account_and_agent(tmp_path):
    async def work() -> None:
        path = tmp_path / "new" / "analytics.sqlite"
        for account, agent, count in (("north", "a\ud800\0", 1), ("south", "a\ud800\0", 2), ("north", "b", 3)):
            await add_all(path, sample("03-10T04:00", count), agent=Agent(account, agent))
        assert [one.leads for one in await read_all(path, Agent("south", "a\ud800\0"))] == [2]
        assert await store.use(path, lambda connection: store.read_newest(connection, Agent("south", "b"))) is None

    asyncio.run(work())


def test_second_sample_of_a_minute_replaces_the_first_one_of_its_month(tmp_path):
    async def work() -> None:
        path, first = tmp_path / "analytics.sqlite", sample("03-10T04:00", 1)
        later = replace(first, at=first.at + timedelta(seconds=50), leads=2)
        other = replace(later, month="2026-04")
        await add_all(path, first, later, other)
        assert await read_all(path) == [later, other]

    asyncio.run(work())


def test_order_is_that_of_sampling_also_where_the_clock_is_put_back(tmp_path):
    async def work() -> None:
        path, samples = tmp_path / "analytics.sqlite", [sample("03-10T05:00", 5), sample("03-10T04:30", 6)]
        await add_all(path, *samples)
        assert await read_all(path) == samples
        newest = await store.use(path, lambda connection: store.read_newest(connection, AGENT))
        assert newest == samples[1]

    asyncio.run(work())


def test_of_samples_older_than_400_days_the_last_one_of_a_day_is_kept(tmp_path):
    async def work() -> None:
        path, first = tmp_path / "analytics.sqlite", sample("01-31T01:00", 1)
        old = [replace(first, at=first.at + timedelta(hours=6 * number), leads=number) for number in range(8)]
        late = replace(first, at=first.at + timedelta(days=401, hours=7), leads=9)
        await add_all(path, *old, late)
        assert [one.leads for one in await read_all(path)] == [3, 5, 6, 7, 9]

    asyncio.run(work())


# The action, against the sandbox


NOW = datetime(2026, 3, 25, 10, 2, tzinfo=UTC)


@dataclass
class Scene:
    """An adapter and a sandbox whose time is the same."""

    sandbox: Sandbox
    adapter: Adapter
    file: Path
    moment: dict[str, datetime]

    def pass_time(self, **how: float) -> None:
        self.moment["now"] += timedelta(**how)

    def chat(self, *, lead: bool = True, agent: str = "") -> None:
        visitor = Visitor(email="ann@example.com")
        self.sandbox.receive_visitor(agent or self.sandbox.agent_id, visitor, ["Hello"], capture_lead=lead)

    async def ask(self, connection: str = "default", **input: Any) -> dict[str, Any]:
        given = {"agent_id": self.sandbox.agent_id, "since": "1d", **input}
        return await self.adapter.run("chatforge.analytics_change", given, connection=connection)

    @property
    def requests(self) -> int:
        return sum(self.sandbox.counters.by_action().get("v1-analytics", {}).values())


def play(
    scenario: Callable[[Scene], Coroutine[Any, Any, None]], folder: Path, registry: Registry, **environ: str
) -> None:
    """With one agent in the account `default`, and one in that of `other`."""
    moment = {"now": NOW}
    other = "other: {connector: chatforge, api_key: {env: OTHER_KEY}}\n"
    (folder / "connections.yaml").write_text(other)
    with running(clock=lambda: moment["now"]) as sandbox:
        variables = {
            "CHATFORGE_API_KEY": sandbox.api_key,
            "OTHER_KEY": sandbox.other_api_key,
            "CHATFORGE_BASE_URL": sandbox.url,
            "CHATFORGE_DATABASE_URL": f"sqlite:///{folder}/runs.sqlite",
            **environ,
        }
        adapter = Adapter(registry, settings.load(folder, environ=variables), lambda: moment["now"])

        async def run() -> None:
            async with adapter:
                await scenario(Scene(sandbox, adapter, folder / "analytics.sqlite", moment))

        asyncio.run(run())


def numbers(output: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(output[name] for name in ("conversations", "leads", "conversion", "messages", "complete"))


def test_change_agrees_with_what_happened_and_asks_once_an_hour(tmp_path, built_in):
    async def scenario(scene: Scene) -> None:
        scene.chat()
        assert numbers(await scene.ask()) == (None, None, None, None, False)
        scene.chat()
        scene.chat(lead=False)
        scene.pass_time(minutes=59)
        await scene.ask()
        assert scene.requests == 1
        scene.pass_time(minutes=1)
        output = await scene.ask(since="1h", by="hour")
        assert numbers(output) == (2, 1, 0.5, 4, True)
        assert [(one["at"], one["leads"]) for one in output["parts"]] == [
            ("2026-03-25T10:00:00Z", 1), ("2026-03-25T11:00:00Z", None),
        ]  # fmt: skip
        assert (output["first_sample"], output["last_sample"]) == ("2026-03-25T10:02:00Z", "2026-03-25T11:02:00Z")
        assert numbers(await scene.ask(since="2026-03-01T00:00:00Z")) == (3, 2, 0.6667, 6, True)
        assert scene.requests == 2

    play(scenario, tmp_path, built_in)


def test_nothing_is_asked_where_only_what_is_kept_is_wanted(tmp_path, built_in):
    async def scenario(scene: Scene) -> None:
        output = await scene.ask(fresh=False)
        assert (output["last_sample"], scene.requests) == (None, 0)

    play(scenario, tmp_path, built_in)


def test_answer_from_what_is_kept_needs_no_place_in_the_rate_limit(tmp_path, built_in):
    """The limit is used up for a minute; whoever waited for it would wait for that long."""

    async def scenario(scene: Scene) -> None:
        await scene.ask()
        async with asyncio.timeout(5):
            assert (await scene.ask())["last_sample"] is not None

    play(scenario, tmp_path, built_in, CHATFORGE_RATE_LIMIT="1")


def test_accounts_do_not_see_each_others_agents(tmp_path, built_in):
    async def scenario(scene: Scene) -> None:
        await scene.ask()
        with pytest.raises(NotFoundError):
            await scene.ask("other")
        assert (await scene.ask("other", agent_id=scene.sandbox.other_agent_id))["last_sample"] is not None

    play(scenario, tmp_path, built_in)


@pytest.mark.parametrize(
    ("input", "sentence"),
    [
        ({"since": "last week"}, "since: should be a duration such as '7d', or a time such as"),
        ({"since": "2027-01-01"}, "since is '2027-01-01', which is not before 2026-03-25T10:02:00+00:00"),
        ({"since": "1d", "until": "2026-03-01T00:00:00Z"}, "which is not before 2026-03-01T00:00:00+00:00"),
        ({"since": "30d", "by": "hour"}, "by is 'hour', which gives more than 400 parts"),
    ],
)
def test_span_that_is_none_is_refused_with_a_sentence(tmp_path, built_in, input, sentence):
    async def scenario(scene: Scene) -> None:
        with pytest.raises(InputError, match=re.escape(sentence)):
            await scene.ask(**input)
        assert scene.requests == 0

    play(scenario, tmp_path, built_in)


def test_all_time_is_a_span_too(tmp_path, built_in):
    async def scenario(scene: Scene) -> None:
        scene.chat()
        assert numbers(await scene.ask(since="36500d")) == (1, 1, 1.0, 2, False)

    play(scenario, tmp_path, built_in)


def test_damaged_file_is_said_in_one_sentence(tmp_path, built_in):
    async def scenario(scene: Scene) -> None:
        scene.file.write_bytes(b"no database " * 1000)
        with pytest.raises(NetworkError) as caught:
            await scene.ask()
        assert str(caught.value) == (
            f"the samples of analytics in {scene.file} cannot be used: file is not a database; restore the file from a "
            "backup, make room, or move it away, and samples begin anew"
        )
        assert not caught.value.transient

    play(scenario, tmp_path, built_in)


# Who has agents sampled


def test_sampler_asks_for_each_agent_once_an_hour_and_before_the_month_ends(tmp_path, built_in):
    async def scenario(scene: Scene) -> None:
        sampler = Sampler(scene.adapter, ["default", "other"], lambda: scene.moment["now"])
        for _ in range(10):
            await sampler.look()
        assert {agent.id for agent in sampler.agents} == {scene.sandbox.agent_id, scene.sandbox.other_agent_id}
        assert scene.requests == 2
        scene.moment["now"] = at("03-31T23:30")
        scene.chat()
        await sampler.look()
        scene.chat()
        scene.pass_time(minutes=22)
        await sampler.look()
        scene.moment["now"] = at("04-01T00:52")
        scene.chat()
        await sampler.look()
        found = await scene.ask(since="2026-03-01T00:00:00Z", by="month", fresh=False)
        assert [part["messages"] for part in found["parts"]] == [4, 2]
        assert (found["messages"], found["complete"], scene.requests) == (6, True, 8)

    play(scenario, tmp_path, built_in)


def test_sampler_says_what_fails_once_and_rests_longer_each_time(tmp_path, built_in, caplog):
    async def scenario(scene: Scene) -> None:
        sampler = Sampler(scene.adapter, ["default"], lambda: scene.moment["now"])
        await sampler.look()
        scene.pass_time(hours=1)
        scene.sandbox.faults.add(Fault(action="v1-analytics", status=401, times=3))
        for _ in range(4):
            await sampler.look()
            scene.pass_time(seconds=60)
        assert scene.requests == 1 + 3
        assert len(sampler.faults) == 1
        assert "the API key is not accepted" in sampler.faults[0]
        for _ in range(20):
            await sampler.look()
            scene.pass_time(seconds=60)
        assert (scene.requests, sampler.faults) == (1 + 4, [])

    play(scenario, tmp_path, built_in)
    told = [record.getMessage() for record in caplog.records if record.name == "connector.runs.sampling"]
    assert [text.split(" (")[0] for text in told] == [
        "sampling the agents of chatforge/default fails: the API key is not accepted",
    ]


def test_sampler_forgets_an_agent_that_is_gone(tmp_path, built_in):
    async def scenario(scene: Scene) -> None:
        agent = scene.sandbox.account.create_agent({"name": "Second"})
        sampler = Sampler(scene.adapter, ["default"], lambda: scene.moment["now"])
        await sampler.look()
        assert {one.name for one in sampler.agents} == {"Support Agent", "Second"}
        scene.sandbox.account.delete_agent(agent.id)
        scene.pass_time(minutes=61)
        await sampler.look()
        assert ([one.name for one in sampler.agents], sampler.faults) == (["Support Agent"], [])

    play(scenario, tmp_path, built_in)


def test_sampler_stops_while_it_waits_for_an_answer(tmp_path, built_in):
    async def scenario(scene: Scene) -> None:
        scene.sandbox.faults.add(Fault(action="v1-agents", delay_seconds=15))
        sampler = Sampler(scene.adapter, ["default"], lambda: scene.moment["now"], first_after=0)
        working = asyncio.create_task(sampler.work())
        await asyncio.sleep(0.5)
        sampler.stop()
        done, _ = await asyncio.wait([working], timeout=10)
        assert done, "it waits for the answer"

    play(scenario, tmp_path, built_in)


def test_accounts_without_a_key_are_left_out(make_adapter, tmp_path):
    text = "keyless: {connector: chatforge}\nacme: {connector: chatforge, api_key: {env: KEY}}\n"
    (tmp_path / "connections.yaml").write_text(text)
    adapter = make_adapter(KEY="k")
    assert find_connections(adapter, settings.load(tmp_path, environ={"KEY": "k"})) == ["acme"]
