"""Who is told how runs go on: what counts them, what traces them. It gets records, and cannot fail a run.

They are told as soon as it is known, which may be before it is written: a process that ends in between tells it again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

from connector.runs import records
from connector.runs.records import Failure

log = logging.getLogger(__name__)
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Part:
    """A run from its beginning, or from the last decision of a person on, until it ends."""

    run: records.Run
    number: int
    """How many decisions came before."""
    since: datetime


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attempt of a call that has ended."""

    part: Part
    step: str
    action: str
    number: int
    status: records.StepStatus
    """`waiting`: it is tried again."""
    error: str | None
    """The kind."""
    started_at: datetime
    sent_at: datetime | None
    """When it stopped waiting and may have sent; None: it did not come so far, or in another process."""
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that goes on no more, unless a person says so."""

    part: Part
    status: records.RunStatus
    error: str | None
    """The kind."""
    at: datetime


class Observer(Protocol):
    def step_changed(self, attempt: Attempted) -> None: ...

    def run_changed(self, ended: Ended) -> None: ...


@dataclass(frozen=True, slots=True)
class _Begun:
    number: int
    started_at: datetime
    sent_at: datetime | None


@dataclass(slots=True)
class Observation:
    """One run while a process works on it."""

    part: Part
    clock: Callable[[], datetime]
    observers: Sequence[Observer] = ()
    _begun: dict[str, _Begun] = field(default_factory=dict)

    def begin(self, step: str, number: int, *, sending: bool) -> None:
        """An attempt begins, or is about to send."""
        now = self.clock()
        begun = self._begun.get(step)
        if begun is None or begun.number != number:
            begun = _Begun(number, now, None)
        self._begun[step] = replace(begun, sent_at=now) if sending else begun

    def end(self, step: str, action: str, status: records.StepStatus, error: Failure | None) -> None:
        """A step has ended or is tried again. Nothing is told of one without an attempt, such as a `wait`."""
        now = self.clock()
        begun = self._begun.pop(step, None)
        if begun is None and error is not None and error.step == step and error.attempts:
            begun = _Begun(error.attempts, now, None)  # one that another process began
        if begun is not None:
            kind = error.kind if error else None
            attempt = Attempted(
                self.part, step, action, begun.number, status, kind, begun.started_at, begun.sent_at, now
            )
            for observer in self.observers:
                _tell(observer.step_changed, attempt)

    def end_run(self, status: records.RunStatus, error: Failure | None) -> None:
        ended = Ended(self.part, status, error.kind if error else None, self.clock())
        for observer in self.observers:
            _tell(observer.run_changed, ended)


def _tell(observer: Callable[[Told], None], told: Told) -> None:
    try:
        observer(told)
    except Exception:
        log.exception("a fault of this program; the run goes on")
