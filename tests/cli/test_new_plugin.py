"""`chatforge new-plugin`: a package whose tests pass as it was written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"


def install(package: Path, site: Path, name: str) -> dict[str, str]:
    """The environment in which the package is found as an installed one is: by an entry point."""
    known = site / f"chatforge_{name}-0.1.0.dist-info"
    known.mkdir(parents=True)
    (known / "METADATA").write_text(f"Metadata-Version: 2.1\nName: chatforge-{name}\nVersion: 0.1.0\n")
    (known / "entry_points.txt").write_text(f"[connector.plugins]\n{name} = {name}_plugin\n")
    return {"PATH": os.environ["PATH"], "PYTHONPATH": f"{site}{os.pathsep}{package}"}


def test_written_package_passes_its_tests_and_flows_can_use_it(chatforge, tmp_path):
    [(command, shown)] = re.findall(r"^\$ chatforge (new-plugin .*)\n((?:.*\n)*?)```", PAGE.read_text(), re.MULTILINE)
    written = chatforge(*command.split())
    assert (written.code, written.out, written.error) == (0, shown, "")
    package = tmp_path / "chatforge-notes"
    environ = install(package, tmp_path / "site", "notes")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=package,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    (tmp_path / "note.yaml").write_text(
        "flow: note\ntrigger: {uses: chatforge.lead_captured}\nsteps:\n"
        "  - {id: note, uses: notes.create_note, connection: mine, with: {email: a@example.com, text: hello}}\n"
    )
    (tmp_path / "connections.yaml").write_text("mine: {connector: notes, key: {env: NOTES_KEY}}\n")
    assert chatforge("check", "note.yaml", **environ).code == 0


def test_written_package_is_formatted_and_typed(chatforge, tmp_path):
    chatforge("new-plugin", "notes", "--into", "mine")
    ruff = [Path(sys.executable).with_name("ruff"), "format", "--check", "--line-length", "120", "mine"]
    assert subprocess.run(ruff, cwd=tmp_path).returncode == 0
    mypy = [sys.executable, "-m", "mypy", "--strict", "mine/notes_plugin.py"]
    done = subprocess.run(mypy, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["My-Plugin"], "'My-Plugin' is no name for a plugin: expected a-z, 0-9 and _, such as notes"),
        (["flow"], "'flow' is no name for a plugin"),
        (["contacts"], "there is a plugin 'contacts' already; take another name"),
        (["notes", "--into", "there"], "'there' is there already; nothing was written, give another --into"),
        (["notes", "--into", "file/x"], "cannot be written: Not a directory"),
    ],
)
def test_package_that_cannot_be_written_says_why(chatforge, tmp_path, arguments, sentence):
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")
    result = chatforge("new-plugin", *arguments)
    assert (result.code, result.out) == (2, "")
    assert sentence in result.error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "there"]
