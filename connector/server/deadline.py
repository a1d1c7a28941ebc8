"""The end of a process that was told to end: whatever hangs, it ends in time, and the next one goes on."""

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

log = logging.getLogger(__name__)

SECONDS = 17.0
"""From the signal to the end, where the orderly one does not come."""
_THREADS = 1.0
"""Seconds that threads get when all is kept: what is left in them only reads."""
_SAY = 0.5
"""Seconds for a line in the log, whose reader may hang."""
_SENTENCE = (
    "the process has not ended %.0f s after it was told to, and ends at once; the next one goes on, as after a crash"
)


class Deadline:
    """Ends the process if it does not end by itself. It is kept on a thread: the event loop may be what hangs.

    Its context ends when nothing of the process is left to wait for.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._begun = False
        self._worked, self._ended = threading.Event(), threading.Event()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._worked.set()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def watch_signals(self, told: Callable[[int], None]) -> None:
        """Begin at SIGINT and SIGTERM, and call `told` with the number. A loop's own handlers need it to turn."""

        def handle(number: int, _frame: FrameType | None) -> None:
            self.begin()
            told(number)

        self._before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}

    def begin(self) -> None:
        """The time runs. Only the first call counts."""
        if not self._begun:
            self._begun = True
            threading.Thread(target=self._watch, name="deadline", daemon=True).start()

    def worked(self) -> None:
        """All is kept; only threads are left."""
        self._worked.set()

    def _watch(self) -> None:
        if self._worked.wait(self._seconds):
            if not self._ended.wait(_THREADS):
                os._exit(0)
            return
        saying = threading.Thread(target=log.error, args=(_SENTENCE, self._seconds), daemon=True)
        saying.start()
        saying.join(_SAY)
        os._exit(1)
