"""`chatforge check`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from connector import registry, settings
from connector.adapter import Adapter
from connector.cli import exits, output
from connector.cli.annotations import annotation
from connector.cli.flow_files import check_files, flow_paths, same_names
from connector.cli.paragraphs import write_wrapped
from connector.cli.poll_needs import find_needs
from connector.flows.flow import Flow
from connector.flows.problems import Problem, render
from connector.registry import Registry
from connector.settings import Settings


def check(
    files: Annotated[list[Path], typer.Argument(help="Flow files, or folders of them.", show_default=False)],
    format: Annotated[Literal["text", "json", "github"], typer.Option(help="How to print the problems.")] = "text",
    strict: Annotated[bool, typer.Option("--strict", help="List also where a value may be anything.")] = False,
) -> int:
    """Check flows as a whole, without running them.

    With --format github, GitHub shows the problems beside the lines of a pull request.

    Example: chatforge check docs/flows/lead-to-crm.yaml
    """
    folders = _Folders(registry.load())
    checked = check_files(flow_paths(files), lambda path: folders.adapter(path).catalogue)
    problems = [problem for _, result in checked for problem in result.problems] + same_names(checked)
    if strict:
        problems += [problem for _, result in checked for problem in result.unchecked]
    if format == "json":
        output.write_json([problem.as_json() for problem in problems])
    elif format == "github":
        for problem in problems:
            output.line(annotation(problem))
    else:
        sources = {str(path): result.source for path, result in checked}
        for problem in problems:
            show_problem(problem, sources[problem.path], output.console)
        output.line(_summary(len(checked), len(problems)))
        for sentence in folders.poll_needs([(path, result.flow) for path, result in checked if result.flow]):
            write_wrapped(sentence)
    return exits.FAILED if problems else exits.DONE


def show_problem(problem: Problem, source: str, shown: Console) -> None:
    """Print it with its place in the file."""
    head, *place = render(problem, source).split("\n")
    for line in (output.folded(head, shown), *place):
        shown.print(line, markup=False)


class _Folders:
    """Each folder of flows has its own connections.yaml."""

    def __init__(self, plugins: Registry) -> None:
        self._plugins = plugins
        self._known: dict[Path, tuple[Settings, Adapter]] = {}

    def adapter(self, path: Path) -> Adapter:
        """What the flow at `path` is checked against."""
        if path.parent not in self._known:
            found = settings.load(Path.cwd(), path.parent)
            self._known[path.parent] = found, Adapter(self._plugins, found)
        return self._known[path.parent][1]

    def poll_needs(self, flows: Sequence[tuple[Path, Flow]]) -> Iterator[str]:
        """What the polls of each folder need, as sentences."""
        for folder, (found, adapter) in self._known.items():
            there = [flow for path, flow in flows if path.parent == folder]
            for needs in find_needs(adapter, found, there):
                yield from needs.sentences()


def _summary(files: int, problems: int) -> str:
    named = "1 flow" if files == 1 else f"{files} flows"
    found = {0: "no problems", 1: "1 problem"}.get(problems, f"{problems} problems")
    return f"{named} checked, {found}"
