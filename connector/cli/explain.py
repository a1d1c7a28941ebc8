"""`chatforge explain`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from connector.cli import output
from connector.cli.exits import UsageError
from connector.flows.problems import did_you_mean, quoted

_PAGE = Path(__file__).parent / "templates" / "problems.md"


def explain(
    rule: Annotated[
        str | None,
        typer.Argument(
            help="The rule, as it stands in brackets after a problem; without it all are listed.", show_default=False
        ),
    ] = None,
) -> None:
    """Explain a rule of `chatforge check`.

    What it means, an example, and what to write instead.

    Example: chatforge explain unknown-field
    """
    sections = _sections()
    if rule is None:
        for name in sections:
            output.line(name)
        output.line("more on one: chatforge explain RULE")
        return
    if rule not in sections:
        hint = did_you_mean(rule, sections) or "see the end of a problem that `chatforge check` prints"
        raise UsageError(f"there is no rule {quoted(rule)}; {hint}")
    for line in sections[rule].splitlines():
        output.line(line)


def _sections() -> Mapping[str, str]:
    """The sections of the page about problems, by rule."""
    _, *parts = re.split(r"^## ", _PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0]: part.strip() for part in parts}
