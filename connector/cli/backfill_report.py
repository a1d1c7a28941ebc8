"""What `chatforge backfill` prints: how far it is, what came of it, what would."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from connector.cli import output
from connector.runs.polling.backfills import Backfill, Query, Selection
from connector.runs.polling.listings import Entry

SHOW_AFTER = 1.0  # seconds
MOST_REASONS = 5


@asynccontextmanager
async def show_progress(filling: Backfill, waits: Callable[[], bool]) -> AsyncIterator[None]:
    """A bar on the terminal, where it takes longer than a moment; and whether a rate limit `waits`."""
    showing = asyncio.create_task(_show(filling, waits)) if output.errors.is_terminal else None
    try:
        yield
    finally:
        if showing is not None:
            showing.cancel()
            await asyncio.wait([showing])


async def _show(filling: Backfill, waits: Callable[[], bool]) -> None:
    await asyncio.sleep(SHOW_AFTER)
    note = TextColumn("{task.fields[note]}", style="yellow")
    columns = (
        TextColumn("{task.description:<5}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        note,
    )
    with Progress(*columns, console=output.errors, transient=True) as bar:
        read, ran = (bar.add_task(name, total=None, note="") for name in ("read", "ran"))
        for number in itertools.count():
            _update(bar, read, ran, filling)
            if number % 10 == 0:
                bar.update(ran, note="waits for the rate limit" if waits() else "")
            await asyncio.sleep(0.1)


def _update(bar: Progress, read: TaskID, ran: TaskID, filling: Backfill) -> None:
    listing, selection = filling.selection.listing, filling.selection
    bar.update(read, completed=listing.read, total=listing.total)
    dealt_with = sum(selection.reasons.values()) + filling.before
    total = max(0, (listing.read if listing.ended else listing.total or 0) - dealt_with)
    if filling.limit is not None:
        total = min(total, filling.limit)
    bar.update(ran, completed=filling.ended.total(), total=total or None)


def summarize(filling: Backfill, *, interrupted: bool, here: bool) -> None:
    """What came of it."""
    selection, listing = filling.selection, filling.selection.listing
    runs = filling.ended.total() + len(filling.open)
    output.line(f"{selection.flow.name}: {_entries(listing.read)} read, {_runs(runs)}")
    _say_ended(filling)
    if filling.open:
        left = "the server does them" if not here else "the same command does them, or chatforge serve"
        output.line(f"  {len(filling.open):>6,} not finished; {left}")
    if filling.before:
        output.line(f"  {filling.before:>6,} had run before")
    _say_reasons(selection.reasons)
    _say_notes(selection)
    if interrupted:
        output.line("interrupted; run the same command again to go on")


def _say_ended(filling: Backfill) -> None:
    for status, number in filling.ended.most_common():
        see = f"; see: chatforge runs list --flow {filling.selection.flow.name} --status {status}"
        where = see if status in filling.with_error else ""
        output.line(f"  {number:>6,} ", output.status(status), where)


def _say_reasons(reasons: "Counter[str]") -> None:
    for reason, number in reasons.most_common(MOST_REASONS):
        output.line(f"  {number:>6,} started nothing: {reason}")
    if (others := len(reasons) - MOST_REASONS) > 0:
        number = sum(reasons.values()) - sum(number for _, number in reasons.most_common(MOST_REASONS))
        output.line(f"  {number:>6,} started nothing for {others:,} other reason{'' if others == 1 else 's'}")


def _say_notes(selection: Selection) -> None:
    for agent in selection.listing.gone:
        output.line(f"{agent} was deleted meanwhile")
    for agent in selection.listing.unsteady:
        output.line(f"the list of {agent} changed too much while it was read; run the same command again later")
    for agent in selection.listing.uncounted:
        output.line(f"the list of {agent} is empty, and how many there should be cannot be read (Get Analytics)")
    if selection.in_list_order:
        output.line("the list is long, so its entries were taken in its own order and not the oldest first")


async def preview(selection: Selection, query: Query, limit: int | None) -> None:
    """Print what would run, and why others would not."""
    would = 0
    async for entry, verdict in selection.preview(query):
        if limit is not None and would >= limit:
            break
        would += verdict.new
        reason = f"had {verdict.run_id}" if verdict.run_id else f"starts nothing: {verdict.reason}"
        output.line(_name(entry), "  ", output.styled("would run", "green") if verdict.new else reason)
    output.line(f"{selection.flow.name}: {_entries(selection.listing.read)} read, {_runs(would)} would start")
    _say_reasons(selection.reasons)
    _say_notes(selection)


def _name(entry: Entry) -> str:
    at = entry.item.occurred_at
    return f"{at.astimezone():%Y-%m-%d %H:%M}  {entry.item.id}" if at else f"{'no time':<16}  {entry.item.id}"


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number:,} entries"


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number:,} runs"
