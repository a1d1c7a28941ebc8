"""A checked flow, ready to run: every slot is compiled."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.flows.slots import Expression, Template


@dataclass(frozen=True, slots=True)
class TriggerUse:
    uses: str
    connection: str
    input: Mapping[str, Any]
    condition: Expression | None
    id: str | None = None
    """The name that the file gives it."""


@dataclass(frozen=True, slots=True)
class Dedupe:
    """At most one run per value of `key` within `window` seconds, counted from the last run that started."""

    key: Expression
    window: float


@dataclass(frozen=True, slots=True)
class Retry:
    """Delays are in seconds; they double from `delay` to `max_delay` and are drawn with full jitter."""

    max_attempts: int = 6
    delay: float = 1.0
    max_delay: float = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    id: str
    name: str | None
    uses: str
    connection: str
    condition: Expression | None
    not_after: Expression | None
    input: Template
    retry: Retry
    timeout: float
    """Seconds for one attempt, counted from when it may send."""
    continue_on_error: bool


@dataclass(frozen=True, slots=True)
class Flow:
    name: str
    description: str
    enabled: bool
    trigger: TriggerUse
    dedupe: Dedupe | None
    steps: tuple[Step, ...]
    on_error: tuple[Step, ...]
    outputs: Template | None
    source: str

    @property
    def revision(self) -> str:
        """What a run is pinned to: the digest of the file's text."""
        return hashlib.sha256(self.source.encode("utf-8", "surrogatepass")).hexdigest()
