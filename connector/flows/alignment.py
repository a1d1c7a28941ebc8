"""Where each character of a YAML scalar stands in the file.

Between the two lie quotes, escapes, indents and folded lines. All that folding and indenting touch is white space,
so the other characters stand in both in the same order, and white space needs no exact place.
"""

from collections.abc import Iterator

# What a backslash in double quotes stands for, where that is white space; YAML 1.1, "Escaped characters".
_WHITE_ESCAPES = frozenset(" \tntrvf_NLP")
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}


def offsets(raw: str, text: str, style: str | None) -> Iterator[int]:
    """For each character of `text` its offset in `raw`, the scalar as it was written."""
    visible = _visible(raw, style)
    position = -1
    for character in text:
        if not character.isspace():
            position = next(visible, position)
        elif raw[position + 1 : position + 2].isspace():
            position += 1
        yield max(position, 0)


def _visible(raw: str, style: str | None) -> Iterator[int]:
    """The offsets of the characters that are no white space and no part of the notation."""
    if style == '"':
        yield from _visible_in_double_quotes(raw)
        return
    start, end = 0, len(raw)
    if style in ("|", ">"):
        start = raw.find("\n") + 1
    elif style == "'":
        start, end = 1, len(raw) - 1
    skip = False
    for position in range(start, end):
        if skip:
            skip = False
        elif not raw[position].isspace():
            yield position
            skip = style == "'" and raw[position] == "'"


def _visible_in_double_quotes(raw: str) -> Iterator[int]:
    position = 1
    while position < len(raw) - 1:
        length, white = 1, raw[position].isspace()
        if raw[position] == "\\":
            sign = raw[position + 1]
            digits = _HEX_DIGITS.get(sign, 0)
            length = 2 + digits
            white = sign in _WHITE_ESCAPES or sign == "\n"
            if digits:
                white = chr(int(raw[position + 2 : position + length], 16)).isspace()
        if not white:
            yield position
        position += length
