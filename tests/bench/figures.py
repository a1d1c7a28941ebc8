"""What was measured, what was promised, and the table and the file in which both are shown."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

WIDTH = 66


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: the median of what several repetitions gave."""

    what: str
    values: Sequence[float]
    """One for each repetition, in `unit`."""
    unit: str
    target: float | None = None
    """What is promised, in `unit`; None where nothing is."""
    at_least: bool = False
    """Whether less than the target is too little; otherwise more than it is too much."""

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def is_missed(self) -> bool:
        if self.target is None:
            return False
        return self.median < self.target if self.at_least else self.median > self.target

    def __str__(self) -> str:
        target = "" if self.target is None else f"{'>=' if self.at_least else '<='} {_short(self.target)}"
        several = f"{_short(min(self.values))} … {_short(max(self.values))}" if len(self.values) > 1 else ""
        missed = "  missed" if self.is_missed else ""
        return f"{self.what:<{WIDTH}}{_short(self.median):>9} {self.unit:<9}{target:<10}{several}{missed}".rstrip()

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "unit": self.unit,
            "median": self.median,
            "values": list(self.values),
            "target": self.target,
            "at_least": self.at_least,
            "missed": self.is_missed,
        }


def _short(value: float) -> str:
    """Three digits that count, and no more than a reader can use."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


Parts = Mapping[str, Sequence[Figure]]


def lines(part: str, figures: Iterable[Figure]) -> Iterator[str]:
    """The table of one part."""
    yield ""
    yield f"{part:<{WIDTH}}{'median':>9} {'':<9}{'target':<10}lowest … highest"
    yield from map(str, figures)


def write(path: Path, machine: Mapping[str, str], parts: Parts) -> None:
    """Keep it as JSON."""
    found = {part: [figure.as_json() for figure in figures] for part, figures in parts.items()}
    path.write_text(json.dumps({"machine": machine, "parts": found}, indent=2, ensure_ascii=False) + "\n", "utf-8")
