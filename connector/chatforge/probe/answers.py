"""What was asked and what came: single answers, all that was asked of one list, and the traffic as a whole."""

import hashlib
import json
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

Item = Mapping[str, Any]

HEADERS = re.compile(r"(date|retry-after|server|via|age|cache-control|.*-cache|.*-cache-status|(x-)?ratelimit(-.*)?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}")


@dataclass(frozen=True, slots=True)
class Seen:
    """A request and its answer. `request` names action and parameters, but no agent."""

    request: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float

    @property
    def document(self) -> Any:
        """The body as JSON; None where it is none or the status is not 2xx."""
        return read_json(self.body) if 200 <= self.status < 300 else None

    def items(self, key: str) -> Sequence[Item] | None:
        """The objects of a list; None where there is no such list."""
        found = self.document.get(key) if isinstance(self.document, dict) else None
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else None


@dataclass(frozen=True, slots=True)
class Fact:
    """What was found, and by which requests."""

    topic: str
    what: str
    found: str
    how: str


@dataclass(slots=True)
class ListAnswers:
    """What was asked of one list; None where it was not."""

    topic: str
    key: str
    item: type[BaseModel]
    page: type[BaseModel]
    leave_out: Sequence[str] = ()
    """Fields of the items that are not documented for the list."""
    limits: dict[int, Seen] = field(default_factory=dict)
    default: Seen | None = None
    again: Seen | None = None
    """The fullest page, asked for once more."""
    shifted: tuple[int, Seen] | None = None
    """The fullest page from an offset on that lies within it, and that offset."""
    after: Seen | None = None
    """What follows the fullest page."""
    odd: list[Seen] = field(default_factory=list)
    """With a limit that is none, or from an offset on that no list reaches."""
    total: int | None = None
    """From Get Analytics."""

    @property
    def pages(self) -> list[Seen]:
        """What was asked for from the list's beginning."""
        return [*self.limits.values(), *(seen for seen in (self.default, self.again) if seen)]

    @property
    def fullest(self) -> Seen | None:
        """The page with the most items, of those the one with the lowest limit."""
        return max(self.pages, key=lambda seen: len(seen.items(self.key) or ()), default=None)

    @property
    def listed(self) -> Sequence[Item]:
        """The items of the fullest page."""
        return (self.fullest.items(self.key) if self.fullest else None) or ()

    @property
    def following(self) -> Sequence[Item] | None:
        """The items after the fullest page; None where that was not asked or not answered."""
        return self.after.items(self.key) if self.after else None


def read_json(body: bytes) -> Any:
    """The value, or None where the body is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def digest(text: str) -> str:
    """The same short text for the same id."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def count(number: int, noun: str = "item") -> str:
    """`1 item`, `2 items`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def safe_name(name: str) -> str:
    """The name of a field, unless it might be something that a person wrote."""
    return name if _NAME.fullmatch(name) else f"(a name that is not shown, {len(name)} characters)"


def describe_answer(seen: Seen) -> str:
    """`404, application/json, keys error, 38 bytes`; the text itself may repeat what was asked."""
    kind = seen.headers.get("content-type", "").partition(";")[0].strip()[:60] or "no content type"
    document = read_json(seen.body)
    keys = [f"keys {', '.join(sorted(map(safe_name, document)))}"] if isinstance(document, dict) else []
    return ", ".join([str(seen.status), kind, *keys, f"{len(seen.body)} bytes"])


def traffic_facts(answers: Sequence[Seen]) -> Iterator[Fact]:
    """Headers that matter here, and how long the answers took."""
    values = _header_values(answers)
    for name, found in sorted(values.items()):
        shown = ", ".join(value for value, _ in found.most_common(3))
        more = f", and {len(found) - 3} other values" if len(found) > 3 else ""
        yield Fact("headers", name, shown + more, f"{found.total()} of {len(answers)} answers")
    dated = sum("date" in seen.headers for seen in answers)
    yield Fact("headers", "date", "present" if dated else "missing", f"{dated} of {len(answers)} answers")
    if not any(name.endswith("retry-after") or "ratelimit" in name for name in values):
        yield Fact("headers", "rate headers", "none", f"{len(answers)} answers")
    if answers:
        times = sorted(seen.seconds * 1000 for seen in answers)
        span = f"median {statistics.median(times):.0f} ms, {times[0]:.0f} to {times[-1]:.0f} ms"
        yield Fact("answers", "latency", span, f"{len(answers)} answers")


def _header_values(answers: Sequence[Seen]) -> dict[str, Counter[str]]:
    values: dict[str, Counter[str]] = {}
    for seen in answers:
        for name, value in seen.headers.items():
            if HEADERS.fullmatch(name.lower()) and name.lower() != "date":
                values.setdefault(name.lower(), Counter())[value[:60]] += 1
    return values
