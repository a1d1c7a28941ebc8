"""`chatforge new-plugin`; that the tests of the package pass is seen in test_tutorial."""

import subprocess
import sys
from pathlib import Path

import pytest


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
        (["connector"], "'connector' is no name for a plugin"),
        (["schedule"], "there is a plugin 'schedule' already"),
        (["contacts"], "there is a plugin 'contacts' already; take another name"),
        (["notes", "--into", "there"], "'there' is there already; nothing was written, give another --into"),
        (["notes", "--into", "file/x"], "cannot be written: Not a directory"),
        (["notes", "--into", "x" * 300], "cannot be written: File name too long"),
    ],
)
def test_package_that_cannot_be_written_says_why(chatforge, tmp_path, arguments, sentence):
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")
    result = chatforge("new-plugin", *arguments)
    assert (result.code, result.out) == (2, "")
    assert sentence in result.error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "there"]
