"""What a test file says, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from connector.runs.pins import Pins

RunWord = Literal["succeeded", "failed", "held", "not_started"]
StepWord = Literal["succeeded", "failed", "skipped", "held", "not_reached"]


@dataclass(frozen=True, slots=True)
class StepExpectation:
    """Of one step. Only what is not None is compared; of objects only the fields that are given."""

    status: StepWord | None = None
    input: Mapping[str, Any] | None = None
    reason: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """Of a run, as `StepExpectation`."""

    status: RunWord | None = None
    steps: Mapping[str, StepExpectation] = field(default_factory=dict)
    outputs: Mapping[str, Any] | None = None
    reason: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One test. `given` is what the flow reads as `trigger` or `inputs`, and `now` when it starts."""

    name: str
    line: int
    now: datetime
    given: Mapping[str, Any]
    config: Mapping[str, Any]
    pins: Pins
    expect: Expectation
