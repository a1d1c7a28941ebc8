"""Reads JSON from people: up to a depth, and nothing in it is passed over."""

import json
import math
from typing import Any

from connector.flows.problems import quoted, shortened

DEEPEST = 100
"""Levels of JSON; validation follows a little deeper than this, but not any depth."""


class RefusedJSONError(ValueError):
    """It may be JSON, but what it says would be lost. The text completes `this is not read: …`."""


def read_json(text: str) -> Any:
    """The value of a JSON text. Raises JSONDecodeError, or RefusedJSONError where it has no one meaning here."""
    try:
        value = _READER.decode(text)
    except RecursionError:
        raise RefusedJSONError("it is nested too deeply") from None
    if _is_deeper(value, DEEPEST):
        raise RefusedJSONError(f"it is nested too deeply, in more than {DEEPEST} levels")
    return value


def _is_deeper(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        holders = [part for part in level if isinstance(part, dict | list)]
        level = [inner for part in holders for inner in (part.values() if isinstance(part, dict) else part)]
        if not holders:
            return False
    return True


def _collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise RefusedJSONError(f"the key {quoted(key)} is there twice in one object")
        members[key] = value
    return members


def _read_integer(literal: str) -> int:
    try:
        return int(literal)
    except ValueError:  # Python reads 4,300 digits
        digits = len(literal.lstrip("-"))
        raise RefusedJSONError(f"the number {shortened(literal)} has too many digits, {digits:,}") from None


def _read_fraction(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise RefusedJSONError(f"the number {shortened(literal)} is too large")
    return number


def _refuse_constant(literal: str) -> None:
    raise RefusedJSONError(f"{literal} is no number of JSON")


_READER = json.JSONDecoder(
    parse_int=_read_integer, parse_float=_read_fraction, parse_constant=_refuse_constant, object_pairs_hook=_collect
)
