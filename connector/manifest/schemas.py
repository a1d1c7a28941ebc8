"""How two JSON Schemas of the same input or output differ, for those who write the one and read the other.

Types are compared as the flow language compares them: an input may take more than before, an output may be less
than before.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from connector.flows import json_schema, types
from connector.flows.types import ANY, Defined, ListOf, Object, Simple, Type, Union
from connector.manifest import facets
from connector.manifest.facets import Difference

_UNDECLARED = Simple("any", "undeclared")
"""Stands for `any` where that must not fit into a narrower type."""
_Pairs = frozenset[tuple[Type, Type]]


def differences(place: str, old: Mapping[str, Any], new: Mapping[str, Any], *, given: bool) -> Iterator[Difference]:
    """What is different; `given` says that users write the values, as those of an input.

    A difference that says nothing of values or words, such as another name of a definition, is one of wording.
    """
    written = not given
    before, after = json_schema.read(old, written=written), json_schema.read(new, written=written)
    found = [
        *_differ(place, before, after, given),
        *facets.compare(place, old, new, given=given),
    ]
    if not found and old != new:
        found.append(("wording", place, "is described differently"))
    yield from found


def _differ(path: str, old: Type, new: Type, given: bool, inside: _Pairs = frozenset()) -> Iterator[Difference]:
    if (old, new) in inside:  # types that contain themselves
        return
    inside |= {(old, new)}
    if ANY in (old, new):
        yield from _differ_whole(path, old, new, given)
        return
    if types.nullable(old) != types.nullable(new):
        yield _nullness(path, given, now=types.nullable(new))
    old, new = types.without_null(old), types.without_null(new)
    if isinstance(old, Object) and isinstance(new, Object):
        yield from _differ_in_fields(path, old, new, given, inside)
        yield from _differ_in_others(path, old.extra, new.extra, given, inside)
    elif isinstance(old, ListOf) and isinstance(new, ListOf):
        yield from _differ(f"{path}[]", old.item, new.item, given, inside)
    else:
        yield from _differ_whole(path, old, new, given)


def _nullness(path: str, given: bool, *, now: bool) -> Difference:
    if given:
        return ("addition", path, "now takes null too") if now else ("breaking", path, "no longer takes null")
    return ("breaking", path, "may now be null") if now else ("addition", path, "is never null now")


def _differ_whole(path: str, old: Type, new: Type, given: bool) -> Iterator[Difference]:
    forth, back = (_fits(old, new), _fits(new, old)) if given else (_fits(new, _open(old)), _fits(old, _open(new)))
    if forth and back:
        return
    verb, past = ("now takes", "took") if given else ("is now", "was")
    yield "addition" if forth else "breaking", path, f"{verb} {new}, {past} {old}"


def _fits(source: Type, target: Type) -> bool:
    return types.assignable(_strict(source), target)


def _strict(kind: Type) -> Type:
    """With nothing in it that fits only because nobody knows what it is."""
    if kind == ANY:
        return _UNDECLARED
    if isinstance(kind, Defined):
        return kind.changed("strict", _strict)
    if isinstance(kind, ListOf):
        return ListOf(_strict(kind.item), kind.positions and tuple(map(_strict, kind.positions)))
    if isinstance(kind, Union):
        return Union(tuple(map(_strict, kind.members)))
    if isinstance(kind, Object):
        fields = {name: _strict(part) for name, part in kind.fields.items()}
        return Object(kind.name, fields, kind.required, kind.extra and _strict(kind.extra))
    return kind


def _open(kind: Type) -> Type:
    """With further fields in all its objects: who reads an output looks at those that he knows."""
    if isinstance(kind, Defined):
        return kind.changed("open", _open)
    if isinstance(kind, ListOf):
        return ListOf(_open(kind.item), kind.positions and tuple(map(_open, kind.positions)))
    if isinstance(kind, Union):
        return Union(tuple(map(_open, kind.members)))
    if isinstance(kind, Object):
        fields = {name: _open(part) for name, part in kind.fields.items()}
        return Object(kind.name, fields, kind.required, _open(kind.extra) if kind.extra else ANY)
    return kind


def _differ_in_fields(path: str, old: Object, new: Object, given: bool, inside: _Pairs) -> Iterator[Difference]:
    for name in dict.fromkeys([*old.fields, *new.fields]):
        place = f"{path}.{name}"
        if name not in new.fields:
            if new.extra is None:
                yield "breaking", place, "is gone"
            else:
                yield from _differ(place, old.fields[name], new.extra, given, inside)
        elif name not in old.fields:
            needed = given and name in new.required
            if needed or old.extra is None or (old.extra == ANY != new.fields[name]):
                yield "breaking" if needed else "addition", place, "is new and required" if needed else "is new"
            else:
                yield from _differ(place, old.extra, new.fields[name], given, inside)
        else:
            if (name in old.required) != (name in new.required):
                yield _presence(place, given, now=name in new.required)
            yield from _differ(place, old.fields[name], new.fields[name], given, inside)


def _presence(path: str, given: bool, *, now: bool) -> Difference:
    if given:
        return ("breaking", path, "now required") if now else ("addition", path, "no longer required")
    return ("addition", path, "is always there now") if now else ("breaking", path, "may now be missing")


def _differ_in_others(
    path: str, old: Type | None, new: Type | None, given: bool, inside: _Pairs
) -> Iterator[Difference]:
    """The fields that have no names."""
    if old is not None and new is not None:
        yield from _differ(f"{path}.*", old, new, given, inside)
    elif old is not None:
        yield "breaking", path, "no longer takes other fields" if given else "has no other fields now"
    elif new is not None:
        yield "addition", path, "now takes other fields too" if given else "may have other fields now"
