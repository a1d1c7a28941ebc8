"""Files and JSON that an argument names or holds: read up to a limit, and nothing in them is passed over."""

import json
import math
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.cli.exits import UsageError
from connector.flows.problems import quoted, shortened

MAX_BYTES = 10_000_000
"""Of an input and of a manifest."""
DEEPEST = 100
"""Levels of JSON; validation follows a little deeper than this, but not any depth."""
_LONGEST = 240  # characters of a path that a message quotes; most are whole, as an absolute one of a project is


class RefusedJSONError(ValueError):
    """It may be JSON, but what it says would be lost. The text completes `this is not read: …`."""


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


def read_input(value: str) -> str:
    """The text of an `--input`: as it is given, or of the file that `@FILE` names."""
    return read_text("--input: the file", Path(value[1:])) if value.startswith("@") else value


def read_object(text: str, example: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object of an `--input`. Raises UsageError."""
    try:
        value = read_json(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"--input: this is not JSON: {error.msg}, {place}") from error
    except RefusedJSONError as error:
        raise UsageError(f"--input: this is not read: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"--input: expected a JSON object, such as {json.dumps(example)}, not {quoted(value)}")
    return value


def read_json(text: str) -> Any:
    """The value of a JSON text. Raises JSONDecodeError, or RefusedJSONError where it has no one meaning here."""
    try:
        value = _READER.decode(text)
    except RecursionError:
        raise RefusedJSONError("it is nested too deeply") from None
    if _is_deeper(value, DEEPEST):
        raise RefusedJSONError(f"it is nested too deeply, in more than {DEEPEST} levels")
    return value


def _is_deeper(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        holders = [part for part in level if isinstance(part, dict | list)]
        level = [inner for part in holders for inner in (part.values() if isinstance(part, dict) else part)]
        if not holders:
            return False
    return True


def _collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise RefusedJSONError(f"the key {quoted(key)} is there twice in one object")
        members[key] = value
    return members


def _read_integer(literal: str) -> int:
    try:
        return int(literal)
    except ValueError:  # Python reads 4,300 digits
        digits = len(literal.lstrip("-"))
        raise RefusedJSONError(f"the number {shortened(literal)} has too many digits, {digits:,}") from None


def _read_fraction(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise RefusedJSONError(f"the number {shortened(literal)} is too large")
    return number


def _refuse_constant(literal: str) -> None:
    raise RefusedJSONError(f"{literal} is no number of JSON")


_READER = json.JSONDecoder(
    parse_int=_read_integer, parse_float=_read_fraction, parse_constant=_refuse_constant, object_pairs_hook=_collect
)
