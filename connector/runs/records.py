"""What the journal holds, as values. Times are aware UTC datetimes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal

from connector.declare import Source

RunStatus = Literal["queued", "running", "waiting", "held", "succeeded", "failed", "cancelled"]
StepStatus = Literal["started", "sending", "waiting", "succeeded", "failed", "skipped", "held"]
EventStatus = Literal["accepted", "held"]

LONGEST_KEY = 500
"""Characters of JSON."""

ENDED: frozenset[RunStatus] = frozenset({"held", "succeeded", "failed", "cancelled"})
"""A run with one of these goes on only when a person says so."""
FINISHED: frozenset[StepStatus] = frozenset({"succeeded", "failed", "skipped", "held"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step or a run did not succeed; what a flow reads as `error`."""

    step: str
    action: str
    message: str
    kind: str
    attempts: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    connector: str
    connection: str
    name: str
    occurred_at: datetime | None
    received_at: datetime
    status: EventStatus
    text: str | None
    """None once it was removed."""
    identity: str
    source: Source
    headers: Mapping[str, str] | None = None
    """Those of a webhook."""
    exact: bool = True
    """Whether the signature of a webhook fits its body as it came."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A run or an event whose row this package did not write like that; a list goes on with the others."""

    id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Start:
    """What a flow made of an event: the run, or the reason why there is none."""

    flow: str
    run_id: str | None
    reason: str | None
    held: bool = False
    """Whether the event could not be decided, and waits for a person."""


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    flow: str
    revision: str
    event_id: str
    trigger: dict[str, Any]
    status: RunStatus
    epoch: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    wake_at: datetime | None
    outputs: Any
    error: Failure | None
    without_once: bool = False
    """Whether steps that act on somebody once are left out, as a backfill does."""
    backfill: bool = False
    """Whether it is about something old, and waits for those that are not."""
    worked: float = 0.0
    """Seconds, without those for which it waited or was held, until it was left last."""
    reason: str | None = None
    """Why a `stop` or a person ended it."""
    lane: Any = None
    """The key of `concurrency`."""
    cancelling: str | None = None
    """Why it shall be cancelled, while it is at work."""
    trace: str | None = None
    """The id of its trace of OpenTelemetry."""


@dataclass(frozen=True, slots=True)
class Step:
    id: str
    action: str
    status: StepStatus
    input: dict[str, Any] | None
    output: Any
    reason: str | None
    error: Failure | None
    attempts: int
    started_at: datetime
    finished_at: datetime | None
    wake_at: datetime | None = None
    """When it goes on, where it waits."""
    kept: Mapping[str, Any] = field(default_factory=dict)
    """What its action keeps for later attempts."""
    requests: Sequence[Mapping[str, Any]] = ()
    """Those of HTTP that its last attempt made, as `connector/exchanges.py` describes them."""


@dataclass(frozen=True, slots=True)
class Attempt:
    step: str
    number: int
    started_at: datetime
    sent_at: datetime | None
    finished_at: datetime | None
    error: str | None
    requests: Sequence[Mapping[str, Any]] = ()


def as_json(value: Any) -> str | None:
    """ASCII-escaped JSON, in which lone surrogates and NUL survive; NULL for None."""
    return None if value is None else json.dumps(value)


def as_key(value: Any) -> str:
    """JSON for an index; by its digest where it is long, since Postgres takes at most 2,704 bytes into an index."""
    text = json.dumps(value)
    return text if len(text) <= LONGEST_KEY else json.dumps(f"sha256:{sha256(text.encode()).hexdigest()}")


def first_id(kind: str, moment: datetime) -> str:
    """With this begins the lowest id of what is made at that time."""
    return f"{kind}_{int(moment.timestamp() * 1000):011x}"


def write_time(moment: datetime) -> str:
    """Fixed width, so that times order as texts."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_time(text: str) -> datetime:
    """Raises ValueError and TypeError for what `write_time` has not written."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text!r} has no zone")
    return moment
