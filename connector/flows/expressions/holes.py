"""Finds the `${{ … }}` in a text. Linear in its length, whatever stands in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NEXT = re.compile(r"""['"]|\}\}""")
_CLOSING = {"'": re.compile(r"(?:[^'\\]|\\.)*'", re.DOTALL), '"': re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL)}


@dataclass(frozen=True, slots=True)
class Hole:
    """`text[start:end]` is the whole of it, `expression` what stands between the braces."""

    start: int
    end: int
    expression: str

    @property
    def inside(self) -> int:
        """Where the expression starts."""
        return self.start + 3


def find(text: str) -> Iterator[Hole]:
    """The holes from left to right. One that is never closed has an `end` of -1 and is the last."""
    position = 0
    while (start := text.find("${{", position)) >= 0:
        closing = _closing(text, start + 3)
        if closing < 0:
            yield Hole(start, -1, "")
            return
        position = closing + 2
        yield Hole(start, position, text[start + 3 : closing])


def _closing(text: str, position: int) -> int:
    """Where the next `}}` outside of quotes starts, or -1."""
    while found := _NEXT.search(text, position):
        if found[0] == "}}":
            return found.start()
        closed = _CLOSING[found[0]].match(text, found.end())
        if closed is None:
            # A quote that is never closed is a fault of the expression, which the parser shows in its place.
            return text.find("}}", found.end())
        position = closed.end()
    return -1
