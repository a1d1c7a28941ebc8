"""`chatforge drift`."""

from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated

import typer
from rich.text import Text

from connector import engines
from connector.cli import output
from connector.cli.loading import load_settings
from connector.cli.paragraphs import write_beside
from connector.runs.drifts import KnownDrift, read_drifts

_LEFT = 11
_STYLES = {"retyped": "red", "missing": "yellow", "unknown": "dim"}


def drift(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Show how answers differ from what the plugins declare.

    By operation and place: fields that no model knows, documented ones that did not come, and those of another type,
    which fail their step. What is unknown or missing breaks nothing; it tells that the other side has changed.

    Example: chatforge drift
    """
    known = engines.read(load_settings().database, read_drifts)
    if as_json:
        output.write_json(
            [{**asdict(one), "first_at": output.iso(one.first_at), "last_at": output.iso(one.last_at)} for one in known]
        )
        return
    if not known:
        output.line("no answer differs from what the plugins declare, as far as flows have asked")
    now = datetime.now(UTC)
    for number, (operation, places) in enumerate(groupby(known, lambda one: one.operation)):
        if number:
            output.line("")
        output.line(output.styled(operation, "bold"))
        for one in places:
            write_beside(Text(f"  {one.kind:<8} ", _STYLES[one.kind]), _LEFT, _describe(one, now))


def _describe(one: KnownDrift, now: datetime) -> str:
    times = "once" if one.times == 1 else f"{one.times:,} times"
    return f"{one.path}: {times}, last {output.distance(one.last_at, now)}, first {output.moment(one.first_at)}"
