"""Files that a command writes."""

import os
import shlex
import stat
from pathlib import Path

from connector import files
from connector.cli import output
from connector.cli.exits import UsageError
from connector.cli.input_files import quoted_path


def write_file(path: Path, text: str, option: str, name: str) -> None:
    """Replace the file at once, and say so; a link stays one, and the file keeps its mode.

    Raises UsageError where it cannot be written or is something else; of a folder it says that `option` takes the file
    `name` in it.
    """
    try:
        target = Path(os.path.realpath(path))
        mode = _mode_of(target)
        if mode is not None and stat.S_ISDIR(mode):
            raise UsageError(f"{quoted_path(path)} is a folder; write {option} {shlex.quote(str(path / name))}")
        if mode is not None and not stat.S_ISREG(mode):
            raise UsageError(
                f"the file {quoted_path(path)} cannot be written: it is no regular file; give another path"
            )
        files.replace(target, text.encode(), mode and stat.S_IMODE(mode))
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"the file {quoted_path(path)} cannot be written: {reason}") from error
    output.line(f"wrote {path}")


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet, with its folder, and say so. Raises UsageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise UsageError(f"{quoted_path(path)} cannot be written: {reason}; give another --into") from error
    output.line(f"wrote {path}")


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
