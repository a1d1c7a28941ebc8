"""JSON values against types: what people give by hand, and what a model did not check."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from connector.flows import types
from connector.flows.formats import has_format
from connector.flows.json_text import DEEPEST, RefusedJSONError, read_json
from connector.flows.problems import did_you_mean, quoted, shortened
from connector.flows.types import ANY, ListOf, Object, Simple, Type

_OF_KIND: Mapping[str, tuple[type, ...]] = {
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "number": (int, float),
    "str": (str,),
}


def refuse(value: Any, kind: Type, name: str = "") -> str | None:
    """Why a JSON value is not of the type, as one sentence that says where in the value; None where it is.

    `name` is what the sentence calls the whole value.
    """
    return _Comparison().whole(value, kind, name, 0)


def read_text(text: str, kind: Type) -> Any:
    """The value that a text stands for: as it is where the type takes any text, else by JSON's grammar.

    Words, times and durations are written without quotes. Raises ValueError with one sentence.
    """
    if any(part in (ANY, types.STR) for part in types.parts(kind)) or refuse(text, kind) is None:
        return text
    try:
        value = read_json(text)
    except RefusedJSONError as error:
        raise ValueError(f"this is not read: {error}") from error
    except json.JSONDecodeError:
        value = text
    reason = refuse(value, kind)
    if isinstance(value, str) or (reason is not None and not isinstance(value, dict | list)):
        reason = _is_not(text, kind, "")
    if reason is not None:
        raise ValueError(reason)
    return value


class _Comparison:
    """Compares one value with one type; each part of the value with each alternative once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, Type], str | None] = {}

    def whole(self, value: Any, kind: Type, path: str, depth: int) -> str | None:
        if depth > DEEPEST:
            return f"{shortened(path)} is nested too deeply, in more than {DEEPEST} levels"
        possible = [part for part in types.parts(kind) if _may_be(value, part)] or _only_holder(value, kind)
        reasons = [self._part(value, part, path, depth) for part in possible]
        if None in reasons:
            return None
        return reasons[0] if len(reasons) == 1 else _is_not(value, kind, path)

    def _part(self, value: Any, kind: Type, path: str, depth: int) -> str | None:
        asked = (id(value), kind)
        if asked not in self._known:
            if isinstance(kind, ListOf):
                self._known[asked] = self._list(value, kind, path, depth)
            elif isinstance(kind, Object):
                self._known[asked] = self._object(value, kind, path, depth)
        return self._known.get(asked)

    def _list(self, value: Sequence[Any], kind: ListOf, path: str, depth: int) -> str | None:
        if kind.positions is not None and len(value) != len(kind.positions):
            return _is_not(value, kind, path)
        kinds = kind.positions if kind.positions is not None else [kind.item] * len(value)
        reasons = (self.whole(item, kinds[n], f"{path}[{n}]", depth + 1) for n, item in enumerate(value))
        return next((reason for reason in reasons if reason is not None), None)

    def _object(self, value: Mapping[str, Any], kind: Object, path: str, depth: int) -> str | None:
        for name, field in value.items():
            wanted = kind.fields.get(name, kind.extra)
            if wanted is None:
                return _has_no_field(kind, name, path)
            if (reason := self.whole(field, wanted, _inside(path, name), depth + 1)) is not None:
                return reason
        if missing := sorted(kind.required - value.keys()):
            owner = shortened(path) if path else str(kind)
            return f"{owner} needs the field {missing[0]!r} ({kind.fields[missing[0]]})"
        return None


def _may_be(value: Any, kind: Type) -> bool:
    """Whether the value can be of the kind, of which only the parts are not compared yet."""
    if isinstance(kind, Simple):
        return kind == ANY or (type(value) in _OF_KIND[kind.kind] and _has_form(value, kind))
    if not isinstance(kind, Object) or not isinstance(value, dict):
        return isinstance(kind, ListOf) and isinstance(value, list)
    told = [name for name, field in kind.fields.items() if name in value and types.has_words(field)]
    return all(any(_may_be(value[name], part) for part in types.parts(kind.fields[name])) for name in told)


def _only_holder(value: Any, kind: Type) -> list[Type]:
    """The one object or list that the value was probably meant to be."""
    wanted = Object if isinstance(value, dict) else ListOf if isinstance(value, list) else None
    found: list[Type] = [part for part in types.parts(kind) if wanted is not None and isinstance(part, wanted)]
    return found if len(found) == 1 else []


def _has_form(value: Any, kind: Simple) -> bool:
    if kind.words is not None:
        return any(type(word) is type(value) and word == value for word in kind.words)
    return kind.format is None or has_format(value, kind.format)


def _has_no_field(kind: Object, name: str, path: str) -> str:
    owner = f"{shortened(path)} ({kind})" if path else str(kind)
    hint = did_you_mean(name, kind.fields)
    return f"{owner} has no field {quoted(name)}" + (f"; {hint}" if hint else "")


def _inside(path: str, name: str) -> str:
    if not name.isidentifier():
        return f"{path}[{quoted(name)}]"
    return f"{path}.{name}" if path else name


def _is_not(value: Any, kind: Type, path: str) -> str:
    shown = _shown(value)
    return f"{shortened(path)} is {shown}, but {kind} is expected" if path else f"expected {kind}, not {shown}"


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"a list of {len(value)}" if value else "an empty list"
    return quoted(value) if isinstance(value, str) else shortened(json.dumps(value))
