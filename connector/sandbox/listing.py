"""Which items a list shows, and in which order; the reference says neither."""

import random
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Protocol, TypeVar

from connector.sandbox.settings import ListOrder


class Listed(Protocol):
    """What a list needs to know of an item."""

    @property
    def id(self) -> str:
        """Its identity."""
        ...

    @property
    def created_at(self) -> datetime:
        """The time that it shows, by which it is ordered."""
        ...


class Lagging(Listed, Protocol):
    """An item that may be listed late."""

    @property
    def made_at(self) -> datetime:
        """When it came into the account; earlier than `created_at` says, or later, for a back-dated one."""
        ...


Item = TypeVar("Item", bound=Listed)
Late = TypeVar("Late", bound=Lagging)


def drop_recent(items: list[Late], lag: float, now: datetime) -> list[Late]:
    """The items that were made `lag` seconds ago or earlier."""
    if not lag:
        return items
    latest = now - timedelta(seconds=lag)
    return [item for item in items if item.made_at <= latest]


class Lists:
    """Puts items in order. Remembers how it ordered ties, because an unstable order must change."""

    def __init__(self) -> None:
        self._random = random.Random(0)  # noqa: S311 - nothing is kept secret by it
        self._ties: dict[tuple[str, datetime], list[str]] = {}

    def arrange(self, name: str, items: Sequence[Item], order: ListOrder) -> list[Item]:
        """The items, given as they came in, in the order of the list called `name`.

        shuffled: an arbitrary order that stays; unstable: newest first, those of one second in ever new order.
        """
        if order == "shuffled":
            return sorted(items, key=_scatter)
        oldest_first = sorted(items, key=attrgetter("created_at"))
        if order == "oldest_first":
            return oldest_first
        newest_first = oldest_first[::-1]
        return newest_first if order == "newest_first" else list(self._stir(name, newest_first))

    def _stir(self, name: str, newest_first: list[Item]) -> Iterable[Item]:
        for second, ties in groupby(newest_first, key=_second):
            group = list(ties)
            stirred = self._random.sample(group, len(group))
            if [item.id for item in stirred] == self._ties.get((name, second)):
                stirred.append(stirred.pop(0))
            self._ties[name, second] = [item.id for item in stirred]
            yield from stirred


def _second(item: Listed) -> datetime:
    return item.created_at.replace(microsecond=0)


def _scatter(item: Listed) -> tuple[int, str]:
    return zlib.crc32(item.id.encode("utf-8", "surrogatepass")), item.id
