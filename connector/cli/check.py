"""`chatforge check`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from connector import registry, settings
from connector.adapter import Adapter
from connector.cli import exits, output
from connector.cli.flow_files import check_file, flow_paths, same_names
from connector.flows.catalogue import Catalogue
from connector.flows.problems import render
from connector.registry import Registry


def check(
    files: Annotated[list[Path], typer.Argument(help="Flow files, or folders of them.", show_default=False)],
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print the problems.")] = "text",
) -> int:
    """Check flows as a whole, without running them.

    Example: chatforge check docs/flows/lead-to-crm.yaml
    """
    plugins = registry.load()
    checked = [(path, check_file(path, _catalogue(plugins, path.parent))) for path in flow_paths(files)]
    problems = [problem for _, result in checked for problem in result.problems] + same_names(checked)
    if format == "json":
        output.write_json([problem.as_json() for problem in problems])
    else:
        sources = {str(path): result.source for path, result in checked}
        for problem in problems:
            output.console.print(render(problem, sources[problem.path]), markup=False)
        output.line(_summary(len(checked), len(problems)))
    return exits.FAILED if problems else exits.DONE


def _catalogue(plugins: Registry, folder: Path) -> Catalogue:
    return Adapter(plugins, settings.load(Path.cwd(), folder)).catalogue


def _summary(files: int, problems: int) -> str:
    named = "1 flow" if files == 1 else f"{files} flows"
    found = {0: "no problems", 1: "1 problem"}.get(problems, f"{problems} problems")
    return f"{named} checked, {found}"
