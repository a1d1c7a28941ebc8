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
        typer.Argument(help="The rule, as it stands in brackets after a problem; all without it.", show_default=False),
    ] = None,
) -> None:
    """Explain a rule of `chatforge check`.

    What it means, an example, and what to write instead; without a rule, what each is about.

    Example: chatforge explain unknown-field
    """
    sections = _sections()
    if rule is None:
        rows = ((name, _first_sentence(section)) for name, section in sections.items())
        output.table(("rule", "what it is about"), rows)
        return
    if rule not in sections:
        hint = did_you_mean(rule, sections) or "see the end of a problem that `chatforge check` prints"
        raise UsageError(f"there is no rule {quoted(rule)}; {hint}")
    for line in sections[rule].splitlines():
        output.line(line)


def _first_sentence(section: str) -> str:
    paragraph = section.split("\n\n")[1].replace("\n", " ")
    return paragraph.partition(". ")[0].rstrip(".") + "."


def _sections() -> Mapping[str, str]:
    """The sections of the page about problems, by rule."""
    _, *parts = re.split(r"^## ", _PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0]: part.strip() for part in parts}
