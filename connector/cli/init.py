"""`chatforge init`."""

import itertools
import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from connector.cli import output
from connector.cli.exits import UsageError
from connector.cli.flow_files import TEMPLATES
from connector.cli.input_files import quoted_path
from connector.cli.output_files import write_new
from connector.flows.problems import did_you_mean, one_of, quoted

_NAMES = sorted(
    path.stem
    for path in TEMPLATES.glob("*.yaml")
    if not path.stem.endswith(".test") and path.name != "connections.yaml"
)
_NEXT = """\
chatforge check {flow}
chatforge test {test}
chatforge run {flow} --dry-run
cp {env} .env     # and write your key and secret into it
chatforge doctor
chatforge serve --flows {folder}"""


def init(
    name: Annotated[
        str | None, typer.Argument(help=f"A flow to start with: {one_of(_NAMES)}.", show_default=False)
    ] = None,
    into: Annotated[Path, typer.Option(help="The folder to write to; made where it is not there.")] = Path("flows"),
) -> None:
    """Write a flow to start with, its test, and examples of the settings.

    A file that is there already is never changed.

    Example: chatforge init lead-to-crm --into flows
    """
    if name is None:
        _list()
        return
    if name not in _NAMES:
        raise UsageError(f"there is no flow {quoted(name)} to start with; {did_you_mean(name, _NAMES)}")
    files = {
        into / f"{name}.yaml": f"{name}.yaml",
        into / f"{name}.test.yaml": f"{name}.test.yaml",
        into / "connections.yaml": "connections.yaml",
        into / ".env.example": "env.example",
    }
    if there := [quoted_path(path) for path in files if os.path.lexists(path)]:
        would = f"{', '.join(there)} would be overwritten"
        raise UsageError(f"{would}; nothing was written, give another --into, such as --into {_another(into)}")
    for path, template in files.items():
        write_new(path, (TEMPLATES / template).read_bytes())
    output.line("")
    output.line("next")
    flow, test, _, env = (shlex.quote(str(path)) for path in files)
    for line in _NEXT.format(flow=flow, test=test, env=env, folder=shlex.quote(str(into))).splitlines():
        output.line(f"  {line}")


def _list() -> None:
    output.line("flows to start with")
    for name in _NAMES:
        output.line(f"  {name}")
    output.line("write one: chatforge init NAME")


def _another(into: Path) -> str:
    """A folder beside it that is not there."""
    folder = into if into.name else into / "flows"
    numbered = (folder.with_name(f"{folder.name}{number}") for number in itertools.count(2))
    return shlex.quote(str(next(one for one in numbered if not one.exists())))
