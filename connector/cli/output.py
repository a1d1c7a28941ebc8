"""What the terminal shows: no colour when piped, and never a control character that a visitor typed."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False, soft_wrap=True, emoji=False)
errors = Console(highlight=False, soft_wrap=True, emoji=False, stderr=True)

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


def printable(value: object) -> str:
    """The text with control and direction characters written as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(value))


def line(*parts: "str | Text") -> None:
    """Print one line; plain parts are made printable, `Text` is taken as it is."""
    console.print(Text().join(part if isinstance(part, Text) else Text(printable(part)) for part in parts))


def width() -> int:
    """The columns that a line may have; piped output is for reading too, but need not be narrow."""
    return console.width if console.is_terminal else 120


def styled(text: object, style: str) -> Text:
    return Text(printable(text), style)


def status(word: str, width: int = 0) -> Text:
    return Text(word.ljust(width), STYLES.get(word, ""))


def fail(message: object) -> None:
    """Print one sentence to the error stream."""
    errors.print(Text.assemble(("error: ", "red bold"), printable(message)))


def write_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; without lines and as wide as its content when piped."""
    lines = box.SIMPLE_HEAD if console.is_terminal else None
    shown = Table(box=lines, pad_edge=False, show_edge=False, header_style="bold")
    for number, column in enumerate(columns, 1):
        shown.add_column(column, no_wrap=number < len(columns))  # an id that is cut is of no use
    for row in rows:
        shown.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    wide = console if console.is_terminal else Console(highlight=False, width=10_000, file=sys.stdout)
    wide.print(shown)


def moment(value: datetime | None) -> str:
    """A time in the reader's zone, to the second; `--json` has the year."""
    return value.astimezone().strftime("%m-%d %H:%M:%S") if value else ""


def iso(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None


def seconds(start: datetime | None, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.2f} s" if start and end else ""
