"""Files and JSON that an argument names or holds: read up to a limit, and nothing in them is passed over."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.cli.exits import UsageError
from connector.flows.json_text import RefusedJSONError, read_json
from connector.flows.problems import quoted

MAX_BYTES = 10_000_000
"""Of an input and of a manifest."""
_LONGEST = 240  # characters of a path that a message quotes; most are whole, as an absolute one of a project is


def quoted_path(path: Path) -> str:
    text = repr(str(path))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def read_start(what: str, path: Path, limit: int) -> bytes:
    """The content, or its first `limit` + 1 bytes, of a file or a pipe.

    Raises UsageError, whose sentence starts with `what`, where it cannot be read or is something else: a device may
    have no end.
    """
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise UsageError(f"{what} {quoted_path(path)} cannot be read: it is neither a file nor a pipe")
        with path.open("rb") as file:
            return file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise UsageError(f"{what} {quoted_path(path)} cannot be read: {reason}") from error


def read_text(what: str, path: Path, limit: int = MAX_BYTES) -> str:
    """The UTF-8 text of a file or a pipe. Raises UsageError where it has more than `limit` bytes, as `read_start`."""
    content = read_start(what, path, limit)
    if len(content) > limit:
        raise UsageError(f"{what} {quoted_path(path)} cannot be read: it has more than {limit:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{what} {quoted_path(path)} cannot be read: it is not UTF-8 text") from error


def read_input(value: str, option: str = "--input") -> str:
    """The text of an option: as it is given, or of the file that `@FILE` names."""
    return read_text(f"{option}: the file", Path(value[1:])) if value.startswith("@") else value


def read_value(text: str, option: str) -> Any:
    """The JSON of an option. Raises UsageError."""
    try:
        return read_json(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        how = 'write such as {"created": false}, in single quotes for the shell'
        raise UsageError(f"{option}: this is not JSON, at {place}; {how}") from error
    except RefusedJSONError as error:
        raise UsageError(f"{option}: this is not read: {error}") from error


def read_object(text: str, example: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of an `--input`. Raises UsageError."""
    value = read_value(text, "--input")
    if not isinstance(value, dict):
        raise UsageError(f"--input: expected a JSON object, such as {json.dumps(example)}, not {quoted(value)}")
    return value
