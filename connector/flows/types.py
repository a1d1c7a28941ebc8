"""The types of the flow language, read from the JSON Schema of the models.

Values are plain JSON. `any` accepts and is accepted by everything; it is where checking ends.
"""

import itertools
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from connector.flows.durations import seconds

Kind = Literal["any", "null", "bool", "int", "number", "str"]

_MOST_MEMBERS = 100  # of a union; beyond, nobody reads the message, and comparing them all takes too long
_MOST_SHOWN = 8  # alternatives in a message
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _alternatives(texts: Iterable[str]) -> str:
    shown = list(itertools.islice(texts, _MOST_SHOWN + 1))
    return " | ".join([*shown[:_MOST_SHOWN], *("…" for _ in shown[_MOST_SHOWN:])])


@dataclass(frozen=True, slots=True)
class Simple:
    """A type without parts. `format` is JSON Schema's, `words` are the only values that it has."""

    kind: Kind
    format: str | None = None
    words: tuple[Any, ...] | None = None

    def __str__(self) -> str:
        if self.words is not None:
            return _alternatives(repr(word) if isinstance(word, str) else json.dumps(word) for word in self.words)
        return {"date-time": "time", "duration": "duration"}.get(self.format or "", self.kind)


@dataclass(frozen=True, slots=True)
class ListOf:
    item: "Type"

    def __str__(self) -> str:
        return f"list[{self.item}]"


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
    """Two members or more, no unions among them; `NEVER` has none."""

    members: tuple["Type", ...]

    def __str__(self) -> str:
        return _alternatives(map(str, self.members)) or "nothing"


Type = Simple | ListOf | Object | Union

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


def record(name: str, fields: Mapping[str, Type]) -> Object:
    """An object that has all its fields and no others."""
    return Object(name, fields, frozenset(fields))


def union(members: Iterable[Type]) -> Type:
    """The type of a value that is one of `members`; flat, without repeats, null last."""
    found: dict[Type, None] = {}
    words: dict[Kind, dict[Any, None]] = {}
    for part in (part for member in members for part in parts(member)):
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


def parts(kind: Type) -> tuple[Type, ...]:
    return kind.members if isinstance(kind, Union) else (kind,)


def nullable(kind: Type) -> bool:
    """Whether null is among its values; not so for `any`, where nobody knows."""
    return NULL in parts(kind)


def without_null(kind: Type) -> Type:
    rest = [part for part in parts(kind) if part != NULL]
    return union(rest) if rest else NULL


def without_nulls(kind: Type) -> Type:
    """As `without_null`, for its fields and items too."""
    kind = without_null(kind)
    if isinstance(kind, Union):
        return union(without_nulls(part) for part in kind.members)
    if isinstance(kind, ListOf):
        return ListOf(without_nulls(kind.item))
    if isinstance(kind, Object):
        fields = {name: without_nulls(field) for name, field in kind.fields.items()}
        return Object(kind.name, fields, frozenset(fields), kind.extra)
    return kind


def literal(value: Any) -> Type:
    """The type of a constant: narrow enough to fit an enum that has it."""
    if value is None:
        return NULL
    kinds: dict[type, Kind] = {bool: "bool", int: "int", float: "number", str: "str"}
    return Simple(kinds[type(value)], words=(value,)) if type(value) in kinds else ANY


def constant(kind: Type) -> Any:
    """The only value of the type; None where it has more or is null."""
    return kind.words[0] if isinstance(kind, Simple) and kind.words and len(kind.words) == 1 else None


def widened(kind: Type) -> Type:
    """Without the words of enums: what arithmetic and functions see."""
    if isinstance(kind, Simple):
        return Simple(kind.kind, kind.format)
    if isinstance(kind, ListOf):
        return ListOf(widened(kind.item))
    return union(map(widened, kind.members)) if isinstance(kind, Union) else kind


def words_of(kind: Type) -> list[str]:
    """The texts that an enum has."""
    return [word for part in parts(kind) if isinstance(part, Simple) for word in part.words or () if type(word) is str]


def assignable(source: Type, target: Type) -> bool:
    """Whether every value of `source` is a value of `target`."""
    if source == ANY or target == ANY:
        return True
    if isinstance(source, Union):
        return all(assignable(part, target) for part in source.members)
    if isinstance(source, Simple) and source.words and len(source.words) > 1:
        return all(assignable(Simple(source.kind, words=(word,)), target) for word in source.words)
    if isinstance(target, Union):
        return any(assignable(source, part) for part in target.members)
    if isinstance(source, Simple) and isinstance(target, Simple):
        return _simple_assignable(source, target)
    if isinstance(source, ListOf) and isinstance(target, ListOf):
        return assignable(source.item, target.item)
    if isinstance(source, Object) and isinstance(target, Object):
        return _object_assignable(source, target)
    return False


def _simple_assignable(source: Simple, target: Simple) -> bool:
    if target.words is not None:
        # Not only the values, also their kinds: 1 and 1.0 are equal, and so are 1 and true.
        return source.kind == target.kind and source.words is not None and set(source.words) <= set(target.words)
    if source.kind != target.kind and (source.kind, target.kind) != ("int", "number"):
        return False
    if target.format and source.format != target.format:
        return source.words is not None and all(_has_format(word, target.format) for word in source.words)
    return True


def _has_format(word: Any, name: str) -> bool:
    if not isinstance(word, str):
        return False
    return is_time(word) if name == "date-time" else seconds(word) is not None


def is_time(text: str) -> bool:
    """Whether `text` is an RFC 3339 time with an offset."""
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def _object_assignable(source: Object, target: Object) -> bool:
    if not target.required <= source.required:
        return False
    for name, kind in source.fields.items():
        wanted = target.fields.get(name, target.extra)
        if wanted is None or not assignable(kind, wanted):
            return False
    if source.extra is None:
        return True
    undeclared = [target.fields[name] for name in target.fields.keys() - source.fields.keys()]
    return target.extra is not None and all(assignable(source.extra, kind) for kind in (target.extra, *undeclared))


def comparable(left: Type, right: Type) -> bool:
    """Whether some value may be in both  Null may be compared with anything."""
    if ANY in (left, right) or NULL in (left, right):
        return True
    return any(_overlap(a, b) for a in parts(left) for b in parts(right))


def _overlap(left: Type, right: Type) -> bool:
    if not (isinstance(left, Simple) and isinstance(right, Simple)):
        return type(left) is type(right)
    if left.words is not None and right.words is not None:
        return bool(set(left.words) & set(right.words))
    return left.kind == right.kind or {left.kind, right.kind} == {"int", "number"}
