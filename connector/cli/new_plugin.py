"""`chatforge new-plugin`."""

import os
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from connector import registry
from connector.cli import output
from connector.cli.exits import UsageError
from connector.cli.flow_files import TEMPLATES
from connector.cli.input_files import quoted_path
from connector.cli.output_files import write_new
from connector.flows.problems import quoted

_TEMPLATE = TEMPLATES / "plugin"
_FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "{name}_plugin.py": "plugin.py.txt",
    "tests/service.py": "tests/service.py.txt",
    "tests/test_plugin.py": "tests/test_plugin.py.txt",
}
_NEXT = """\
cd {folder}
pip install -e '.[dev]'
pytest
chatforge list"""


def new_plugin(
    name: Annotated[str, typer.Argument(help="What stands before the dot in a flow: a-z, 0-9 and _.")],
    into: Annotated[
        Path | None, typer.Option(help="The folder to write to; chatforge-NAME without it.", show_default=False)
    ] = None,
) -> None:
    """Write a package with a plugin of one's own, with tests that pass.

    A folder that is there already is never changed.

    Example: chatforge new-plugin notes
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name in ("flow", "connector"):
        raise UsageError(f"{quoted(name)} is no name for a plugin: expected a-z, 0-9 and _, such as notes")
    found = registry.load()
    known = {one.partition(".")[0] for one in (*found.actions, *found.triggers, *found.connections)}
    if name in known:
        raise UsageError(f"there is a plugin {name!r} already; take another name")
    folder = into or Path(f"chatforge-{name}")
    if os.path.lexists(folder):
        raise UsageError(f"{quoted_path(folder)} is there already; nothing was written, give another --into")
    for target, template in _FILES.items():
        text = (_TEMPLATE / template).read_text("utf-8")
        text = re.sub("NAME(_KEY)?", lambda found: f"{name.upper()}_KEY" if found[1] else name, text)
        write_new(folder / target.format(name=name), text.encode())
    output.line("")
    output.line("next")
    for line in _NEXT.format(folder=shlex.quote(str(folder))).splitlines():
        output.line(f"  {line}")
