"""What became of decisions about many runs at once: for the page that says so, until the server ends."""

import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

MOST = 50
"""Batches that are kept."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`refused` says why the run does not go on."""

    run: str
    refused: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    id: str
    at: datetime
    outcomes: Sequence[Outcome]


@dataclass
class Batches:
    _kept: deque[Batch] = field(default_factory=lambda: deque(maxlen=MOST))

    def keep(self, at: datetime, outcomes: Sequence[Outcome]) -> Batch:
        batch = Batch(secrets.token_hex(8), at, outcomes)
        self._kept.appendleft(batch)
        return batch

    def find(self, batch_id: str) -> Batch | None:
        return next((one for one in [*self._kept] if one.id == batch_id), None)
