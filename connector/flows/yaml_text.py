"""Writes JSON values as YAML that flows, their tests and agents are read from."""

import json
import re
from collections.abc import Iterator
from typing import Any

from connector.flows.formats import is_time

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*")
_CONSTANTS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
"""What is no text in flows, and what other programs take for none (YAML 1.1), however it is capitalised."""


def write_yaml(value: Any) -> str:
    """Block style, one line for each scalar, with a line break at the end."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            if isinstance(one, dict | list) and one:
                yield f"{_text(name)}:"
                yield from (f"  {line}" for line in _lines(one))
            else:
                yield f"{_text(name)}: {_scalar(one)}"
    elif isinstance(value, list) and value:
        for one in value:
            first, *rest = _lines(one)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _scalar(value: Any) -> str:
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    if is_time(text) or (_PLAIN.fullmatch(text) and text.lower() not in _CONSTANTS):
        return text
    # What YAML does not take as it is can be escaped, but for half a character, which Python can hold.
    whole = text.encode("utf-8", "replace").decode() if any("\ud800" <= char <= "\udfff" for char in text) else text
    quoted = json.dumps(whole, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in quoted)


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
