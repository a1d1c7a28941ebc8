"""The budget runs on an event loop whose time is simulated: timers fire in order, and nothing sleeps."""

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from connector.chatforge.budget import Clock, Memory, RateBudget, RateSlot
from connector.chatforge.budget.rule import DEADLINE, DOUBT, WINDOW, Rule, Starts, TakenSlot
from connector.transport import Purpose


class SimulatedSelector(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "every task waits for another"
        self.now += timeout
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._simulated = SimulatedSelector()
        super().__init__(self._simulated)

    def time(self) -> float:
        return self._simulated.now


def simulate(scenario: Callable[[RateBudget, Callable[[], float]], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        clock = asyncio.get_running_loop().time
        await scenario(RateBudget(100, Memory(), clock=Clock(seconds=clock)), clock)

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(run())


def taken(count: int, free_in: float = 60.0, purpose: Purpose = "action") -> list[TakenSlot]:
    return [TakenSlot("", "", purpose, 0.0, 1000.0 + free_in) for _ in range(count)]


@pytest.mark.parametrize(
    ("slots", "purpose", "idle", "delay"),
    [
        pytest.param(taken(50), "background", 0.0, 0.0, id="half-taken"),
        pytest.param(taken(51), "action", 0.0, 60 / 49.25, id="more-than-half-spreads"),
        pytest.param(taken(51), "interactive", 0.4, 60.4 / 49.25 - 0.4, id="rest-of-the-spread"),
        pytest.param(taken(51, 20.0), "action", 0.0, 0.6, id="spread-is-never-denser"),
        pytest.param(taken(51), "action", 1.3, 0.0, id="spread-is-over"),
        pytest.param(taken(51), "takeover", 0.0, 0.0, id="takeover-skips-the-spread"),
        pytest.param(taken(50) + taken(1, 0.1), "action", 0.0, 0.1, id="half-again-before-the-spread-is-over"),
        pytest.param(taken(99), "takeover", 0.0, 0.0, id="one-left"),
        pytest.param(taken(99) + taken(1, 7.0), "takeover", 0.0, 7.0, id="all-taken"),
        pytest.param(taken(99) + taken(1, 0.0), "takeover", 0.0, 0.0, id="freed-this-moment"),
        pytest.param(taken(69, 9.0, "background"), "background", 9.0, 0.0, id="background-below-its-share"),
        pytest.param(taken(70, 9.0, "background"), "background", 9.0, 9.0, id="background-at-its-share"),
        pytest.param(taken(70, 9.0, "background"), "interactive", 9.0, 0.0, id="others-beside-background"),
        pytest.param(taken(70, 9.0), "background", 9.0, 0.0, id="background-beside-others"),
    ],
)
def test_delay_follows_the_slots_in_use(slots: list[TakenSlot], purpose: Purpose, idle: float, delay: float) -> None:
    assert Rule(100).delay(slots, purpose, Starts(1000.0 - idle, 1000.0 - idle), 1000.0) == pytest.approx(
        delay, abs=1e-9
    )


def test_smallest_limit_serves_every_purpose() -> None:
    assert Rule(1).delay([], "background", Starts(0.0, 0.0), 60.0) == 0.0
    assert Rule(1).delay(taken(1, 5.0, "background"), "background", Starts(0.0, 0.0), 1000.0) == 5.0


async def take_all(budget: RateBudget) -> list[RateSlot]:
    """All slots at one instant, which only takeovers may do."""
    return [await budget.take("takeover") for _ in range(100)]


@pytest.mark.parametrize(
    ("end", "after", "free_at"),
    [
        pytest.param(lambda slot: slot.answered(None), 5.0, 5.0 + WINDOW, id="answered"),
        pytest.param(RateSlot.unused, 5.0, 5.0, id="unused"),
        pytest.param(RateSlot.lost, 5.0, DEADLINE + DOUBT, id="lost"),
        pytest.param(RateSlot.lost, 70.0, 70.0 + DOUBT, id="lost-after-the-deadline"),
        pytest.param(repr, 5.0, DEADLINE + DOUBT, id="forgotten"),
    ],
)
def test_slot_is_free_again_when_its_request_cannot_count_any_more(
    end: Callable[[RateSlot], object], after: float, free_at: float
) -> None:
    async def scenario(budget: RateBudget, clock: Callable[[], float]) -> None:
        slots = await take_all(budget)
        assert clock() == 0.0
        next_take = asyncio.create_task(budget.take("takeover"))
        await asyncio.sleep(after)
        for slot in slots:
            end(slot)
        await next_take
        assert clock() == pytest.approx(free_at, abs=1e-6)

    simulate(scenario)


def test_purposes_are_served_by_rank_then_arrival() -> None:
    async def scenario(budget: RateBudget, clock: Callable[[], float]) -> None:
        slots, served = await take_all(budget), []

        async def work(purpose: Purpose, number: int) -> None:
            await budget.take(purpose)
            served.append((purpose, number))

        wanted: list[tuple[Purpose, int]] = [
            ("background", 1), ("interactive", 2), ("action", 3), ("takeover", 4), ("action", 5), ("takeover", 6)
        ]  # fmt: skip
        tasks = [asyncio.create_task(work(*item)) for item in wanted]
        await asyncio.sleep(1)
        for slot in slots[:6]:
            slot.unused()
        await asyncio.gather(*tasks)
        assert [number for _, number in served] == [4, 6, 3, 5, 2, 1]

    simulate(scenario)


def test_takeover_overtakes_those_who_wait_for_the_spread() -> None:
    async def scenario(budget: RateBudget, clock: Callable[[], float]) -> None:
        for _ in range(51):
            await budget.take("action")
        spread = asyncio.create_task(budget.take("action"))
        await asyncio.sleep(0.1)
        await budget.take("takeover")
        assert clock() == pytest.approx(0.1)
        await spread
        # Spread from the takeover, the last start, over the time until the first slot may be free.
        assert clock() == pytest.approx(0.1 + (DEADLINE + DOUBT - 0.1) / 48.25)

    simulate(scenario)


def test_cancelled_waiter_takes_nothing_and_lets_the_next_go_on() -> None:
    async def scenario(budget: RateBudget, clock: Callable[[], float]) -> None:
        slots = await take_all(budget)
        first, second = (asyncio.create_task(budget.take("takeover")) for _ in range(2))
        await asyncio.sleep(1)
        slots[0].unused()
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        await second
        assert clock() == 1.0

    simulate(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_backlog_never_exceeds_the_limit_in_any_window(seed: int) -> None:
    """The server counts a request at any moment of its round trip; a lost one until its deadline."""
    chance, arrivals = random.Random(seed), []  # noqa: S311 - a simulation

    async def scenario(budget: RateBudget, clock: Callable[[], float]) -> None:
        async def send(purpose: Purpose) -> None:
            slot, started = await budget.take(purpose), clock()
            trip = chance.choice([0.05, 0.5, 3.0]) * chance.random()
            if chance.random() < 0.02:
                arrivals.append(started + DEADLINE * chance.random())
                await asyncio.sleep(trip)
                slot.lost()
            else:
                arrivals.append(started + trip * chance.random())
                await asyncio.sleep(trip)
                slot.answered(None)

        purposes: list[Purpose] = ["takeover", "action", "interactive", "background"]
        async with asyncio.TaskGroup() as backlog:
            for _ in range(600):
                backlog.create_task(send(chance.choice(purposes)))

    simulate(scenario)
    arrivals.sort()
    assert len(arrivals) == 600
    assert min(later - earlier for earlier, later in zip(arrivals, arrivals[100:], strict=False)) >= 60.0


def test_backlog_uses_the_budget_when_answers_are_quick() -> None:
    async def scenario(budget: RateBudget, clock: Callable[[], float]) -> None:
        async def send() -> None:
            slot = await budget.take("action")
            await asyncio.sleep(0.5)
            slot.answered(None)

        async with asyncio.TaskGroup() as backlog:
            for _ in range(1000):
                backlog.create_task(send())
        assert 1000 / (clock() / 60) >= 98

    simulate(scenario)
