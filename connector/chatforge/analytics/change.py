"""What has changed between two moments, from samples in the order in which they were taken. Pure.

- Numbers of a month begin at 0 with it: the first sample of a month tells what came since its beginning. What came
  between the last sample of the month before and its end is told by the totals that an answer also has, for
  conversations and leads; nothing tells it of messages.
- A number that shrinks within a month, as when conversations are deleted, is no change; it counts on from there.
- A number that an answer lacks is as it was in the sample before; a later answer brings what came meanwhile.
- The order is that in which samples were taken, whatever their times say. So a clock that is put back shifts when
  something came, and counts nothing twice.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Literal

from connector.chatforge.analytics.sample import Sample

NEAR = timedelta(minutes=35)
"""A sample so near is one of that moment: half of the hour between two samples, and a little."""
_GAP = 2 * NEAR

Unit = Literal["hour", "day", "month"]
LENGTHS: dict[Unit, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1), "month": timedelta(days=31)}


@dataclass(frozen=True, slots=True)
class Counted:
    """How many came; None is what no answer tells."""

    conversations: int | None = 0
    leads: int | None = 0
    messages: int | None = 0

    @property
    def conversion(self) -> float | None:
        """Leads per conversation, rounded to 4 digits; None without conversations."""
        return round(self.leads / self.conversations, 4) if self.conversations and self.leads is not None else None

    def plus(self, other: "Counted") -> "Counted":
        return Counted(
            (self.conversations or 0) + (other.conversations or 0),
            (self.leads or 0) + (other.leads or 0),
            (self.messages or 0) + (other.messages or 0),
        )


NOTHING_KNOWN = Counted(None, None, None)
_NUMBERS = [number.name for number in fields(Counted)]


@dataclass(frozen=True, slots=True)
class Increase:
    """What came between two samples, or between one and the beginning or the end of its month."""

    start: datetime
    end: datetime
    counted: Counted
    lacking: bool = False
    """Whether messages may have come that nothing tells: nobody looked when the month ended."""

    @property
    def middle(self) -> datetime:
        return self.start + (self.end - self.start) / 2


@dataclass(frozen=True, slots=True)
class Change:
    """`start` and `end` are those of what was counted; None where there is nothing to count."""

    counted: Counted
    start: datetime | None
    end: datetime | None
    complete: bool
    increases: Sequence[Increase]


@dataclass(frozen=True, slots=True)
class Part:
    """An hour, a day or a month of UTC."""

    at: datetime
    counted: Counted


def measure(samples: Sequence[Sample], since: datetime, until: datetime) -> Change:
    """What came after `since`, to within NEAR. Samples from well before `since` tell only what they are compared with.

    It is complete where there is a sample, or the beginning of a month, at both ends, and nothing lacks in between.
    """
    near = [one for one in find_increases(samples) if since - NEAR <= one.start and one.end <= until + NEAR]
    found = [one for one in near if since <= one.middle <= until]
    if not found:
        return Change(NOTHING_KNOWN, None, None, complete=False, increases=())
    total = Counted()
    for one in found:
        total = total.plus(one.counted)
    never = [name for name in _NUMBERS if all(getattr(one, name) is None for one in samples)]
    total = replace(total, **dict.fromkeys(never))
    whole = found[0].start <= since + NEAR and found[-1].end >= until - _GAP
    complete = whole and not any(one.lacking for one in found)
    return Change(total, found[0].start, found[-1].end, complete, found)


def find_increases(samples: Iterable[Sample]) -> Iterator[Increase]:
    before: Sample | None = None
    for taken in samples:
        sample = _fill(taken, before)
        if before is not None and before.month == sample.month:
            yield Increase(before.at, sample.at, _rise(before, sample))
        else:
            begin = min(sample.begins, sample.at) if before is None else _between(before.at, sample.begins, sample.at)
            if before is not None:
                yield Increase(before.at, begin, _find_rest(before, sample), lacking=begin - before.at > _GAP)
            yield Increase(
                begin, sample.at, Counted(sample.conversations or 0, sample.leads or 0, sample.messages or 0)
            )
        before = sample


def split(increases: Sequence[Increase], since: datetime, until: datetime, unit: Unit) -> list[Part]:
    """What came in each hour, day or month from that of `since` to that of `until`.

    An increase counts for the part in which the middle of its time is; one that took longer than two of them, for none.
    """
    starts = list(_starts(since, until, unit))
    middles = [start + LENGTHS[unit] / 2 for start in starts]
    counted: list[Counted | None] = [None] * len(starts)
    for one in increases:
        place = bisect_right(starts, one.middle) - 1
        if not 0 <= place < len(starts) or one.end - one.start > 2 * LENGTHS[unit]:
            continue
        counted[place] = (counted[place] or Counted()).plus(one.counted)
        for other in range(bisect_left(middles, one.start), bisect_right(middles, one.end)):
            counted[other] = counted[other] or Counted()
    return [Part(start, found or NOTHING_KNOWN) for start, found in zip(starts, counted, strict=True)]


def floor(moment: datetime, unit: Unit) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    day = hour if unit == "hour" else hour.replace(hour=0)
    return day.replace(day=1) if unit == "month" else day


def _starts(since: datetime, until: datetime, unit: Unit) -> Iterator[datetime]:
    start = floor(since, unit)
    while start < until:
        yield start
        start = floor(start + LENGTHS[unit], unit)  # 31 days after the first of a month it is the next one


def _fill(sample: Sample, before: Sample | None) -> Sample:
    """The sample with what it lacks as it was before; at the beginning of a month that is 0."""
    if before is None:
        return sample
    same = before.month == sample.month
    lacking: dict[str, int | None] = {
        name: (getattr(before, name) if same else 0) for name in _NUMBERS if getattr(sample, name) is None
    }
    for name in ("all_conversations", "all_leads"):
        if getattr(sample, name) is None:
            lacking[name] = getattr(before, name)
    return replace(sample, **lacking)  # type: ignore[arg-type] # the names are those of numbers


def _begin(sample: Sample) -> Sample:
    """As it was when its month began."""
    return replace(sample, conversations=0, leads=0, messages=0)


def _rise(before: Sample, after: Sample) -> Counted:
    def rise(old: int | None, new: int | None) -> int:
        return 0 if old is None or new is None else max(0, new - old)

    return Counted(
        rise(before.conversations, after.conversations),
        rise(before.leads, after.leads),
        rise(before.messages, after.messages),
    )


def _find_rest(before: Sample, after: Sample) -> Counted:
    """What came after the last sample of a month until the next month began, by the totals."""

    def rest(old: int | None, new: int | None, of_month: int | None) -> int:
        return 0 if old is None or new is None else max(0, new - old - (of_month or 0))

    return Counted(
        rest(before.all_conversations, after.all_conversations, after.conversations),
        rest(before.all_leads, after.all_leads, after.leads),
        0,
    )


def _between(low: datetime, moment: datetime, high: datetime) -> datetime:
    return max(low, min(moment, high))
