"""What the objects of answers hold, beside what the reference documents."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel

from connector.chatforge.models import Agent, Analytics, Counts
from connector.chatforge.probe.answers import Fact, Item, Seen, count, describe_answer, safe_name

FULL_AGENT_ONLY = ("system_prompt", "knowledge_base")
"""What List Agents does not show; the reference, "List Agents" and "Get Agent"."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME = re.compile(r"[\dTZ:.+ -]{10,35}")
_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null", list: "array"}


def read_time(value: object) -> datetime | None:
    """An ISO 8601 time, UTC where it names no zone; None where it is none."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def describe_fields(
    topic: str, part: str, items: Sequence[Item], model: type[BaseModel], request: str, leave_out: Sequence[str] = ()
) -> Iterator[Fact]:
    """The documented fields that are missing, null or of another type, and the names of others."""
    if not items:
        yield Fact(topic, f"{part} fields", "none to look at", request)
        return
    documented = {name: kinds for name, kinds in _documented_kinds(model).items() if name not in leave_out}
    odd = [words for name, kinds in documented.items() for words in _describe_field(name, kinds, items)]
    how = request if len(items) == 1 else f"{request}: {count(len(items))}"
    others = Counter(name for item in items for name in item if name not in documented)
    shown = sorted(f"{safe_name(name)} ({_came_kinds(name, items)}; in {number})" for name, number in others.items())
    found = "; ".join(odd) or f"the documented {len(documented)}"
    yield Fact(topic, f"{part} fields", f"{found}; others: {', '.join(shown)}" if shown else f"{found}; no others", how)


def _documented_kinds(model: type[BaseModel]) -> dict[str, set[str]]:
    """The JSON types of the documented fields; a null is not documented."""
    found = {}
    for name, schema in model.model_json_schema()["properties"].items():
        parts = schema.get("anyOf", [schema])
        found[name] = {part.get("type", "object") for part in parts} - {"null"}
        found[name] |= {"time" for part in parts if part.get("format") == "date-time"}
    return found


def _describe_field(name: str, kinds: set[str], items: Sequence[Item]) -> Iterator[str]:
    found = Counter(_kind(item[name]) if name in item else "missing" for item in items)
    for kind, number in sorted(found.items()):
        if kind not in kinds:
            place = "" if number == len(items) == 1 else f" in {number} of {len(items)}"
            yield f"{name} {kind if kind in ('missing', 'null') else f'is {kind}'}{place}"
    if "time" in kinds and (unread := sum(not read_time(text) for text in _texts(name, items))):
        yield f"{name} not a time in {unread} of {len(items)}"


def _came_kinds(name: str, items: Sequence[Item]) -> str:
    return " or ".join(sorted({_kind(item[name]) for item in items if name in item}))


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "object")


def describe_forms(topic: str, items: Sequence[Item], request: str) -> Iterator[Fact]:
    """What ids and times look like, with every digit as 0."""
    ids = Counter("UUID" if _UUID.fullmatch(text) else f"{len(text)} characters" for text in _texts("id", items))
    times = Counter(
        re.sub(r"\d", "0", text) if _TIME.fullmatch(text) else "other" for text in _texts("created_at", items)
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
