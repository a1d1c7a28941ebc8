"""How two JSON Schemas differ in what they say beside the types, such as the least number and the title.

Where a value may be one of several, each alternative is compared with the one that it has become.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connector.flows import json_schema, types
from connector.flows.types import Simple, Type
from connector.manifest.keywords import ABSENT, RULES, Kind, describe, kind_of, meaning_of, told_by_types

Difference = tuple[Kind, str, str]
"""Kind, path and what is different."""
Facets = Mapping[str, Any]
"""Keyword → its value, of those that the types do not tell."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A schema, read through its references."""

    type: Type
    title: str
    facets: Facets
    schema: Mapping[str, Any]
    """Where the references lead."""
    definitions: Mapping[str, Any]

    @property
    def rules(self) -> Facets:
        return {key: value for key, value in self.facets.items() if key in RULES}

    @property
    def notes(self) -> Facets:
        return {key: value for key, value in self.facets.items() if key not in RULES}

    @property
    def sort(self) -> object:
        """What an alternative and what has become of it have in common."""
        kind = self.type
        return (kind.kind, kind.format, kind.words is None) if isinstance(kind, Simple) else type(kind)

    def part(self, key: str) -> Any:
        """The value of a keyword, if the types tell it."""
        return self.schema.get(key) if key in told_by_types(self.schema) else None


def compare(path: str, old: Mapping[str, Any], new: Mapping[str, Any], *, given: bool) -> Iterator[Difference]:
    """What is different; `given` says that users write the values, as those of an input."""
    before, after = _read(old, old.get("$defs", {})), _read(new, new.get("$defs", {}))
    yield from _differ(path, before, after, given, ())


def _read(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> _Node:
    kind = json_schema.read({**schema, "$defs": definitions})
    facets: dict[str, Any] = {}
    names: list[str] = []
    while True:
        told = told_by_types(schema)
        for key in schema.keys() - told - {"$defs"}:
            # What stands beside a reference goes before what it names.
            facets.setdefault(key, meaning_of(key, schema[key], definitions))
        name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
        if name in names or not isinstance(named := definitions.get(name), Mapping):
            return _Node(kind, str(schema.get("title", "")), facets, schema, definitions)
        names.append(name)
        schema = named


def _differ(
    path: str, old: _Node, new: _Node, given: bool, inside: tuple[tuple[int, int], ...]
) -> Iterator[Difference]:
    here = (id(old.schema), id(new.schema))
    if here in inside:  # a definition that contains itself
        return
    yield from _differ_in_facets(path, old.notes, new.notes, given)
    before, after = list(_alternatives(old)), list(_alternatives(new))
    pairs = _pair(before, after) if given else ((was, now) for now, was in _pair(after, before))
    for was, now in pairs:
        yield from _differ_in_facets(path, was.facets, now.facets, given)
        for place, old_part, new_part in _common_parts(path, was, now):
            yield from _differ(place, old_part, new_part, given, (*inside, here))


def _differ_in_facets(path: str, old: Facets, new: Facets, given: bool) -> Iterator[Difference]:
    words = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key, ABSENT), new.get(key, ABSENT)
        if was == now:
            continue
        kind = kind_of(key, was, now, given)
        if kind == "wording":
            words.append(key)
        elif kind is not None:
            yield kind, path, describe(key, was, now)
    if words:
        yield "wording", path, f"{' and '.join(words)} changed"


def _alternatives(node: _Node, inside: tuple[int, ...] = ()) -> Iterator[_Node]:
    """What a value may be, without the notes on the whole; a rule for all of them is one for each."""
    parts = node.part("anyOf") or node.part("oneOf")
    if parts is None or id(node.schema) in inside:
        yield replace(node, facets=node.rules)
        return
    for schema in parts:
        if isinstance(schema, Mapping):
            part = _read(schema, node.definitions)
            for found in _alternatives(part, (*inside, id(node.schema))):
                yield replace(found, facets={**node.rules, **part.notes, **found.facets})


def _pair(wanted: Sequence[_Node], there: Sequence[_Node]) -> Iterator[tuple[_Node, _Node]]:
    """Each alternative that has to stay, with the one that it has become; where there is none, the types tell."""
    left, free = list(wanted), list(there)
    for alike in (_are_equal, _have_one_title, _are_of_one_sort):
        for one in [*left]:
            if other := next((other for other in free if alike(one, other)), None):
                left.remove(one)
                free.remove(other)
                yield one, other
    for one in left:
        if other := next((other for other in there if _is_covered(one, other)), None):
            yield one, other


def _are_equal(one: _Node, other: _Node) -> bool:
    return one.type == other.type and one.facets == other.facets


def _have_one_title(one: _Node, other: _Node) -> bool:
    return one.title == other.title and _are_of_one_sort(one, other)


def _are_of_one_sort(one: _Node, other: _Node) -> bool:
    return one.sort == other.sort


def _is_covered(one: _Node, other: _Node) -> bool:
    """Whether the types do not tell that an alternative has gone, because this other one is as wide."""
    return types.assignable(one.type, other.type)


def _common_parts(path: str, old: _Node, new: _Node) -> Iterator[tuple[str, _Node, _Node]]:
    before, after = _parts(old), _parts(new)
    for place in before:
        if place in after:
            yield path + place, _read(before[place], old.definitions), _read(after[place], new.definitions)


def _parts(node: _Node) -> dict[str, Mapping[str, Any]]:
    """Path → schema, of what a value contains."""
    fields = {f".{name}": part for name, part in (node.part("properties") or {}).items()}
    parts = {**fields, "[]": node.part("items"), ".*": node.part("additionalProperties")}
    return {place: part for place, part in parts.items() if isinstance(part, Mapping)}
