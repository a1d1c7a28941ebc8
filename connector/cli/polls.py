"""`chatforge polls`."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from connector.cli import output
from connector.cli.loading import load_settings
from connector.runs.poll_states import PollState, WaitingWebhooks, read_polls, read_waiting
from connector.sqlite import read_file


def polls(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show how the polls of lists stand.

    When each list was seen, also when it was seen whole; what fails, since when; which webhooks wait for their entry.
    """
    states, waiting = read_file(
        load_settings().database, lambda connection: (read_polls(connection), read_waiting(connection))
    )
    now = datetime.now(UTC)
    if as_json:
        output.write_json({"polls": [_as_json(one) for one in states], "waiting": [_as_json(one) for one in waiting]})
        return
    if not states:
        output.line("nothing was polled yet; chatforge serve does it for triggers that watch a list")
    for number, state in enumerate(states):
        if number:
            output.line("")
        _show(state, now)
    for one in waiting:
        output.line("")
        output.line(_say_waiting(one, now))


def _show(state: PollState, now: datetime) -> None:
    output.line(output.styled(f"{state.connector}/{state.connection}  {state.list}  {state.partition}", "bold"))
    for name, text, style in _rows(state, now):
        output.line(output.styled(f"  {name:<8} ", style), text)


def _rows(state: PollState, now: datetime) -> Iterator[tuple[str, str, str]]:
    """(name, text, style)"""
    if state.retired_at is not None:
        yield "retired", f"{_when(state.retired_at, now)}: it is gone at the other side", "yellow"
    yield "polled", _when(state.polled_at, now), "dim"
    whole = _when(state.swept_at, now) if state.swept_at else "not yet; a long list takes its time"
    yield "whole", whole, "dim"
    yield "entries", f"{state.entries:,}", "dim"
    if state.failing_since is not None:
        yield "fails", f"since {_when(state.failing_since, now)}: {state.error}", "red"
    if state.alert is not None:
        yield "alert", state.alert, "yellow"


def _say_waiting(waiting: WaitingWebhooks, now: datetime) -> str:
    name = f"{waiting.connector}/{waiting.connection}, {waiting.list}"
    one = waiting.webhooks == 1
    wait = f"{waiting.webhooks} webhook{'' if one else 's'} wait{'s' if one else ''}"
    due = f"a flow starts without that at {_when(waiting.due_at, now)}"
    return f"{name}: {wait} until {'its entry is' if one else 'their entries are'} listed; {due}"


def _when(moment: datetime | None, now: datetime) -> str:
    return f"{output.moment(moment)}, {output.distance(moment, now)}" if moment else "never"


def _as_json(state: PollState | WaitingWebhooks) -> dict[str, Any]:
    values = {one.name: getattr(state, one.name) for one in fields(state)}
    return {name: output.iso(value) if isinstance(value, datetime) else value for name, value in values.items()}
