"""An event loop whose time passes only while everybody waits: hours of polling take milliseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Skipping(selectors.SelectSelector):
    """Nothing comes from outside, so a wait is over at once."""

    def __init__(self, loop: "VirtualLoop") -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits for something that never comes")
        self._loop.elapsed += timeout + 1e-6 if timeout > 0 else 0.0  # a wait that ends too early never ends
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` are the seconds since it was made."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        super().__init__(_Skipping(self))
        self.set_exception_handler(lambda _loop, _context: None)  # what a crashed process leaves behind

    def time(self) -> float:
        return self.elapsed


def run(work: Coroutine[Any, Any, Result]) -> Result:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
