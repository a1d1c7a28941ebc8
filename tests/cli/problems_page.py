"""docs/problems.md in parts. To write its outputs anew: python tests/cli/problems_page.py"""

import contextlib
import io
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from connector.cli.app import run

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"
_OUTPUT = re.compile(r"(```console\n\$ ([^\n]*)\n)(.*?)(```)", re.DOTALL)


@dataclass(frozen=True)
class Section:
    rule: str
    files: Mapping[str, str]
    """The example by file name, which its first line may tell in a comment."""
    command: str
    output: str
    change: str
    """What to write instead, as lines that start with `-`, `+` or a space."""

    def corrected(self) -> dict[str, str]:
        """The files with the change made."""
        lines = self.change.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] in f" {sign}") for sign in "-+")
        assert sum(text.count(old) for text in self.files.values()) == 1, f"the change fits nowhere: {old}"
        return {name: text.replace(old, new) for name, text in self.files.items()}


def read() -> list[Section]:
    parts = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return [_section(part) for part in parts]


def _section(part: str) -> Section:
    files = {}
    for text in re.findall(r"```yaml\n(.*?)```", part, re.DOTALL):
        name = re.match(r"# (\w+\.yaml)\n", text)
        files[name[1] if name else "leads.yaml"] = text
    [(_, command, output, _)] = _OUTPUT.findall(part)
    [change] = re.findall(r"```diff\n(.*?)```", part, re.DOTALL)
    return Section(part.split("\n")[0], files, command, output, change)


def printed(command: str, files: Mapping[str, str]) -> str:
    """What a `chatforge` command prints in a folder with these files; `| tail -n N` may follow it."""
    words, _, tail = command.partition(" | tail -n ")
    out = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(out):
        for name, text in files.items():
            Path(name).write_text(text, "utf-8")
        with contextlib.suppress(SystemExit):
            run(words.split()[1:])
    lines = out.getvalue().splitlines(keepends=True)
    return "".join(lines[-int(tail) :] if tail else lines)


def _with_outputs(page: str) -> Iterator[str]:
    head, *parts = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    yield head
    for part in parts:
        section = _section(part.removeprefix("## "))
        output = printed(section.command, section.files)
        yield _OUTPUT.sub(lambda found, output=output: f"{found[1]}{output}{found[4]}", part)


if __name__ == "__main__":
    PAGE.write_text("".join(_with_outputs(PAGE.read_text("utf-8"))), "utf-8")
