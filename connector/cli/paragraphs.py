"""Texts of several lines beside what names them, in 80 columns."""

import textwrap

from rich.text import Text

from connector.cli import output

WIDTH = 80


def write_beside(head: str | Text, left: int, text: str, *, mark: str = "", style: str = "") -> None:
    """Print the text from the column `left` on, `mark` before it and, in its first line, `head` to the left of it."""
    shown = textwrap.wrap(
        output.printable(text), WIDTH - left, initial_indent=mark, subsequent_indent=" " * len(mark)
    ) or [""]
    for number, line in enumerate(shown):
        output.line(" " * left if number else head, output.styled(line, style))
