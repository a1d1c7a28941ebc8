"""Finds the `${{ … }}` in a text, in linear time whatever stands in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from connector.flows.expressions.syntax import MAX_CHARACTERS

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


def _closing(text: str, start: int) -> int:
    """Where the next `}}` outside of quotes starts; one inside of quotes where there is no other; or -1."""
    position, limit = start, start + MAX_CHARACTERS + 2
    while found := _NEXT.search(text, position, limit):
        if found[0] == "}}":
            return found.start()
        closed = _CLOSING[found[0]].match(text, found.end(), limit)
        if closed is None:
            break
        position = closed.end()
    # Most likely a quote is missing, which the parser shows in its place.
    return text.find("}}", start)
