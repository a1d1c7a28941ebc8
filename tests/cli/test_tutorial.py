"""docs/plugins.md as a reader follows it: the edits are made, the commands are typed, their output is compared."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from cli.test_new_plugin import install

TUTORIAL = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text().partition("## The package")[0]
BLOCK = re.compile(r"```(console|diff|yaml)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"`([\w/]+\.(?:py|test\.yaml|yaml))`[^`]*:\n\n$")


def change(path: Path, diff: str) -> None:
    """Replace the lines of the diff, which stand in the file once."""
    lines = diff.splitlines()
    old = "\n".join(line[1:] for line in lines if line[:1] != "+") + "\n"
    new = "\n".join(line[1:] for line in lines if line[:1] != "-") + "\n"
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has this {text.count(old)} times:\n{old}"
    path.write_text(text.replace(old, new))


def type_command(command: str, folder: Path, environ: dict[str, str]) -> str:
    program, *arguments = shlex.split(command)
    module = {"pytest": ["pytest", "-p", "no:cacheprovider"], "chatforge": ["connector"]}[program]
    done = subprocess.run(
        [sys.executable, "-m", *module, *arguments], cwd=folder, env=environ, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def require_shown(command: str, said: str, shown: str) -> None:
    """Each line that the page shows stands in what was said; `…` is for its rest."""
    said = " ".join(said.split())
    for line in shown.splitlines():
        assert " ".join(line.partition("…")[0].split()) in said, f"$ {command}\n{line}\n\n{said}"


def commands(text: str) -> list[tuple[str, str]]:
    """Each with what the page shows of its output."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)


def test_reader_who_follows_the_page_has_a_plugin_with_a_flow(tmp_path):
    package, folder, file = tmp_path / "chatforge-notes", tmp_path, ""
    environ = {"PATH": os.environ["PATH"]}
    for found in BLOCK.finditer(TUTORIAL):
        kind, text = found.groups()
        file = named[1] if (named := FILE.search(TUTORIAL[: found.start()])) else file
        if kind == "diff":
            change(package / file, text)
        elif kind == "yaml":
            (package / file).write_text(text)
        for command, shown in commands(text) if kind == "console" else ():
            if command.startswith("cd "):
                folder /= command.removeprefix("cd ")
            elif command.startswith("pip install "):  # there is no network
                environ = install(package, tmp_path / "site", "notes")
            else:
                require_shown(command, type_command(command, folder, environ), shown)
    assert (folder, file) == (package, "tidy.test.yaml")
