"""What the arguments of commands may be, for the completion of a shell.

A shell asks at each press of a key, so a command whose argument alone is completed is not imported, and whatever fails
gives nothing: the shell then offers files.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from connector.runs import recent
from connector.runs.recent import Named

_MOST = 50
_PLAIN = re.compile(r"[\w./@%+=:,-]+")
"""What a shell takes as it stands. It would execute a part of a file that is called `$(…).yaml`."""
Pairs = list[tuple[str, str]]
FindReal = Callable[[Sequence[str]], Any]
Source = Callable[[str], Named]
"""(beginning of a word) → what it may become, and what that is."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a group offers; the fields are those that typer reads."""

    value: str
    help: str | None = None
    type: str = "plain"


def _run_ids(statuses: str = "") -> Source:
    return lambda start: _read(lambda connection: recent.find_runs(connection, start, statuses, _MOST))


def event_ids(start: str) -> Named:
    return _read(lambda connection: recent.find_events(connection, start, _MOST))


def flow_names(start: str) -> Named:
    return _read(lambda connection: recent.find_flows(connection, start))


def _flow_files(start: str) -> Named:
    return [(path, "") for path in _yaml_files(start) if not path.endswith((".test.yaml", "connections.yaml"))]


def _test_files(start: str) -> Named:
    return [(path, "") for path in _yaml_files(start) if path.endswith(".test.yaml")]


def _yaml_files(start: str) -> Iterator[str]:
    """In the folder that is typed, or else here and in `flows`."""
    folders = [Path(start.rpartition("/")[0])] if "/" in start else [Path(), Path("flows")]
    for folder in folders:
        yield from (str(path) for path in sorted(folder.glob("*.yaml")) if str(path).startswith(start))


def _actions(start: str) -> Named:
    return _operations(start, triggers=False)


def _all_operations(start: str) -> Named:
    return _operations(start, triggers=True)


def _operations(start: str, *, triggers: bool) -> Named:
    from connector import registry

    plugin, dot, _ = start.partition(".")
    points = [one for one in entry_points(group=registry.GROUP) if one.name.startswith(plugin)]
    found = registry.load([one for one in points if not dot or one.name == plugin])  # of few plugins: it imports them
    titles = {name: one.title for name, one in found.actions.items()}
    titles |= {name: one.title for name, one in found.triggers.items()} if triggers else {}
    return [(name, title) for name, title in sorted(titles.items()) if name.startswith(start)]


ARGUMENTS: Mapping[tuple[str, ...], Source] = {
    ("runs", "show"): _run_ids(),
    ("runs", "export"): _run_ids(),
    ("runs", "approve"): _run_ids("waiting"),
    ("runs", "retry"): _run_ids("failed,held,cancelled"),
    ("runs", "resolve"): _run_ids("held"),
    ("runs", "cancel"): _run_ids("queued,running,waiting,held"),
    ("events", "show"): event_ids,
    ("events", "resend"): event_ids,
    ("call",): _actions,
    ("show",): _all_operations,
    ("run",): _flow_files,
    ("check",): _flow_files,
    ("graph",): _flow_files,
    ("backfill",): _flow_files,
    ("test",): _test_files,
}
"""By the words of the command."""


def _read(query: Callable[[Any], Named]) -> Named:
    from connector import engines, settings

    found: Named = engines.read(settings.load(Path.cwd()).database, query)
    return found


def complete(source: Source) -> Callable[[str], Pairs]:
    """For `autocompletion` of an option."""

    def find(incomplete: str) -> Pairs:
        logging.disable()
        try:
            return [(value, what) for value, what in source(incomplete) if _PLAIN.fullmatch(value)]
        except Exception:  # whatever it is, a shell has no room for it
            return []

    return find


FLOWS = complete(flow_names)


def find_stand_in(words: Sequence[str], find_real: FindReal) -> tuple[str, TyperCommand, list[str]] | None:
    """The command that the words begin with, by its argument alone, and the words behind its name.

    None where it has no such argument, or has options that tell more. `find_real` imports the command.
    """
    if any(word.startswith("-") for word in words):
        return None
    for length in (1, 2):
        name = tuple(words[:length])
        if name in ARGUMENTS:
            return name[-1], _stand_in(name, complete(ARGUMENTS[name]), find_real), list(words[length:])
    return None


def _stand_in(words: Sequence[str], find: Callable[[str], Pairs], find_real: FindReal) -> TyperCommand:
    holder = typer.Typer(add_completion=False)

    @holder.command(words[-1], cls=_StandIn)
    def command(values: Annotated[list[str] | None, typer.Argument(autocompletion=find)] = None) -> None:
        """Is never called."""

    made = typer.main.get_command(holder)
    assert isinstance(made, _StandIn)  # noqa: S101 - it was said so
    made.find_real = lambda: find_real(words)
    return made


class _StandIn(TyperCommand):
    """Is asked for what may stand next, and never called."""

    find_real: Callable[[], Any]

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        if not incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        real = self.find_real()
        return real.shell_complete(real.make_context(self.name, [], resilient_parsing=True), incomplete)
