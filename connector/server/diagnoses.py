"""Tests connections for a page: one at a time, and for as long as somebody looks at a page that loads."""

import asyncio
from dataclasses import dataclass, field

from connector.diagnosis.findings import Finding, Findings, fail
from connector.diagnosis.limits import start

MOST_SECONDS = 30.0


@dataclass(slots=True)
class Diagnoses:
    """`seconds` is how long one waits for a test, and for the one before it."""

    seconds: float = MOST_SECONDS
    _free: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def collect(self, findings: Findings) -> list[Finding]:
        """What is found on another thread within the time, and that there is more where it did not suffice.

        A thread cannot be stopped: a test that takes longer goes on, and the next one waits for its end.
        """
        found: list[Finding] = []

        def work() -> None:
            for finding in findings:
                found.append(finding)  # noqa: PERF402 # it is read before the last one is there

        try:
            async with asyncio.timeout(self.seconds):
                await self._free.acquire()
                ended = asyncio.wrap_future(start(work))
                ended.add_done_callback(lambda _ended: self._free.release())
                await asyncio.shield(ended)
        except TimeoutError:
            step = "test it again; chatforge doctor takes the time that it needs"
            return [*found, fail("time", f"{self.seconds:g} s did not suffice for the rest", step)]
        return found
