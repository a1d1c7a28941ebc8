"""An event loop whose time is simulated: timers fire in order, and nothing sleeps. Budgets on it share one ledger."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import httpx

from connector.chatforge.budget import Clock, Memory, RateBudget, RateSlot
from connector.chatforge.budget.shared import Result, Storage, Work
from connector.transport import Purpose

OK, REFUSED = httpx.Response(200), httpx.Response(429)


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


@dataclass
class Freezer:
    """Passes on what one process does, until that is frozen."""

    memory: Memory
    frozen: bool = False
    fault: str | None = None

    async def run(self, work: Work[Result]) -> Result:
        return await (asyncio.Event().wait() if self.frozen else self.memory.run(work))  # type: ignore[return-value]

    async def aclose(self) -> None: ...


@dataclass
class Machine:
    """What processes share. `process()` makes the budget of one more."""

    limit: int = 100
    memory: Memory = field(default_factory=Memory)
    served: list[tuple[str, float]] = field(default_factory=list)
    """What `work` was granted, with the time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def process(self, storage: Storage | None = None) -> RateBudget:
        return RateBudget(self.limit, storage or self.memory, "account", Clock(self.now, self.now))

    async def work(self, name: str, budget: RateBudget, purpose: Purpose, trip: float = 0.0) -> RateSlot:
        """Take a slot and note it; with a `trip`, be answered after that."""
        slot = await budget.take(purpose)
        self.served.append((name, self.now()))
        if trip:
            await asyncio.sleep(trip)
            slot.answered(OK)
        return slot

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.served]


def simulate(scenario: Callable[[Machine], Coroutine[Any, Any, None]], limit: int = 100) -> None:
    """Run the scenario on a machine whose clock begins at 0."""

    async def run() -> None:
        machine = Machine(limit)
        await scenario(machine)
        await machine.memory.aclose()

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(run())


async def take_all(budget: RateBudget, count: int = 100) -> list[RateSlot]:
    """So many slots at one instant, which only takeovers may do."""
    return [await budget.take("takeover") for _ in range(count)]
