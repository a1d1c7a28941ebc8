"""JSON text as the vendor's Node.js reads and writes it: `JSON.parse` and `JSON.stringify`."""

import json
import math
from typing import Any


def parse(raw: bytes) -> Any:
    """The value of a JSON text. Raises ValueError where `JSON.parse` would throw, or when it nests too deep."""
    try:
        return json.loads(raw.decode("utf-8"), parse_float=_parse_number, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def render(value: Any) -> bytes:
    """Compact JSON in UTF-8: non-ASCII raw, a lone surrogate as `\\udxxx`, infinity as null."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "backslashreplace")  # only lone surrogates cannot be encoded


def _parse_number(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None  # what JSON.stringify makes of Infinity


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
