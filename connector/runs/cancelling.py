"""Which runs of this process a person wants cancelled, and the waits that end for it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from connector.runs import records
from connector.runs.transitions import CancelRequestedError


class Cancelling:
    """`ask` may be told of a run again and again."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._waits: dict[str, set[asyncio.Timeout]] = defaultdict(set)

    @contextmanager
    def of(self, run: records.Run) -> Iterator[None]:
        """While the run is at work."""
        self._asked.discard(run.id)
        if run.cancelling is not None:
            self._asked.add(run.id)
        try:
            yield
        finally:
            self._asked.discard(run.id)
            self._waits.pop(run.id, None)

    def ask(self, run_id: str) -> None:
        """Let nothing more of the run begin, and end its waits."""
        self._asked.add(run_id)
        for wait in self._waits.get(run_id, ()):
            if not wait.expired():
                wait.reschedule(asyncio.get_running_loop().time())

    def require_going_on(self, run_id: str) -> None:
        """Raise CancelRequestedError where the run shall be cancelled."""
        if run_id in self._asked:
            raise CancelRequestedError(f"a person wants the run {run_id} cancelled")

    @asynccontextmanager
    async def wait(self, run_id: str) -> AsyncIterator[None]:
        """A wait during which nothing has been sent. Raises CancelRequestedError where the run shall be cancelled."""
        self.require_going_on(run_id)
        timeout = asyncio.timeout(None)
        self._waits[run_id].add(timeout)
        try:
            async with timeout:
                yield
        except TimeoutError:
            if not timeout.expired():
                raise  # it is one of the wait itself
            self.require_going_on(run_id)
        finally:
            self._waits[run_id].discard(timeout)
