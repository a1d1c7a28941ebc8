"""How wide a text is, without the font: an upper estimate for the usual fonts without serifs, checked in Chromium."""

import unicodedata
from dataclasses import dataclass

_NARROW = frozenset("ijl.,:;'|!()[] ft`")
_WIDE = frozenset("mwMW@%&—…")
_OTHER = 0.6
"""Of the size of the font; a letter or a digit."""


@dataclass(frozen=True, slots=True)
class Text:
    """`whole` is the text where it was cut, else None."""

    shown: str
    whole: str | None = None


def measure(text: str, size: float) -> float:
    """Pixels, for a font of `size` pixels."""
    return size * sum(map(_width, text))


def cut(text: str, room: float, size: float) -> Text:
    """The text on one line, as far as it fits into `room` pixels, then an ellipsis."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if measure(line, size) <= room:
        return Text(line)
    left, end = room - measure("…", size), 0
    while end < len(line) and (left := left - size * _width(line[end])) >= 0:
        end += 1
    return Text(f"{line[:end].rstrip()}…", line)


def _width(char: str) -> float:
    if unicodedata.combining(char):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.4 if ord(char) > 0xFFFF else 1.05  # emoji are wider than their squares
    if char in _NARROW:
        return 0.4
    return 1.0 if char in _WIDE else 0.75 if char.isupper() else _OTHER
