"""Texts of several lines beside what names them, in 80 columns."""

import textwrap

from rich.text import Text

from connector.cli import output

WIDTH = 80


def write_beside(head: str | Text, left: int, text: str, *, mark: str = "", style: str = "") -> None:
    """Print the text from the column `left` on, `mark` before it and, in its first line, `head` to the left of it."""
    for number, line in enumerate(_wrap(text, left, mark)):
        output.line(" " * left if number else head, output.styled(line, style))


def write_wrapped(text: str, *, style: str = "") -> None:
    """Print the text; no word of it is broken."""
    for line in _wrap(text):
        output.line(output.styled(line, style))


def _wrap(text: str, left: int = 0, mark: str = "") -> list[str]:
    # An id, an address or a path in two parts could not be copied, unless a line is too short for it.
    return textwrap.wrap(
        output.printable(text),
        WIDTH - left,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_on_hyphens=False,
    ) or [""]
