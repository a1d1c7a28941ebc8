"""What refusals (429) teach: as tables, and between processes; time is simulated."""

import asyncio
import logging
import math
from dataclasses import replace

import httpx
import pytest
from chatforge.simulation import OK, REFUSED, Machine, simulate, take_all

from connector.chatforge.budget.learning import RAISED_AFTER, Learned

BEFORE = Learned(
    lowered=10, refused_at=100.0, raised_at=100.0, backoff=4.0, paused_until=104.0, paused_until_utc=1104.0
)


def refuse(before: Learned, started: float, now: float, retry_after: float | None = None, limit: int = 100) -> Learned:
    return before.refuse(started, now, now + 1000, retry_after, limit)


@pytest.mark.parametrize(
    ("before", "started", "retry_after", "lowered", "pause"),
    [
        pytest.param(Learned(), 199.0, None, 5, 1.0, id="first"),
        pytest.param(Learned(), 199.0, 30.0, 5, 30.0, id="first-with-retry-after"),
        pytest.param(Learned(), 199.0, 0.0, 5, 1.0, id="retry-after-says-at-once"),
        pytest.param(BEFORE, 199.0, None, 15, 8.0, id="goes-on"),
        pytest.param(BEFORE, 99.0, None, 10, -96.0, id="under-way-when-the-limit-was-lowered"),
        pytest.param(BEFORE, 99.0, 30.0, 10, 30.0, id="under-way-with-retry-after"),
        pytest.param(replace(BEFORE, backoff=60.0), 199.0, None, 15, 60.0, id="longest-pause"),
        pytest.param(replace(BEFORE, lowered=88), 199.0, None, 90, 8.0, id="floor"),
        pytest.param(replace(BEFORE, paused_until=300.0), 199.0, 30.0, 15, 100.0, id="a-longer-pause-stays"),
    ],
)
def test_refusal_lowers_the_limit_once_an_episode_and_pauses(
    before: Learned, started: float, retry_after: float | None, lowered: int, pause: float
) -> None:
    learned = refuse(before, started, 200.0, retry_after)
    assert (learned.lowered, learned.paused_until) == (lowered, 200.0 + pause)


@pytest.mark.parametrize(("limit", "after"), [(1, 1), (7, 6), (20, 19), (100, 95), (1000, 950)])
def test_step_is_a_twentieth_and_at_least_one(limit: int, after: int) -> None:
    assert refuse(Learned(), 1.0, 2.0, None, limit).limit(limit) == after


def test_another_configured_limit_is_lowered_by_as_much_but_not_below_its_floor() -> None:
    assert [Learned(lowered=40).limit(configured) for configured in (100, 60, 40, 5)] == [60, 20, 4, 1]


def test_answer_ends_the_doubling_unless_its_request_is_older_than_the_refusal() -> None:
    assert BEFORE.accept(99.0).backoff == 4.0
    assert BEFORE.accept(101.0).backoff == 0.0
    assert refuse(BEFORE.accept(101.0), 102.0, 103.0).paused_until == 104.0


@pytest.mark.parametrize(
    ("after", "lowered"),
    [(RAISED_AFTER - 1, 10), (RAISED_AFTER, 9), (2 * RAISED_AFTER + 1, 8), (10 * RAISED_AFTER, 0), (1e9, 0)],
)
def test_limit_rises_by_one_at_a_time(after: float, lowered: int) -> None:
    at_once = BEFORE.creep(100.0 + after)
    often = BEFORE
    for tenth in range(1, 11):
        often = often.creep(100.0 + after * tenth / 10)
    assert at_once.lowered == often.lowered == lowered


def test_refusal_puts_off_the_next_raise() -> None:
    refused = refuse(BEFORE, 650.0, 660.0)
    assert refused.creep(660.0 + RAISED_AFTER - 1).lowered == 15


@pytest.mark.parametrize(("utc", "left"), [(1100.0, 4.0), (1103.0, 1.0), (9999.0, 0.0)])
def test_pause_outlasts_a_reboot(utc: float, left: float) -> None:
    learned = BEFORE.reboot(7.0, utc)
    assert (learned.paused_until, learned.lowered) == (7.0 + left, 10)
    assert learned.creep(7.0 + RAISED_AFTER - 1).lowered == 10


def test_reboot_of_an_account_that_was_never_refused_teaches_nothing() -> None:
    assert Learned().reboot(7.0, 0.0) == Learned(refused_at=-math.inf)


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        (None, 1.0),
        ("7", 7.0),
        ("Thu, 01 Jan 1970 00:00:25 GMT", 15.0),
        ("soon", 1.0),
        ("999999", 1.0),
        ("-3", 1.0),
    ],
)
def test_refusal_in_one_process_pauses_the_others_takeovers_too(retry_after: str | None, pause: float) -> None:
    async def scenario(machine: Machine) -> None:
        here, there = machine.process(), machine.process()
        await asyncio.sleep(10)
        headers = {"Retry-After": retry_after} if retry_after else {}
        (await here.take("action")).answered(httpx.Response(429, headers=headers))
        await asyncio.sleep(0)
        await there.take("takeover")
        assert machine.now() == pytest.approx(10 + pause)
        assert (here.limit, there.limit) == (95, 95)

    simulate(scenario)


def test_burst_of_refusals_is_one_episode_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(machine: Machine) -> None:
        budget = machine.process()
        slots = await take_all(budget, 20)
        await asyncio.sleep(1)
        for slot in slots:
            slot.answered(REFUSED)
        await asyncio.sleep(3)
        assert budget.limit == 95
        (await budget.take("action")).answered(REFUSED)
        await asyncio.sleep(0)
        assert budget.limit == 90

    with caplog.at_level(logging.WARNING):
        simulate(scenario)
    told = (
        "ChatForge has refused requests (429): at most {} of 100 a minute are sent until it stops; see chatforge doctor"
    )
    assert [record.getMessage() for record in caplog.records] == [told.format(95), told.format(90)]


def test_lowered_limit_holds_at_once_and_rises_again() -> None:
    async def scenario(machine: Machine) -> None:
        budget = machine.process()
        (await budget.take("action")).answered(REFUSED)
        await asyncio.sleep(70)
        for slot in await take_all(budget, 95):
            slot.answered(OK)
        begun = machine.now()
        (await budget.take("takeover")).answered(OK)
        assert machine.now() - begun >= 60
        await asyncio.sleep(RAISED_AFTER)
        (await budget.take("takeover")).answered(OK)
        assert budget.limit == 96

    simulate(scenario)


@pytest.mark.parametrize("response", [httpx.Response(200), httpx.Response(500), httpx.Response(401), None])
def test_other_answers_teach_nothing(response: httpx.Response | None) -> None:
    async def scenario(machine: Machine) -> None:
        budget = machine.process()
        (await budget.take("action")).answered(response)
        await budget.take("action")
        assert (machine.now(), budget.limit) == (0.0, 100)

    simulate(scenario)
