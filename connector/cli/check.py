"""`chatforge check`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from connector import registry, settings
from connector.adapter import Adapter
from connector.cli import exits, output
from connector.cli.flow_files import check_file, flow_paths
from connector.flows.problems import Problem, render


def check(
    files: Annotated[list[Path], typer.Argument(help="Flow files, or folders of them.", show_default=False)],
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print the problems.")] = "text",
) -> int:
    """Check flows as a whole, without running them.

    Example: chatforge check docs/flows/lead-to-crm.yaml
    """
    plugins = registry.load()
    problems: list[Problem] = []
    count = 0
    for path in flow_paths(files):
        catalogue = Adapter(plugins, settings.load(Path.cwd(), path.parent)).catalogue
        checked = check_file(path, catalogue)
        count += 1
        problems += checked.problems
        if format == "text":
            for problem in checked.problems:
                output.console.print(render(problem, checked.source), markup=False)
    if format == "json":
        output.write_json([problem.as_json() for problem in problems])
    else:
        output.line(_summary(count, len(problems)))
    return exits.FAILED if problems else exits.DONE


def _summary(files: int, problems: int) -> str:
    named = "1 flow" if files == 1 else f"{files} flows"
    found = {0: "no problems", 1: "1 problem"}.get(problems, f"{problems} problems")
    return f"{named} checked, {found}"
