"""Who decides about a run, by the options `--by` and `--reason`."""

import os
import pwd
from datetime import UTC, datetime
from typing import Annotated

import typer

from connector.cli.exits import UsageError
from connector.runs.decisions.interventions import Person

_MOST = 1_000

By = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who decides; the user of the operating system without it.")
]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it is kept with the run.")]


def read_person(by: str | None, reason: str | None) -> Person:
    """Raises UsageError where one of them is too long to be shown."""
    for name, text in (("--by", by), ("--reason", reason)):
        if text is not None and len(text) > _MOST:
            raise UsageError(f"{name} has {len(text):,} characters; give at most {_MOST:,}")
    return Person(by or user(), datetime.now(UTC), reason)


def user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a user without a name
        return f"uid {os.getuid()}"
