"""The rule as tables, and who is served when; time is simulated."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest
from chatforge.simulation import OK, Freezer, Machine, simulate, take_all

from connector.chatforge.budget import RateBudget, RateSlot
from connector.chatforge.budget.ledger import FORGOTTEN_AFTER, LOOK_AGAIN
from connector.chatforge.budget.rule import DEADLINE, DOUBT, LEFT_OVER, WINDOW, Rule, Starts, TakenSlot
from connector.transport import Purpose

NOW = 1000.0


def taken(count: int, free_in: float = 60.0, purpose: Purpose = "action") -> list[TakenSlot]:
    return [TakenSlot(f"{purpose} {number} {free_in}", "p", purpose, 0.0, NOW + free_in) for number in range(count)]


@pytest.mark.parametrize(
    ("slots", "purpose", "idle", "delay"),
    [
        pytest.param(taken(50), "background", 0.0, 0.0, id="half-taken"),
        pytest.param(taken(51, 9.0), "action", 0.0, 0.6, id="more-than-half-spreads"),
        pytest.param(taken(51, 9.0), "interactive", 0.4, 0.2, id="rest-of-the-spread"),
        pytest.param(taken(51, 9.0), "action", 0.7, 0.0, id="spread-is-over"),
        pytest.param(taken(99), "takeover", 0.0, 0.0, id="takeover-skips-the-spread"),
        pytest.param(taken(50) + taken(1, 0.1), "action", 0.0, 0.1, id="half-again-before-the-spread-is-over"),
        pytest.param(taken(51), "action", 0.0, 60 / (49 + LEFT_OVER), id="rest-lasts-until-the-next-is-freed"),
        pytest.param(taken(90, 20.0), "action", 0.0, 20 / (10 + LEFT_OVER), id="fewer-left-last-as-long"),
        pytest.param(taken(90, 20.0), "action", 1.0, 21 / (10 + LEFT_OVER) - 1, id="reckoned-from-the-last-start"),
        pytest.param(taken(98) + taken(1, 5.0), "action", 0.0, 5 / (1 + LEFT_OVER), id="last-one-waits-for-the-next"),
        pytest.param(taken(98) + taken(1, 0.1), "action", 0.0, 0.6, id="but-not-less-than-the-spread"),
        pytest.param(taken(99) + taken(1, 7.0), "takeover", 0.0, 7.0, id="all-taken"),
        pytest.param(taken(99) + taken(1, 0.0), "takeover", 0.0, 0.0, id="freed-this-moment"),
        pytest.param(taken(105) + taken(1, 7.0), "takeover", 0.0, 60.0, id="limit-was-lowered"),
        pytest.param(taken(69, 9.0, "background"), "background", 9.0, 0.0, id="background-below-its-share"),
        pytest.param(taken(70, 9.0, "background"), "background", 9.0, 9.0, id="background-at-its-share"),
        pytest.param(taken(70, 9.0, "background"), "interactive", 9.0, 0.0, id="others-beside-background"),
        pytest.param(taken(70, 9.0), "background", 9.0, 0.0, id="background-beside-others"),
    ],
)
def test_delay_follows_the_slots_in_use(slots: list[TakenSlot], purpose: Purpose, idle: float, delay: float) -> None:
    starts = Starts(NOW - idle, NOW - idle)
    assert Rule(100).delay(slots, purpose, starts, NOW) == pytest.approx(delay, abs=1e-9)


def test_account_that_never_started_anything_has_a_rule() -> None:
    assert Rule(100).delay(taken(60, 9.0), "action", Starts(), NOW) == 0.0


def test_smallest_limit_serves_every_purpose() -> None:
    assert Rule(1).delay([], "background", Starts(0.0, 0.0), 60.0) == 0.0
    assert Rule(1).delay(taken(1, 5.0, "background"), "background", Starts(0.0, 0.0), NOW) == 5.0


@pytest.mark.parametrize(
    ("late", "next_wait"),
    [pytest.param(0.0, 0.6, id="in-time"), pytest.param(0.2, 0.4, id="late"), pytest.param(9.0, 0.0, id="idle")],
)
def test_late_start_does_not_delay_the_one_after_it(late: float, next_wait: float) -> None:
    started = NOW + 0.6 + late
    starts = Starts(NOW, NOW).after(started, 0.6)
    assert starts.due + 0.6 - started == pytest.approx(next_wait)
    assert starts.last == started


@pytest.mark.parametrize(
    ("end", "after", "free_at"),
    [
        pytest.param(lambda slot: slot.answered(OK), 5.0, 5.0 + WINDOW, id="answered"),
        pytest.param(lambda slot: slot.answered(None), 5.0, 5.0 + WINDOW, id="refused"),
        pytest.param(RateSlot.unused, 5.0, 5.0, id="unused"),
        pytest.param(RateSlot.lost, 5.0, DEADLINE + DOUBT, id="lost"),
        pytest.param(RateSlot.lost, 70.0, 70.0 + DOUBT, id="lost-after-the-deadline"),
        pytest.param(repr, 5.0, DEADLINE + DOUBT, id="forgotten"),
    ],
)
@pytest.mark.parametrize("other", [False, True], ids=["here", "in-another-process"])
def test_slot_is_free_again_when_its_request_cannot_count_any_more(
    end: Callable[[RateSlot], object], after: float, free_at: float, other: bool
) -> None:
    async def scenario(machine: Machine) -> None:
        budget = machine.process()
        slots = await take_all(budget)
        assert machine.now() == 0.0
        waiting = machine.process() if other else budget
        next_take = asyncio.create_task(waiting.take("takeover"))
        await asyncio.sleep(after)
        for slot in slots:
            end(slot)
        await next_take
        assert free_at <= machine.now() <= free_at + (LOOK_AGAIN if other else 1e-6)

    simulate(scenario)


@pytest.mark.parametrize("processes", [1, 2, 6])
def test_purposes_are_served_by_rank_then_arrival(processes: int) -> None:
    async def scenario(machine: Machine) -> None:
        budgets = [machine.process() for _ in range(processes)]
        slots = await take_all(budgets[0])
        wanted: list[tuple[Purpose, int]] = [
            ("background", 1), ("interactive", 2), ("action", 3), ("takeover", 4), ("action", 5), ("takeover", 6)
        ]  # fmt: skip
        tasks = []
        for purpose, number in wanted:
            await asyncio.sleep(0.001)
            tasks.append(asyncio.create_task(machine.work(str(number), budgets[number % processes], purpose)))
        await asyncio.sleep(1)
        for slot in slots[:6]:
            slot.unused()
        await asyncio.gather(*tasks)
        ranks = [dict(reversed(item) for item in wanted)[int(name)] for name in machine.names]
        assert ranks == ["takeover", "takeover", "action", "action", "interactive", "background"]
        if processes == 1:
            assert machine.names == ["4", "6", "3", "5", "2", "1"]

    simulate(scenario)


def test_takeover_overtakes_those_who_wait_for_the_spread() -> None:
    async def scenario(machine: Machine) -> None:
        here, there = machine.process(), machine.process()
        slots = await take_all(there, 51)
        for slot in slots:
            slot.answered(OK)
        spread = asyncio.create_task(machine.work("read", there, "action"))
        await asyncio.sleep(0.1)
        await machine.work("takeover", here, "takeover")
        assert machine.served == [("takeover", pytest.approx(0.1))]
        await spread
        assert machine.served[1][1] > 0.7  # spread from the takeover, the last start

    simulate(scenario)


def test_takeover_in_one_process_comes_before_all_reads_of_another() -> None:
    async def scenario(machine: Machine) -> None:
        here, there = machine.process(), machine.process()
        slots = await take_all(there)
        reads = [asyncio.create_task(machine.work("read", there, "interactive")) for _ in range(500)]
        await asyncio.sleep(60.3)  # the reads look again at each half second
        takeover = asyncio.create_task(machine.work("takeover", here, "takeover"))
        await asyncio.sleep(0.1)
        for slot in slots[:5]:
            slot.unused()
        await takeover
        assert machine.names[0] == "takeover"
        assert machine.now() <= 60.4 + LOOK_AGAIN
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)

    simulate(scenario)


def test_processes_with_equal_ranks_take_turns() -> None:
    """Each of the lone reads waits for a few turns, not for the backlog of the others."""

    async def scenario(machine: Machine) -> None:
        there, other = machine.process(), machine.process()
        await take_all(machine.process(), 51)
        backlog = [asyncio.create_task(machine.work("backlog", there, "interactive", 0.1)) for _ in range(100)]
        for _ in range(5):
            await asyncio.sleep(20)
            before = len(machine.served)
            await machine.work("lone", other, "interactive", 0.1)
            assert len(machine.served) - before <= 3
        for task in backlog:
            task.cancel()
        await asyncio.gather(*backlog, return_exceptions=True)

    simulate(scenario)


def test_two_backlogs_get_the_same() -> None:
    async def scenario(machine: Machine) -> None:
        budgets = {"a": machine.process(), "b": machine.process()}
        tasks = [
            asyncio.create_task(machine.work(name, budget, "action", 0.1))
            for name, budget in budgets.items()
            for _ in range(150)
        ]
        await asyncio.gather(*tasks)
        late = Counter(machine.names[60:140])
        assert abs(late["a"] - late["b"]) <= 4

    simulate(scenario)


def test_below_half_nobody_waits_for_other_processes() -> None:
    async def scenario(machine: Machine) -> None:
        await asyncio.gather(*(machine.work("read", machine.process(), "background") for _ in range(48)))
        assert machine.now() == 0.0

    simulate(scenario)


def test_process_that_died_while_it_waited_is_forgotten() -> None:
    async def scenario(machine: Machine) -> None:
        slots = await take_all(machine.process())
        freezer = Freezer(machine.memory)
        dead = asyncio.create_task(machine.process(freezer).take("takeover"))
        await asyncio.sleep(1)
        freezer.frozen = True
        await asyncio.sleep(LOOK_AGAIN)
        slots[0].unused()
        await machine.work("takeover", machine.process(), "takeover")
        assert FORGOTTEN_AFTER < machine.now() <= 1 + LOOK_AGAIN + FORGOTTEN_AFTER + 0.2
        dead.cancel()
        await asyncio.gather(dead, return_exceptions=True)

    simulate(scenario)


def test_cancelled_waiter_takes_nothing_and_lets_the_next_go_on() -> None:
    async def scenario(machine: Machine) -> None:
        budget = machine.process()
        slots = await take_all(budget)
        first, second = (asyncio.create_task(budget.take("takeover")) for _ in range(2))
        await asyncio.sleep(1)
        slots[0].unused()
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        await second
        assert machine.now() == 1.0

    simulate(scenario)


@pytest.mark.parametrize("seed", range(3))
def test_backlog_never_exceeds_the_limit_in_any_window(seed: int) -> None:
    """The server counts a request at any moment of its round trip; a lost one until its deadline."""
    chance, arrivals = random.Random(seed), []  # noqa: S311 - a simulation

    async def scenario(machine: Machine) -> None:
        budgets = [machine.process() for _ in range(2)]

        async def send(purpose: Purpose) -> None:
            slot, started = await chance.choice(budgets).take(purpose), machine.now()
            trip = chance.choice([0.05, 0.5, 3.0]) * chance.random()
            if chance.random() < 0.02:
                arrivals.append(started + DEADLINE * chance.random())
                await asyncio.sleep(trip)
                slot.lost()
            else:
                arrivals.append(started + trip * chance.random())
                await asyncio.sleep(trip)
                slot.answered(OK)

        purposes: list[Purpose] = ["takeover", "action", "interactive", "background"]
        async with asyncio.TaskGroup() as backlog:
            for _ in range(300):
                backlog.create_task(send(chance.choice(purposes)))

    simulate(scenario)
    arrivals.sort()
    assert len(arrivals) == 300
    assert min(later - earlier for earlier, later in zip(arrivals, arrivals[100:], strict=False)) >= 60.0


@pytest.mark.parametrize("trip", [0.05, 0.5])
def test_backlog_uses_the_budget_and_takeovers_hardly_wait(trip: float) -> None:
    """R2 and R3, from the first minute on; 700 reads wait in another process than the takeovers."""

    async def scenario(machine: Machine) -> None:
        here, there = machine.process(), machine.process()
        backlog = [asyncio.create_task(machine.work("read", there, "interactive", trip)) for _ in range(700)]
        waits, chance, takeovers = [], random.Random(1), []  # noqa: S311 - a simulation

        async def take_over() -> None:
            begun = machine.now()
            slot = await machine.work("takeover", here, "takeover")
            waits.append(machine.now() - begun)
            await asyncio.sleep(trip)
            slot.answered(OK)

        while machine.now() < 300:
            await asyncio.sleep(chance.uniform(1, 5))
            takeovers.append(asyncio.create_task(take_over()))
        await asyncio.gather(*takeovers)
        assert sum(at < 300 for _, at in machine.served) >= 0.98 * 500
        assert sorted(waits)[int(0.99 * len(waits))] <= 1.5
        for task in backlog:
            task.cancel()
        await asyncio.gather(*backlog, return_exceptions=True)

    simulate(scenario)


def test_budget_may_be_used_again_after_it_was_closed() -> None:
    async def use() -> None:
        budget = RateBudget(1)
        for _ in range(2):
            (await budget.take("action")).unused()
            await budget.aclose()

    asyncio.run(use())
