"""What answers of ChatForge tell about what its reference leaves open: order, limits, fields, errors. Pure.

Facts can be handed on. They hold names of fields, counts, statuses and short digests of ids, never a value that a
visitor, an author or the owner of the account wrote.
"""

import hashlib
import json
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from connector.chatforge.models import Agent, Analytics, Counts

Item = Mapping[str, Any]

FULL_AGENT_ONLY = ("system_prompt", "knowledge_base")
"""What List Agents does not show; the reference, "List Agents" and "Get Agent"."""
HEADERS = re.compile(r"(date|retry-after|server|via|age|cache-control|.*-cache|.*-cache-status|(x-)?ratelimit(-.*)?)")
_EVIDENCE = 8
"""Fewer items may stand in order by chance."""
_MOSTLY = 0.8
"""The part of a page that shows that it is the expected one, though in another order."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null", list: "array"}


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
    """What was asked of one list; None where it was not. Offsets stand beside their pages."""

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
    after: tuple[int, Seen] | None = None
    beyond: tuple[int, Seen] | None = None
    odd: list[Seen] = field(default_factory=list)
    """With limits that are none."""
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


def read_json(body: bytes) -> Any:
    """The value, or None where the body is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def digest(text: str) -> str:
    """The same short text for the same id."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def list_facts(answers: ListAnswers) -> Iterator[Fact]:
    """All that is told by what was asked of one list."""
    page = answers.fullest
    items = page.items(answers.key) if page else None
    if page is None or items is None:
        how = describe_answer(page) if page else "not asked"
        yield Fact(answers.topic, "list", "not readable", f"{page.request if page else answers.topic}: {how}")
        return
    yield Fact(answers.topic, "order", *find_order(items, page.request))
    yield Fact(answers.topic, "repeated reads", *compare_reads(page, answers.pages, answers.key))
    if len(answers.limits) > 1:
        yield Fact(answers.topic, "largest limit", *find_largest_limit(answers))
        yield Fact(answers.topic, "offset", *find_offset(answers))
        yield Fact(answers.topic, "total", *compare_total(answers))
    if answers.default is not None:
        yield Fact(answers.topic, "without limit", _came(answers.default, answers.key), answers.default.request)
    for seen in answers.odd + ([answers.beyond[1]] if answers.beyond else []):
        yield Fact(answers.topic, seen.request.partition(" ")[2], _came(seen, answers.key), seen.request)
    if isinstance(page.document, dict):
        yield from describe_fields(answers.topic, "answer", [page.document], answers.page, page.request)
    yield from describe_fields(answers.topic, "item", items, answers.item, page.request, answers.leave_out)
    yield from describe_forms(answers.topic, items, page.request)


def _came(seen: Seen, key: str) -> str:
    items = seen.items(key)
    if items is None:
        return describe_answer(seen)
    echoed = [f"{name} {seen.document[name]}" for name in ("limit", "offset") if type(seen.document.get(name)) is int]
    return _count(len(items)) + (f"; the answer says {', '.join(echoed)}" if echoed else "")


def _count(number: int) -> str:
    return "1 item" if number == 1 else f"{number} items"


def find_order(items: Sequence[Item], request: str) -> tuple[str, str]:
    """newest_first, oldest_first, neither, or too few to tell; ties fit any order."""
    times = [moment for item in items if (moment := _time(item.get("created_at"))) is not None]
    missing = len(items) - len(times)
    ties = sum(number for number in Counter(times).values() if number > 1)
    how = f"{request}: {_count(len(items))} by created_at, {ties} with a time that another has"
    how += f", {missing} without a readable time" if missing else ""
    rising, falling = times == sorted(times), times == sorted(times, reverse=True)
    if not rising and not falling:
        return "neither", how
    if rising and falling:
        return "too few to tell", how + (", all of one time" if len(times) > 1 else "")
    order = "oldest_first" if rising else "newest_first"
    return (order, how) if len(times) >= _EVIDENCE else ("too few to tell", f"{how}; they stand {order}")


def _time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def compare_reads(first: Seen, others: Sequence[Seen], key: str) -> tuple[str, str]:
    """Whether what is in the first page and in another one of the same offset stands in the same order in both."""
    page = _by_id(first, key)
    moved, tied, compared, reads = 0, True, 0, 0
    for other in (_by_id(seen, key) for seen in others if seen is not first):
        one, two = [name for name in page if name in other], [name for name in other if name in page]
        pairs = [(a, b) for a, b in zip(one, two, strict=True) if a != b]
        moved, compared, reads = max(moved, len(pairs)), max(compared, len(one)), reads + (len(one) > 1)
        tied = tied and all(page[a].get("created_at") == other[b].get("created_at") for a, b in pairs)
    how = f"{first.request} and {reads} other reads: at most {_count(compared)} in both, {moved} at another place"
    if reads == 0:
        return "too few to tell", how
    if not moved:
        return "same order", how
    return (
        f"order changes, {'only' if tied else 'also'} among items of {'one time' if tied else 'different times'}",
        how,
    )


def _by_id(seen: Seen, key: str) -> dict[str, Item]:
    return {item["id"]: item for item in seen.items(key) or () if isinstance(item.get("id"), str)}


def find_largest_limit(answers: ListAnswers) -> tuple[str, str]:
    """How many items a page has at most, as far as the list is long enough to show it."""
    counts = {limit: seen.items(answers.key) for limit, seen in answers.limits.items()}
    came = {limit: len(items) for limit, items in counts.items() if items is not None}
    shown = [f"{limit}: {came.get(limit, answers.limits[limit].status)}" for limit in sorted(counts)]
    how = f"{answers.topic}, asked: came (items, or the status): {', '.join(shown)}"
    most, honoured = max(came.values(), default=0), max((limit for limit in came if came[limit] == limit), default=0)
    refused = sorted(counts.keys() - came.keys())
    words = f"; {', '.join(map(str, refused))} refused" if refused else ""
    beyond = [limit for limit in came if limit > most]
    if beyond and has_more(answers, most):
        return f"{most}{words}", f"{how}; there are more than {most}"
    if beyond:
        return f"at least {honoured}; too few items to tell more{words}", how
    return (f"at least {honoured}{words}" if honoured else f"too few to tell{words}"), how


def has_more(answers: ListAnswers, most: int) -> bool:
    """Whether the list has more items than the fullest page."""
    if answers.total is not None and answers.total > most:
        return True
    known = {item.get("id") for item in (answers.fullest.items(answers.key) if answers.fullest else None) or ()}
    after = answers.after[1].items(answers.key) if answers.after else None
    return any(item.get("id") not in known for item in after or ())


def find_offset(answers: ListAnswers) -> tuple[str, str]:
    """Whether a page at an offset goes on where the fullest page has that item."""
    first = answers.fullest.items(answers.key) if answers.fullest else None
    if answers.shifted is None or not first:
        return "too few to tell", f"{answers.topic}: {_count(len(first or ()))}"
    offset, seen = answers.shifted
    shifted = [item.get("id") for item in seen.items(answers.key) or ()]
    ids = [item.get("id") for item in first]
    expected = ids[offset:][: len(shifted)]
    right = sum(a == b for a, b in zip(shifted, expected, strict=False))
    how = f"{seen.request}: {right} of {len(expected)} items where the page without offset has them"
    if shifted and right == len(expected) == len(shifted[: len(expected)]):
        return "works", how
    if shifted and shifted == ids[: len(shifted)]:
        return "no effect", how
    if expected and len(set(shifted) & set(expected)) >= _MOSTLY * len(expected):
        return "works, but the order is another one", how
    return (f"refused, {describe_answer(seen)}" if seen.items(answers.key) is None else "unclear"), how


def compare_total(answers: ListAnswers) -> tuple[str, str]:
    """Get Analytics beside what is listed, where one page has all."""
    listed = len((answers.fullest.items(answers.key) if answers.fullest else None) or ())
    how = f"v1-analytics: {answers.total}; {answers.fullest.request if answers.fullest else ''}: {_count(listed)}"
    if answers.total is None:
        return "not in v1-analytics", how
    if listed == answers.total:
        return ("more are listed" if has_more(answers, listed) else "equals the list"), how
    if listed > answers.total:
        return "less than is listed", how
    after = answers.after[1].items(answers.key) if answers.after else None
    if after is None or after:
        return "too many to compare", f"{how}; not all of them are on one page"
    return "more than is listed", how


def describe_fields(
    topic: str, part: str, items: Sequence[Item], model: type[BaseModel], request: str, leave_out: Sequence[str] = ()
) -> Iterator[Fact]:
    """The documented fields that are missing, null or of another type, and the names of others."""
    if not items:
        yield Fact(topic, f"{part} fields", "none to look at", request)
        return
    documented = {name: kind for name, kind in _kinds(model).items() if name not in leave_out}
    odd = [words for name, kinds in documented.items() for words in _describe_field(name, kinds, items)]
    how = request if len(items) == 1 else f"{request}: {_count(len(items))}"
    others = Counter(name for item in items for name in item if name not in documented)
    shown = sorted(f"{safe_name(name)} ({_json_kinds(name, items)}; in {number})" for name, number in others.items())
    found = "; ".join(odd) or f"the documented {len(documented)}"
    yield Fact(topic, f"{part} fields", f"{found}; others: {', '.join(shown)}" if shown else f"{found}; no others", how)


def _json_kinds(name: str, items: Sequence[Item]) -> str:
    return " or ".join(sorted({_kind(item[name]) for item in items if name in item}))


def _describe_field(name: str, kinds: set[str], items: Sequence[Item]) -> Iterator[str]:
    found = Counter(_kind(item[name]) if name in item else "missing" for item in items)
    for kind, number in sorted(found.items()):
        if kind not in kinds:
            place = "" if number == len(items) == 1 else f" in {number} of {len(items)}"
            yield f"{name} {kind if kind in ('missing', 'null') else f'is {kind}'}{place}"
    if "time" in kinds and (unread := sum(isinstance(i.get(name), str) and not _time(i[name]) for i in items)):
        yield f"{name} not a time in {unread} of {len(items)}"


def _kinds(model: type[BaseModel]) -> dict[str, set[str]]:
    """The JSON types of the documented fields; a null is not documented."""
    found = {}
    for name, schema in model.model_json_schema()["properties"].items():
        parts = schema.get("anyOf", [schema])
        found[name] = {part.get("type", "object") for part in parts} - {"null"}
        found[name] |= {"time" for part in parts if part.get("format") == "date-time"}
    return found


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "object")


def safe_name(name: str) -> str:
    """The name of a field, unless it might be something that a person wrote."""
    return name if _NAME.fullmatch(name) else f"(a name that is not shown, {len(name)} characters)"


def describe_forms(topic: str, items: Sequence[Item], request: str) -> Iterator[Fact]:
    """What ids and times look like, with every digit as 0."""
    ids = Counter("UUID" if _UUID.fullmatch(i) else f"{len(i)} characters" for i in _texts("id", items))
    times = Counter(
        re.sub(r"\d", "0", t) if re.fullmatch(r"[\dTZ:.+ -]{10,35}", t) else "other"
        for t in _texts("created_at", items)
    )
    for what, forms in (("ids", ids), ("times", times)):
        if forms:
            yield Fact(topic, what, ", ".join(f"{form} ({number})" for form, number in forms.most_common(3)), request)


def _texts(name: str, items: Sequence[Item]) -> Iterator[str]:
    return (item[name] for item in items if isinstance(item.get(name), str))


def agent_facts(seen: Seen) -> Iterator[Fact]:
    """Get Agent: the reference does not show its answer."""
    document = seen.document
    if not isinstance(document, dict):
        yield Fact("v1-agent", "answer", describe_answer(seen), seen.request)
        return
    wrapped = isinstance(document.get("agent"), dict)
    yield Fact("v1-agent", "answer", "wrapped in 'agent'" if wrapped else "a bare object", seen.request)
    yield from describe_fields("v1-agent", "agent", [document["agent"] if wrapped else document], Agent, seen.request)


def analytics_facts(seen: Seen) -> Iterator[Fact]:
    """Get Analytics and its two counts."""
    document = seen.document
    if not isinstance(document, dict):
        yield Fact("v1-analytics", "answer", describe_answer(seen), seen.request)
        return
    yield from describe_fields("v1-analytics", "answer", [document], Analytics, seen.request)
    for name in ("conversations", "leads"):
        if isinstance(document.get(name), dict):
            yield from describe_fields("v1-analytics", name, [document[name]], Counts, seen.request)


def read_total(seen: Seen | None, name: str) -> int | None:
    """A total of Get Analytics."""
    counts = seen.document.get(name) if seen and isinstance(seen.document, dict) else None
    total = counts.get("total") if isinstance(counts, dict) else None
    return total if type(total) is int else None


def describe_answer(seen: Seen) -> str:
    """`404, application/json, keys error, 38 bytes`; the text itself may repeat what was asked."""
    kind = seen.headers.get("content-type", "").partition(";")[0].strip()[:60] or "no content type"
    document = read_json(seen.body)
    keys = [f"keys {', '.join(sorted(map(safe_name, document)))}"] if isinstance(document, dict) else []
    return ", ".join([str(seen.status), kind, *keys, f"{len(seen.body)} bytes"])


def traffic_facts(answers: Sequence[Seen]) -> Iterator[Fact]:
    """Headers that matter here, and how long the answers took."""
    values: dict[str, Counter[str]] = {}
    for seen in answers:
        for name, value in seen.headers.items():
            if HEADERS.fullmatch(name.lower()) and name.lower() != "date":
                values.setdefault(name.lower(), Counter())[value[:60]] += 1
    for name, found in sorted(values.items()):
        more = f", and {len(found) - 3} other values" if len(found) > 3 else ""
        yield Fact(
            "headers",
            name,
            ", ".join(value for value, _ in found.most_common(3)) + more,
            f"{found.total()} of {len(answers)} answers",
        )
    dated = sum("date" in seen.headers for seen in answers)
    yield Fact("headers", "date", "present" if dated else "missing", f"{dated} of {len(answers)} answers")
    if not any(name.endswith("retry-after") or "ratelimit" in name for name in values):
        yield Fact("headers", "rate headers", "none", f"{len(answers)} answers")
    if answers:
        times = sorted(seen.seconds * 1000 for seen in answers)
        span = f"median {statistics.median(times):.0f} ms, {times[0]:.0f} to {times[-1]:.0f} ms"
        yield Fact("answers", "latency", span, f"{len(answers)} answers")
