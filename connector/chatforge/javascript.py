"""JSON as JavaScript reads and writes it.

ChatForge signs `JSON.stringify(payload)`, so a body that a proxy wrote anew can only be checked by writing it as
Node.js would. Source of every rule here: ECMA-262, `JSON.parse`, `JSON.stringify` and `Number::toString`.
The scanner and the encoder are those of the standard `json` module; this module states where they differ.
"""

import json
import math
import re
from array import array
from collections.abc import Callable
from decimal import Decimal
from itertools import accumulate
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
Number: TypeAlias = int | float | None

_MAX_INDEX = 4_294_967_294
_LARGEST_EXACT = 2**53
_FIRST_WITH_EXPONENT = 1e21
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # read as signed bytes: one level down, one level up
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
_CANONICAL_DECIMAL = re.compile(r"0|[1-9][0-9]{0,9}")
_BELOW_1E_4 = re.compile(r"(\d)\.?(\d*)e-0([56])")


def read(text: str) -> JsonValue:
    """Read what `JSON.parse` accepts, and nothing else; raises `ValueError`.

    An integer literal stays an exact `int`, other numbers are floats, and a number beyond the largest double
    is None, as `JSON.stringify` writes it. Of equal keys the last value stands at the first one's place.
    Lone surrogates stay in the strings.
    """
    return _decode(text, _READER)


def write(value: object) -> str:
    """Write a plain JSON value, such as `read` gives, as `JSON.stringify` writes it in JavaScript."""
    return _write_as_javascript(json.dumps(value), lambda _constant: None)


def rewrite(text: str) -> str:
    """Return `JSON.stringify(JSON.parse(text))`; raises `ValueError` where `JSON.parse` would throw."""
    return _write_as_javascript(text, _refuse_constant)


def nests_deeper(text: str, levels: int) -> bool:
    """Say whether arrays and objects nest more than `levels` deep, without building them.

    Exact for JSON. For other text it is never too low for what a parser enters before it finds the fault.
    """
    if text.count("[") + text.count("{") <= levels:
        return False
    outside_strings = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    steps = outside_strings.encode("ascii", "ignore").translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(array("b", steps)), default=0) > levels


def _decode(text: str, decoder: json.JSONDecoder) -> JsonValue:
    try:
        value: JsonValue = decoder.decode(text)
    except RecursionError:
        raise ValueError("arrays and objects are nested too deep to be read") from None
    return value


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _exact_integer(literal: str) -> Number:
    # A finite one has at most 309 digits; int() refuses those of more than 4,300.
    return int(literal) if math.isfinite(float(literal)) else None


def _finite(literal: str) -> Number:
    number = float(literal)
    return number if math.isfinite(number) else None


_READER = json.JSONDecoder(parse_int=_exact_integer, parse_float=_finite, parse_constant=_refuse_constant)
_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def _write_as_javascript(text: str, constant: Callable[[str], None]) -> str:
    number = _Numbers().__getitem__
    decoder = json.JSONDecoder(
        parse_int=number, parse_float=number, parse_constant=constant, object_hook=_order_members
    )
    written = _WRITER.encode(_decode(text, decoder))
    if "e-0" in written:
        written = _lay_out_tiny_numbers(written)
    # Exactly the lone surrogates cannot be encoded, and become \udxxx in lower case.
    return written.encode("utf-8", "backslashreplace").decode("utf-8")


class _Numbers(dict[str, Number]):
    """Literal → the number that the standard encoder prints as JavaScript prints the literal's double.

    A table per text, because a hostile text may hold one literal 100,000 times.
    """

    def __missing__(self, literal: str) -> Number:
        number = self[literal] = _as_double(literal)
        return number


def _as_double(literal: str) -> Number:
    number = float(literal)
    if not number.is_integer():
        return number if math.isfinite(number) else None
    if abs(number) <= _LARGEST_EXACT:
        return int(number)
    if abs(number) < _FIRST_WITH_EXPONENT:
        return int(Decimal(repr(number)))  # the shortest digits, then zeros; not the double's exact value
    return number


def _order_members(members: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if len(members) < 2 or not any(map(str.isdecimal, members)):
        return members
    indexes = sorted(filter(_is_array_index, members), key=int)
    return {**{key: members[key] for key in indexes}, **members}


def _is_array_index(key: str) -> bool:
    return _CANONICAL_DECIMAL.fullmatch(key) is not None and int(key) <= _MAX_INDEX


def _lay_out_tiny_numbers(written: str) -> str:
    # The encoder escapes control characters, so that two of them can stand in for its own escapes meanwhile.
    parts = written.replace("\\\\", "\0").replace('\\"', "\1").split('"')
    outside_strings = '"'.join(parts[::2])
    # Python begins the exponent form below 1e-4, JavaScript below 1e-6; only Python pads the exponent.
    outside_strings = _BELOW_1E_4.sub(_lay_out_positionally, outside_strings)
    parts[::2] = outside_strings.replace("e-0", "e-").split('"')
    return '"'.join(parts).replace("\1", '\\"').replace("\0", "\\\\")


def _lay_out_positionally(match: re.Match[str]) -> str:
    first, others, exponent = match.groups()
    return ("0.0000" if exponent == "5" else "0.00000") + first + others
