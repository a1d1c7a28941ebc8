"""What the terminal shows: no colour when piped, and never a control character that a visitor typed."""

import errno
import io
import json
import math
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

console = Console(highlight=False, soft_wrap=True, emoji=False)
errors = Console(highlight=False, soft_wrap=True, emoji=False, stderr=True)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_NARROWEST = 20  # columns
STYLES = {
    "succeeded": "green",
    "accepted": "green",
    "failed": "red",
    "held": "yellow",
    "waiting": "cyan",
    "running": "cyan",
    "sending": "cyan",
    "started": "cyan",
    "skipped": "dim",
    "queued": "dim",
}


def prepare() -> None:
    """Have characters that the streams' encoding lacks written as escapes, and a closed output swallow all."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - it is for as long as the process lives
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_refused(error: Exception) -> bool:
    """Whether the error says that the standard output takes no more, as on a full disk."""
    # A file's own error has its name, and the database's is no OSError.
    return isinstance(error, OSError) and error.filename is None and error.errno in _FULL


def discard() -> None:
    """Drop what is still to be written to the standard output; at its end Python would try once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def printable(value: object) -> str:
    """The text with control and direction characters written as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(value))


def line(*parts: "str | Text") -> None:
    """Print one line; plain parts are made printable, `Text` is taken as it is."""
    console.print(Text().join(part if isinstance(part, Text) else Text(printable(part)) for part in parts))


def width(*, beside: int = 0) -> int:
    """The columns that a line may have to the right of `beside` others; at least a few, also where it then breaks.

    Piped output is for reading too, but need not be narrow.
    """
    return max(_NARROWEST, (console.width if console.is_terminal else 120) - beside)


def styled(text: object, style: str) -> Text:
    return Text(printable(text), style)


def status(word: str, width: int = 0) -> Text:
    return Text(word.ljust(width), STYLES.get(word, ""))


def fail(message: object) -> None:
    """Print one sentence to the error stream."""
    mark = "error: "
    text = folded(f"{mark}{printable(message)}", errors)
    errors.print(Text.assemble((mark, "red bold"), text.removeprefix(mark)))


def folded(text: str, shown: Console = console) -> str:
    """The text with line breaks between words, where a terminal would break within one; piped it stays one line."""
    if not shown.is_terminal:
        return text
    return "\n".join(textwrap.wrap(text, shown.width, break_on_hyphens=False))


def write_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns under each other. What has no room in the last one stands on lines of its own, below its row."""
    shown = [[cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row] for row in rows]
    heads = [Text(column, "bold") for column in columns]
    widths = [max(len(row[number]) for row in (heads, *shown)) for number in range(len(columns) - 1)]
    for row in (heads, *shown):
        start = Text("  ").join(
            Text.assemble(cell, " " * (wide - len(cell))) for cell, wide in zip(row, widths, strict=False)
        )
        _print_row(start, row[-1])


def _print_row(start: Text, last: Text) -> None:
    if not last:
        console.print(start)
    elif not console.is_terminal or len(start) + 2 + len(last) <= console.width:
        console.print(Text.assemble(start, "  ", last))
    else:
        console.print(start)
        for part in textwrap.wrap(last.plain, width(beside=2)):
            console.print(Text.assemble("  ", (part, last.style)))


def moment(value: datetime | None) -> str:
    """A time in the reader's zone, to the second; `--json` has the year."""
    return value.astimezone().strftime("%m-%d %H:%M:%S") if value else ""


def iso(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None


def seconds(start: datetime | None, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.2f} s" if start and end else ""


def distance(moment: datetime, now: datetime) -> str:
    """`12 s ago`, `in 3 h`."""
    seconds = abs((now - moment).total_seconds())
    amount, unit = next(
        (seconds // length, unit)
        for unit, length, most in (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 172_800), ("days", 86_400, math.inf))
        if seconds < most
    )
    return f"in {amount:,.0f} {unit}" if moment > now else f"{amount:,.0f} {unit} ago"
