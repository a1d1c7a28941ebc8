"""Turns what a page shows into HTML. All values are escaped; there is no script and no style in a page."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from connector.server import charts
from connector.server.drawing import draw_graph

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
_SHORT = 160


def make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": moment, "ago": ago, "json": as_json, "short": short, "took": took}
    environment.filters |= {"drawn": draw_graph, "prose": prose}
    environment.filters |= {"number": number, "part_of": part_of}
    environment.globals |= {"make_scale": charts.scale, "label": charts.label}
    return environment


def moment(value: datetime | None) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if value else "never"


def ago(value: datetime | None, now: datetime) -> str:
    """`12 s ago`, `3 min ago`, `5 h ago`, `in 2 d`."""
    if value is None:
        return "never"
    seconds = (now - value).total_seconds()
    size = abs(seconds)
    limits = ((90, 1, "s"), (5_400, 60, "min"), (129_600, 3_600, "h"))
    amount, unit = next(((round(size / one), name) for limit, one, name in limits if size < limit), (0, ""))
    text = f"{amount} {unit}" if unit else f"{round(size / 86_400)} d"
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def prose(text: str) -> Markup:
    """The text of a description, with what stands in backticks as code."""
    parts = enumerate(re.split(r"`([^`]+)`", text))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in parts)


def took(start: datetime | None, end: datetime | None) -> str:
    if start is None or end is None:
        return ""
    seconds = (end - start).total_seconds()
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


def number(value: float | None, percent: bool = False) -> str:
    """`1,204`, `12.5 %`; a dash where it is not known."""
    if value is None:
        return "–"
    return f"{value:.1%}".replace("%", " %") if percent else f"{value:,}"


def part_of(value: datetime, unit: str) -> str:
    """The hour, the day or the month that begins then."""
    return value.strftime({"hour": "%d %b %H:00", "day": "%a %d %b", "month": "%b %Y"}[unit])


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def short(text: str | None) -> str:
    one_line = " ".join((text or "").split())
    return one_line if len(one_line) <= _SHORT else f"{one_line[: _SHORT - 1]}…"
