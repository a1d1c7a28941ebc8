"""docs/plugins.md as a reader follows it: the edits are made, the commands are typed, their output is compared."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

TUTORIAL = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text().partition("## The package")[0]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"`([\w/.-]+\.(?:py|yaml))`[^`]*:\n\n$")
PORTS = ("8765", "8766")
"""Those of the page; the test takes others, which are free."""
PATIENCE = 60.0
"""Seconds until a server has done what the page shows."""


def change(path: Path, diff: str) -> None:
    """Replace the lines of the diff, which stand in the file once."""
    lines = diff.splitlines()
    old = "\n".join(line[1:] for line in lines if line[:1] != "+") + "\n"
    new = "\n".join(line[1:] for line in lines if line[:1] != "-") + "\n"
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has this {text.count(old)} times:\n{old}"
    path.write_text(text.replace(old, new))


def is_shown(said: str, shown: str) -> bool:
    """Whether the page shows what was said; `…` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, shown.strip().split("…"))), said.strip(), re.DOTALL) is not None


def commands(text: str) -> list[tuple[str, str]]:
    """Each with what the page shows of its output."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)


def install(package: Path, home: Path) -> Path:
    """A folder with what an installed package leaves: its name and its entry points."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    known = home / "site" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    known.mkdir(parents=True)
    named = f"Name: {project['name']}\nVersion: {project['version']}\n"
    (known / "METADATA").write_text(f"Metadata-Version: 2.1\n{named}")
    [(group, points)] = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {module}" for name, module in points.items())]
    (known / "entry_points.txt").write_text("\n".join(lines))
    return known.parent


class Terminal:
    """A reader's shell: its folder, its environment, and what runs in its background."""

    def __init__(self, folder: Path, background: ExitStack) -> None:
        self.home, self.folder, self.background = folder, folder, background
        self.environ = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}

    def type(self, command: str, shown: str) -> None:
        program, *arguments = shlex.split(command)
        if program == "cd":
            self.folder /= arguments[0]
        elif program == "export":
            self.environ |= [arguments[0].split("=", 1)]
        elif program == "pip":  # there is no network
            self.environ["PYTHONPATH"] = os.pathsep.join(map(str, (install(self.folder, self.home), self.folder)))
        elif arguments[-1:] == ["&"]:
            self._start([program, *arguments[:-1]], shown)
        else:
            self._run([program, *arguments], shown)

    def _run(self, words: list[str], shown: str) -> None:
        until = time.monotonic() + (PATIENCE if words[1:2] == ["runs"] else 0)
        while True:
            done = subprocess.run(words, cwd=self.folder, env=self.environ, capture_output=True, text=True)
            said = done.stdout + done.stderr
            if is_shown(said, shown):
                return
            assert time.monotonic() < until, f"{shlex.join(words)} says\n{said}\nand not\n{shown}"

    def _start(self, words: list[str], shown: str) -> None:
        """Wait until it has said what is shown."""
        process = self.background.enter_context(running(words, self.folder, self.environ))
        said = ""
        for line in process.stdout:
            said += line
            if is_shown(said, shown):
                return
        raise AssertionError(f"{shlex.join(words)} says\n{said}\nand not\n{shown}")


@contextmanager
def running(words: list[str], folder: Path, environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        words, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def with_free_ports(text: str) -> str:
    with ExitStack() as held:
        for port in PORTS:
            one = held.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            text = text.replace(port, str(one.getsockname()[1]))
    return text


def test_reader_who_follows_the_page_has_a_plugin_with_a_flow(tmp_path):
    page, file = with_free_ports(TUTORIAL), ""
    with ExitStack() as background:
        terminal = Terminal(tmp_path, background)
        for found in BLOCK.finditer(page):
            kind, text = found.groups()
            file = named[1] if (named := FILE.search(page[: found.start()])) else file
            if kind == "diff":
                change(terminal.folder / file, text)
            elif kind == "yaml":
                (terminal.folder / file).write_text(text)
            elif kind == "console":
                for command, shown in commands(text):
                    terminal.type(command, shown)
            else:
                raise AssertionError(f"a block of {kind}: the test does not know what a reader does with it")
    assert file == "pin-calls.test.yaml"
