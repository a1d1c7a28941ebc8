"""What the functions on texts and numbers do."""

import json
import math
import re
from typing import Any

from connector.flows.expressions.values import MAX_RESULT, EvaluationError, as_text, shown, too_long
from connector.flows.expressions.work import PER_VALUE, Spend, measured

_LARGEST_INT = 2**63
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MOST_DIGITS = 400  # of a text that is a number


def to_number(value: str | int | float) -> int | float | None:
    """The number that a text is by JSON's grammar, null where it is none; a number as it is."""
    if not isinstance(value, str):
        return value
    match = _NUMBER.fullmatch(value) if len(value) <= _MOST_DIGITS else None
    if match is None:
        return None
    if not match[1] and not match[2] and abs(whole := int(value)) < _LARGEST_INT:
        return whole
    number = float(value)
    return number if math.isfinite(number) else None


def to_int(value: str | int | float) -> int | None:
    """`to_number` without what follows the decimal point; null where a text is too large a number for it."""
    number = to_number(value)
    if number is None or isinstance(number, int):
        return number
    if abs(number) < _LARGEST_INT:
        return math.trunc(number)
    if isinstance(value, str):
        return None
    raise EvaluationError(f"int({shown(value)}) has no value")


def replace(text: str, old: str, new: str) -> str:
    """An empty `old` is nowhere in the text."""
    if old == "":
        return text
    # Before the result is made: it may be as large as the product of two texts.
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_RESULT:
        raise too_long("the result of replace")
    return text.replace(old, new)


def split(spend: Spend, text: str, separator: str) -> list[str]:
    """An empty separator is nowhere in the text."""
    if separator == "":
        return [text]
    spend((text.count(separator) + 1) * PER_VALUE)
    return text.split(separator)


def join(spend: Spend, items: list[Any], separator: str) -> str:
    spend(len(items) * PER_VALUE)
    for item in items:
        if type(item) not in (str, int, float, bool):
            raise EvaluationError(f"join cannot be applied to a list with {shown(item)}")
    texts = [as_text(item) for item in items]
    size = sum(map(len, texts)) + len(separator) * (len(texts) - 1)
    spend(max(0, size))
    if size > MAX_RESULT:
        raise too_long("the result of join")
    return separator.join(texts)


def to_json(spend: Spend, value: Any) -> str:
    """Without spaces, and with characters beyond ASCII as they are."""
    if measured(spend, value) > MAX_RESULT:
        raise too_long("the result of json")
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise EvaluationError("a value that is nested so deeply cannot be written as JSON") from None
