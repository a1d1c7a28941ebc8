"""`chatforge polls`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.text import Text

from connector import engines
from connector.cli import output
from connector.cli.loading import load_adapter, load_settings
from connector.cli.paragraphs import write_beside, write_wrapped
from connector.diagnosis.budget import find_wait
from connector.runs.polling.pace import SHARE
from connector.runs.polling.poll_states import (
    PartitionFailure,
    PollState,
    WaitingWebhooks,
    read_partition_failures,
    read_polls,
    read_waiting,
)

LATE_AFTER = timedelta(seconds=5)
"""A request takes a moment, and is not late for that."""
_LEFT = 11
_Row = tuple[str, str, str]
"""(name, text, style)"""
_SHARED = f"the polls of an account leave {1 - SHARE:.0%} of its rate limit to other requests"
_NO_SERVER = "no server runs, so nothing is polled; start chatforge serve"


@dataclass(frozen=True, slots=True)
class _Polls:
    """What is known of all polls."""

    executed: bool
    """Whether a process executes the database, a server as a rule."""
    states: Sequence[PollState]
    failures: Sequence[PartitionFailure]
    waiting: Sequence[WaitingWebhooks]

    def as_json(self) -> dict[str, Any]:
        return {
            "executed": self.executed,
            "polls": [_as_json(one) for one in self.states],
            "failures": [_as_json(one) for one in self.failures],
            "waiting": [_as_json(one) for one in self.waiting],
        }


def polls(
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show how the polls of lists stand.

    When each list was seen, also when it was seen whole; what fails, since when; what is late, and why; which webhooks
    wait for their entry.

    Example: chatforge polls
    """
    path = load_settings().database
    executed = engines.is_executed(path)
    found = engines.read(
        path, lambda opened: _Polls(executed, read_polls(opened), read_partition_failures(opened), read_waiting(opened))
    )
    if as_json:
        output.write_json(found.as_json())
    else:
        _show(found, datetime.now(UTC))


def _show(found: _Polls, now: datetime) -> None:
    blocks = list(_blocks(found, now))
    if not blocks:
        output.line("nothing was polled yet; chatforge serve does it for triggers that watch a list")
    elif not found.executed:
        blocks.insert(0, (output.styled(_NO_SERVER, "yellow"), ()))
    for number, (title, rows) in enumerate(blocks):
        if number:
            output.line("")
        output.line(title)
        for name, text, style in rows:
            write_beside(Text(f"  {name:<8} ", style), _LEFT, text)
    for one in found.waiting:
        output.line("")
        write_wrapped(_say_waiting(one, now))


def _blocks(found: _Polls, now: datetime) -> Iterator[tuple[Text, Iterable[_Row]]]:
    for failure in found.failures:
        yield _title(failure), [("fails", _say_failing(failure, now), "red")]
    for state in found.states:
        yield _title(state, state.partition), _rows(state, now, executed=found.executed)


def _title(one: PollState | PartitionFailure, *more: str) -> Text:
    return output.styled("  ".join((f"{one.connector}/{one.connection}", one.list, *more)), "bold")


def _rows(state: PollState, now: datetime, *, executed: bool) -> Iterator[_Row]:
    watched = state.retired_at is None and state.unwatched_at is None
    if state.retired_at is not None:
        yield "retired", f"{_when(state.retired_at, now)}: it is gone at the other side", "yellow"
    elif state.unwatched_at is not None:
        yield "ended", f"{_when(state.unwatched_at, now)}: no flow that is served watches it any more", "yellow"
    yield "polled", _when(state.polled_at, now), "dim"
    whole = _when(state.swept_at, now) if state.swept_at else "not yet; a long list takes its time"
    yield "whole", whole, "dim"
    yield "entries", f"{state.entries:,}", "dim"
    if watched and state.error is not None:
        yield "fails", _say_failing(state, now), "red"
    elif watched and executed:
        yield from _late_rows(state, now)
    if state.alert is not None:
        yield "alert", state.alert, "yellow"


def _say_failing(one: PollState | PartitionFailure, now: datetime) -> str:
    since = f"since {_when(one.failing_since, now)}: " if one.failing_since is not None else ""
    return f"{since}{one.error}"


def _late_rows(state: PollState, now: datetime) -> Iterator[_Row]:
    if state.due_at is not None and now - state.due_at > LATE_AFTER:
        yield "late", f"due {_when(state.due_at, now)}; {_say_why_late(state, now)}", "yellow"
    if state.stretch > 1:
        times = f"its pauses are {state.stretch:.1f} times as long as wanted"
        yield "slow", f"{times}: {_SHARED}; write a longer `every` in the flows", "yellow"


def _say_why_late(state: PollState, now: datetime) -> str:
    """What its request waits for, as far as the budget of the account tells."""
    if (wait := find_wait(load_adapter(), state.connector, state.connection, now)) is not None:
        return f"it waits for the rate limit: {wait}"
    return "no answer has come since; where that stays so, see the log of chatforge serve"


def _say_waiting(waiting: WaitingWebhooks, now: datetime) -> str:
    name = f"{waiting.connector}/{waiting.connection}, {waiting.list}"
    one = waiting.webhooks == 1
    wait = f"{waiting.webhooks} webhook{'' if one else 's'} wait{'s' if one else ''}"
    due = f"a flow starts without that at {_when(waiting.due_at, now)}"
    return f"{name}: {wait} until {'its entry is' if one else 'their entries are'} listed; {due}"


def _when(moment: datetime | None, now: datetime) -> str:
    return f"{output.moment(moment)}, {output.distance(moment, now)}" if moment else "never"


def _as_json(state: PollState | PartitionFailure | WaitingWebhooks) -> dict[str, Any]:
    values = {one.name: getattr(state, one.name) for one in fields(state)}
    return {name: output.iso(value) if isinstance(value, datetime) else value for name, value in values.items()}
