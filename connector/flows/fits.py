"""Which types fit into which, and which have values in common."""

from collections.abc import Iterator

from connector.flows.formats import has_format
from connector.flows.kinds import ANY, NEVER, NULL, ListOf, Object, Simple, Type, parts

_EXACT = ("date-time", "duration", "time-zone", "time-pattern", "hours")
"""Other formats, such as that of dates, are not told apart from any text whose format nobody knows."""


def assignable(source: Type, target: Type) -> bool:
    """Whether every value of `source` is a value of `target`, as far as is known: `any` may be whatever is wanted."""
    return _Fits(any_fits=True).whole(source, target)


def surely_assignable(source: Type, target: Type) -> bool:
    """Whether every value of `source` is a value of `target`, where `any` may be anything."""
    return _Fits(any_fits=False).whole(source, target)


class _Fits:
    """Answers one question. Types may contain themselves: what is being asked is taken for true meanwhile."""

    def __init__(self, *, any_fits: bool) -> None:
        self._any_fits = any_fits
        self._answers: dict[tuple[Type, Type], bool] = {}

    def whole(self, source: Type, target: Type) -> bool:
        if source == target or self._takes_any(source, target):
            return True
        targets = parts(target)
        return all(any(self._part(one, part) for part in targets) for one in _word_by_word(source))

    def _takes_any(self, source: Type, target: Type) -> bool:
        return target == ANY or (source == ANY and self._any_fits)

    def _part(self, source: Type, target: Type) -> bool:
        if self._takes_any(source, target):
            return True
        if isinstance(source, Simple) and isinstance(target, Simple):
            return _simple_fits(source, target)
        if type(source) is not type(target):
            return False
        asked = (source, target)
        if asked not in self._answers:
            before = len(self._answers)
            self._answers[asked] = True
            if not self._composite(source, target):
                self._forget(before)
                self._answers[asked] = False
        return self._answers[asked]

    def _forget(self, before: int) -> None:
        """Drop the answers since then that may rest on what has turned out false."""
        for asked in [*self._answers][before:]:
            if self._answers[asked]:
                del self._answers[asked]

    def _composite(self, source: Type, target: Type) -> bool:
        if isinstance(source, ListOf) and isinstance(target, ListOf):
            return self._list(source, target)
        return isinstance(source, Object) and isinstance(target, Object) and self._object(source, target)

    def _list(self, source: ListOf, target: ListOf) -> bool:
        if target.positions is None:
            return self.whole(source.item, target.item)
        there = () if source.item == NEVER else source.positions
        return (
            there is not None and len(there) == len(target.positions) and all(map(self.whole, there, target.positions))
        )

    def _object(self, source: Object, target: Object) -> bool:
        if not target.required <= source.required:
            return False
        for name, kind in source.fields.items():
            wanted = target.fields.get(name, target.extra)
            if wanted is None or not self.whole(kind, wanted):
                return False
        if source.extra is None:
            return True
        undeclared = [target.fields[name] for name in target.fields.keys() - source.fields.keys()]
        return target.extra is not None and all(self.whole(source.extra, kind) for kind in (target.extra, *undeclared))


def _word_by_word(kind: Type) -> Iterator[Type]:
    for part in parts(kind):
        if isinstance(part, Simple) and part.words is not None:
            yield from (Simple(part.kind, words=(word,)) for word in part.words)
        else:
            yield part


def _simple_fits(source: Simple, target: Simple) -> bool:
    if target.words is not None:
        # Not only the values, also their kinds: 1 and 1.0 are equal, and so are 1 and true.
        return source.kind == target.kind and source.words is not None and set(source.words) <= set(target.words)
    if source.kind != target.kind and (source.kind, target.kind) != ("int", "number"):
        return False
    if target.format is None or source.format == target.format:
        return True
    if source.words is not None:
        return all(has_format(word, target.format) for word in source.words)
    return source.format is None and target.format not in _EXACT


def comparable(left: Type, right: Type) -> bool:
    """Whether some value may be in both. Null may be compared with anything."""
    if ANY in (left, right) or NULL in (left, right):
        return True
    return any(_overlap(a, b) for a in parts(left) for b in parts(right))


def _overlap(left: Type, right: Type) -> bool:
    if ANY in (left, right):
        return True
    if not (isinstance(left, Simple) and isinstance(right, Simple)):
        return type(left) is type(right)
    if left.words is not None and right.words is not None:
        return bool(set(left.words) & set(right.words))
    return left.kind == right.kind or {left.kind, right.kind} == {"int", "number"}
