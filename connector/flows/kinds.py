"""What the types of the flow language are made of. Who uses types imports `connector.flows.types`."""

import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["any", "null", "bool", "int", "number", "str"]

_MOST_MEMBERS = 100  # of a union; beyond, nobody reads the message, and comparing them all takes too long
_MOST_SHOWN = 8  # alternatives in a message
_FORMATS = {
    "date-time": "time",
    "duration": "duration",
    "date": "date",
    "clock": "time of day",
    "uuid": "uuid",
    "time-zone": "zone",
    "time-pattern": "pattern",
    "hours": "hours",
}


def _alternatives(texts: Iterable[str]) -> str:
    shown = list(itertools.islice(texts, _MOST_SHOWN + 1))
    return " | ".join([*shown[:_MOST_SHOWN], *("…" for _ in shown[_MOST_SHOWN:])])


@dataclass(frozen=True, slots=True)
class Simple:
    """A type without parts. `format` is one of `formats`, `words` are the only values that it has."""

    kind: Kind
    format: str | None = None
    words: tuple[Any, ...] | None = None

    def __str__(self) -> str:
        if self.words is not None:
            return _alternatives(repr(word) if isinstance(word, str) else json.dumps(word) for word in self.words)
        return _FORMATS.get(self.format or "", self.kind)


@dataclass(frozen=True, slots=True)
class ListOf:
    item: "Type"
    positions: tuple["Type", ...] | None = None
    """The types of its items, one by one, where it always has so many."""

    def __str__(self) -> str:
        return f"list[{self.item}]" if self.positions is None else f"[{', '.join(map(str, self.positions))}]"


@dataclass(frozen=True, slots=True)
class Object:
    """Its `required` fields are always there; `extra` is the type of undeclared ones, None where there are none."""

    name: str
    fields: Mapping[str, "Type"] = field(hash=False)
    required: frozenset[str] = frozenset()
    extra: "Type | None" = None

    def __str__(self) -> str:
        return f"map[{self.extra}]" if self.extra is not None and not self.fields else self.name

    def read(self, name: str) -> "Type | None":
        """The type of the value that a reader of the field gets; None where there is no such field."""
        if (kind := self.fields.get(name)) is not None:
            return kind if name in self.required else union([kind, NULL])
        return None

    @property
    def element(self) -> "Type":
        """The type of the value under a key that is known only when the flow runs."""
        return union([*self.fields.values(), *([self.extra] if self.extra is not None else []), NULL])


@dataclass(frozen=True, slots=True)
class Union:
    """Two members or more, no unions among them except such as have a name; `NEVER` has none."""

    members: tuple["Type", ...]

    def __str__(self) -> str:
        return _alternatives(map(str, self.members)) or "nothing"


@dataclass(frozen=True, slots=True)
class Defined:
    """A type that contains itself, by its name. `parts` looks up what it stands for."""

    name: str
    meaning: tuple[str, ...]
    """Two of the same name and meaning are the same type."""
    resolve: Callable[[], "Type"] = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.name

    def changed(self, how: str, change: Callable[["Type"], "Type"]) -> "Defined":
        """What `change` makes of it; `how` names the change."""
        return Defined(self.name, (*self.meaning, how), lambda: change(self.resolve()))


Type = Simple | ListOf | Object | Union | Defined

ANY = Simple("any")
NEVER = Union(())
"""The type of the items of an empty list: it has no values."""
NULL = Simple("null")
BOOL = Simple("bool")
INT = Simple("int")
NUMBER = Simple("number")
STR = Simple("str")
TIME = Simple("str", "date-time")
DURATION = Simple("str", "duration")
ZONE = Simple("str", "time-zone")
PATTERN = Simple("str", "time-pattern")
HOURS = Simple("str", "hours")
"""No value of an event or of a step has one of these three: they are written out in the flow."""


def list_of(positions: Iterable[Type]) -> ListOf:
    """A list that always has so many items, of these types."""
    fixed = tuple(positions)
    return ListOf(union(fixed), fixed)


def record(name: str, fields: Mapping[str, Type]) -> Object:
    """An object that has all its fields and no others."""
    return Object(name, fields, frozenset(fields))


def union(members: Iterable[Type]) -> Type:
    """The type of a value that is one of `members`; flat, without repeats, null last."""
    members = tuple(members)
    if len(members) == 1 or (len(members) == 2 and members[1] is NULL and isinstance(members[0], (Object, ListOf))):
        return members[0] if len(members) == 1 else Union(members)  # nearly all of them, and nothing to sort out
    found: dict[Type, None] = {}
    words: dict[Kind, dict[Any, None]] = {}
    for part in (part for member in members for part in _members(member)):
        if part == ANY or len(found) > _MOST_MEMBERS:
            return ANY
        if isinstance(part, Simple) and part.words is not None:
            # One entry stands for all words of a kind, where its first one was.
            found.setdefault(Simple(part.kind, words=()))
            words.setdefault(part.kind, {}).update(dict.fromkeys(part.words))
        else:
            found.setdefault(part)
    flat = [_with_words(part, words) for part in found if not _is_covered(part, found)]
    flat.sort(key=lambda part: part == NULL)
    return flat[0] if len(flat) == 1 else Union(tuple(flat))


def _with_words(part: Type, words: Mapping[Kind, Iterable[Any]]) -> Type:
    return Simple(part.kind, words=tuple(words[part.kind])) if isinstance(part, Simple) and part.words == () else part


def _is_covered(part: Type, others: Collection[Type]) -> bool:
    """Whether a wider type without format and words is among `others`, or another list beside an empty one."""
    if isinstance(part, ListOf):
        return part.item == NEVER and any(isinstance(other, ListOf) and other != part for other in others)
    if not isinstance(part, Simple):
        return False
    wider = [Simple(part.kind), *([NUMBER] if part.kind == "int" else [])]
    return any(other in others for other in wider if other != part)


def _members(kind: Type) -> tuple[Type, ...]:
    return kind.members if isinstance(kind, Union) else (kind,)


def parts(kind: Type) -> tuple[Type, ...]:
    """The types that a value of `kind` may have; no unions and no names among them."""
    members = _members(kind)
    if not any(isinstance(member, Defined) for member in members):
        return members
    return _members(union(_looked_up(members, set())))


def _looked_up(members: Iterable[Type], seen: set[Type]) -> Iterator[Type]:
    """A name that stands for itself, directly or as one of several, adds nothing to what it may be."""
    for member in members:
        if not isinstance(member, Defined):
            yield member
        elif member not in seen:
            seen.add(member)
            yield from _looked_up(_members(member.resolve()), seen)


def unrolled(kind: Type) -> Type:
    """The same type; not a name itself, only inside."""
    members = parts(kind)
    return kind if members is _members(kind) or members == (kind,) else union(members)
