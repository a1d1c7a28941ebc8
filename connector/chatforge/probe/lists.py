"""How a list behaves: its order, the largest page, the offset, the total."""

from collections import Counter
from collections.abc import Iterator, Sequence

from connector.chatforge.probe.answers import Fact, Item, ListAnswers, Seen, count, describe_answer
from connector.chatforge.probe.fields import describe_fields, describe_forms, read_time

_EVIDENCE = 8
"""Fewer items may stand in order by chance."""
_MOSTLY = 0.8
"""The part of a page that shows that it is the expected one, though in another order."""


def list_facts(answers: ListAnswers) -> Iterator[Fact]:
    """All that is told by what was asked of one list."""
    page = answers.fullest
    if page is None or page.items(answers.key) is None:
        how = f"{page.request}: {describe_answer(page)}" if page else f"{answers.topic}: not asked"
        yield Fact(answers.topic, "list", "not readable", how)
        return
    yield from _paging_facts(answers, page)
    if answers.default is not None:
        yield Fact(answers.topic, "without limit", _came(answers.default, answers.key), answers.default.request)
    for seen in answers.odd:
        yield Fact(answers.topic, seen.request.partition(" ")[2], _came(seen, answers.key), seen.request)
    yield from describe_fields(answers.topic, "answer", [page.document], answers.page, page.request)
    yield from describe_fields(answers.topic, "item", answers.listed, answers.item, page.request, answers.leave_out)
    yield from describe_forms(answers.topic, answers.listed, page.request)


def _paging_facts(answers: ListAnswers, page: Seen) -> Iterator[Fact]:
    yield Fact(answers.topic, "order", *find_order(answers.listed, page.request))
    yield Fact(answers.topic, "repeated reads", *compare_reads(page, answers.pages, answers.key))
    if len(answers.limits) > 1:
        yield Fact(answers.topic, "largest limit", *find_largest_limit(answers))
        yield Fact(answers.topic, "offset", *find_offset(answers))
        yield Fact(answers.topic, "total", *compare_total(answers))


def _came(seen: Seen, key: str) -> str:
    items = seen.items(key)
    if items is None:
        return describe_answer(seen)
    echoed = [f"{name} {seen.document[name]}" for name in ("limit", "offset") if type(seen.document.get(name)) is int]
    return count(len(items)) + (f"; the answer says {', '.join(echoed)}" if echoed else "")


def find_order(items: Sequence[Item], request: str) -> tuple[str, str]:
    """newest_first, oldest_first, neither, or too few to tell; ties fit any order."""
    times = [moment for item in items if (moment := read_time(item.get("created_at"))) is not None]
    missing = len(items) - len(times)
    ties = sum(number for number in Counter(times).values() if number > 1)
    how = f"{request}: {count(len(items))} by created_at, {ties} with a time that another has"
    how += f", {missing} without a readable time" if missing else ""
    rising, falling = times == sorted(times), times == sorted(times, reverse=True)
    if not rising and not falling:
        return "neither", how
    if rising and falling:
        return "too few to tell", how + (", all of one time" if len(times) > 1 else "")
    order = "oldest_first" if rising else "newest_first"
    return (order, how) if len(times) >= _EVIDENCE else ("too few to tell", f"{how}; they stand {order}")


def compare_reads(first: Seen, others: Sequence[Seen], key: str) -> tuple[str, str]:
    """Whether what is in the first page and in another one of the same offset stands in the same order in both."""
    page = _by_id(first, key)
    moved, tied, compared, reads = 0, True, 0, 0
    for other in (_by_id(seen, key) for seen in others if seen is not first):
        one, two = [name for name in page if name in other], [name for name in other if name in page]
        pairs = [(a, b) for a, b in zip(one, two, strict=True) if a != b]
        moved, compared, reads = max(moved, len(pairs)), max(compared, len(one)), reads + (len(one) > 1)
        tied = tied and all(page[a].get("created_at") == other[b].get("created_at") for a, b in pairs)
    how = f"{first.request} and {reads} other reads: at most {count(compared)} in both, {moved} at another place"
    if reads == 0:
        return "too few to tell", how
    if not moved:
        return "same order", how
    among = "only among items of one time" if tied else "also among items of different times"
    return f"order changes, {among}", how


def _by_id(seen: Seen, key: str) -> dict[str, Item]:
    return {item["id"]: item for item in seen.items(key) or () if isinstance(item.get("id"), str)}


def find_largest_limit(answers: ListAnswers) -> tuple[str, str]:
    """How many items a page has at most, as far as the list is long enough to show it."""
    counts = {limit: seen.items(answers.key) for limit, seen in answers.limits.items()}
    came = {limit: len(items) for limit, items in counts.items() if items is not None}
    shown = [f"{limit}: {came.get(limit, answers.limits[limit].status)}" for limit in sorted(counts)]
    how = f"{answers.topic}, asked: came (items, or the status): {', '.join(shown)}"
    most, honoured = max(came.values(), default=0), max((limit for limit in came if came[limit] == limit), default=0)
    refused = sorted(counts.keys() - came.keys())
    words = f"; {', '.join(map(str, refused))} refused" if refused else ""
    beyond = any(limit > most for limit in came)
    if beyond and has_more(answers, most):
        return f"{most}{words}", f"{how}; there are more than {most}"
    if beyond:
        return f"at least {honoured}; too few items to tell more{words}", how
    return (f"at least {honoured}{words}" if honoured else f"too few to tell{words}"), how


def has_more(answers: ListAnswers, most: int) -> bool:
    """Whether the list has more items than the fullest page."""
    if answers.total is not None and answers.total > most:
        return True
    known = {item.get("id") for item in answers.listed}
    return any(item.get("id") not in known for item in answers.following or ())


def find_offset(answers: ListAnswers) -> tuple[str, str]:
    """Whether a page at an offset goes on where the fullest page has that item."""
    ids = [item.get("id") for item in answers.listed]
    if answers.shifted is None or not ids:
        return "too few to tell", f"{answers.topic}: {count(len(ids))}"
    offset, seen = answers.shifted
    shifted = [item.get("id") for item in seen.items(answers.key) or ()]
    expected = ids[offset:][: len(shifted)]
    right = sum(a == b for a, b in zip(shifted, expected, strict=False))
    how = f"{seen.request}: {right} of {len(expected)} items where the page without offset has them"
    if shifted and right == len(expected) == len(shifted[: len(expected)]):
        return "works", how
    if shifted and shifted == ids[: len(shifted)]:
        return "no effect", how
    if expected and len(set(shifted) & set(expected)) >= _MOSTLY * len(expected):
        return "works, but the order is another one", how
    return (f"refused, {describe_answer(seen)}" if seen.items(answers.key) is None else "unclear"), how


def compare_total(answers: ListAnswers) -> tuple[str, str]:
    """Get Analytics beside what is listed, where one page has all."""
    listed = len(answers.listed)
    how = f"v1-analytics: {answers.total}; {answers.fullest.request if answers.fullest else ''}: {count(listed)}"
    if answers.total is None:
        return "not in v1-analytics", how
    if listed == answers.total:
        return ("more are listed" if has_more(answers, listed) else "equals the list"), how
    if listed > answers.total:
        return "less than is listed", how
    if answers.following is None or answers.following:
        return "too many to compare", f"{how}; not all of them are on one page"
    return "more than is listed", how
