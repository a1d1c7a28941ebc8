"""How answers differ from what a plugin's models declare.

find(LeadPage) → Drift("unknown", "leads[].score"), Drift("missing", "leads[].visitor_phone")

A model that keeps unknown fields (`extra="allow"`) declares all that the other side documents: a field beside it is
unknown, one of it that did not come is missing. Of other models only what keeps an answer from being read is told.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import BaseModel, ValidationError

Kind = Literal["unknown", "missing", "retyped"]

MOST = 1_000
"""Places that one process counts; whatever is beyond stands at one place, OTHERS."""
OTHERS = "…"
_LONGEST = 200


class Drift(NamedTuple):
    kind: Kind
    path: str
    """Such as `leads[].score`, for all entries of a list."""


def find(found: BaseModel) -> Iterator[Drift]:
    """What is unknown and missing in an answer that was read, once for each time that it is."""
    return _find(found, "")


def find_faults(error: ValidationError) -> Iterator[Drift]:
    """What keeps an answer from being read; of very many faults only that there are some."""
    if error.error_count() > MOST:
        yield Drift("retyped", OTHERS)
        return
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        kind: Kind = "missing" if fault["type"] == "missing" else "retyped"
        yield Drift(kind, _clean("".join("[]" if isinstance(part, int) else f".{part}" for part in fault["loc"])))


def _find(value: object, path: str) -> Iterator[Drift]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _find(item, f"{path}[]")
    elif isinstance(value, BaseModel):
        yield from _find_fields(value, path)


def _find_fields(found: BaseModel, path: str) -> Iterator[Drift]:
    documented = type(found).model_fields
    if found.model_config.get("extra") == "allow":
        for name in found.model_extra or ():
            yield Drift("unknown", _clean(f"{path}.{name}"))
    for name, field in documented.items():
        place = f"{path}.{field.alias or name}"
        if name in found.model_fields_set:
            yield from _find(getattr(found, name), place)
        elif found.model_config.get("extra") == "allow":
            yield Drift("missing", _clean(place))


def _clean(path: str) -> str:
    """One line; the other side chose the names."""
    line = "".join(character if character.isprintable() else "?" for character in path.removeprefix("."))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


Counts = Counter[tuple[str, Drift]]
"""By operation and place."""


class Drifts:
    """Counts what differs, by operation, until it is taken to be kept."""

    def __init__(self) -> None:
        self._counts: Counts = Counter()
        self._known: set[tuple[str, Drift]] = set()

    def count(self, operation: str, drift: Drift, times: int = 1) -> None:
        place = (operation, drift)
        if place not in self._known and len(self._known) >= MOST:
            place = (operation, Drift(drift.kind, OTHERS))
        self._known.add(place)
        self._counts[place] += times

    def take(self) -> Counts:
        """What was counted since the last time."""
        counts, self._counts = self._counts, Counter()
        return counts

    def put_back(self, counts: Counts) -> None:
        """What was taken and could not be kept."""
        self._counts.update(counts)
