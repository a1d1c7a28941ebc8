"""What charts have beside their bars: a scale with round numbers, and the words under them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

_STEPS = 4
"""Lines above zero, at most."""


@dataclass(frozen=True, slots=True)
class Scale:
    top: float
    lines: Sequence[tuple[float, str]]
    """Values from zero to `top`, with their texts."""


def scale(most: float, *, percent: bool = False) -> Scale:
    """A scale that goes up to `most` at least, in steps of 1, 2 or 5 times a power of ten. Counts are whole."""
    least = 0.01 if percent else 1.0
    wanted = max(most / _STEPS, least)
    power = 10.0 ** math.floor(math.log10(wanted) + 1e-9)
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted - 1e-9)
    count = max(1, math.ceil(most / step - 1e-9))
    lines = [number * step for number in range(count + 1)]
    return Scale(lines[-1], [(value, f"{100 * value:.0f} %" if percent else f"{value:,.0f}") for value in lines])


def label(at: datetime, unit: str, place: int, count: int) -> str:
    """What stands under a bar; empty where there is no room for it."""
    if unit == "hour":
        return f"{at:%H}" if at.hour % 6 == 0 else ""
    if unit == "month":
        return f"{at:%b}"
    if count <= 7:
        return f"{at:%a}"
    return f"{at:%d %b}" if place % 5 == 2 else ""
