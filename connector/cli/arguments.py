"""Options `--arg NAME=VALUE`: one field of an input each, as text."""

import json
import re
from collections.abc import Sequence
from typing import Any

from connector.cli.exits import UsageError
from connector.cli.input_files import DEEPEST, RefusedJSONError, read_json
from connector.flows import types
from connector.flows.problems import did_you_mean, quoted, shortened
from connector.flows.types import ListOf, Object, Simple, Type

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def read_arguments(input: Type, arguments: Sequence[str]) -> dict[str, Any]:
    """The input that the arguments make, by its type. Raises UsageError.

    A dotted name is a field of an object: `address.city=Paris`.
    """
    given: dict[str, Any] = {}
    for argument in arguments:
        path, equals, text = argument.partition("=")
        parts = path.split(".")
        if not equals or not all(parts):
            raise UsageError(f"--arg {quoted(argument)}: expected NAME=VALUE, such as limit=5")
        if len(parts) > DEEPEST:
            raise UsageError(f"--arg {shortened(path)}: it is nested too deeply, in more than {DEEPEST} levels")
        kind = input
        for depth, part in enumerate(parts):
            kind = _field(kind, parts[:depth], part)
        _put(given, parts, _convert(kind, path, text))
    return given


def _put(given: dict[str, Any], parts: Sequence[str], value: Any) -> None:
    target: Any = given
    for depth, part in enumerate(parts):
        if not isinstance(target, dict) or (depth == len(parts) - 1 and part in target):
            place = shortened(".".join(parts))
            raise UsageError(f"--arg {place}: it is given twice, or has a value that it is inside of")
        target = target.setdefault(part, {} if depth < len(parts) - 1 else value)


def _field(kind: Type, inside: Sequence[str], name: str) -> Type:
    """The type of a field, which must be known."""
    place = shortened(".".join([*inside, name]))
    owner = types.without_null(kind)
    if owner == types.ANY:
        return types.ANY
    if not isinstance(owner, Object):
        whole = shortened(".".join(inside))
        raise UsageError(f"--arg {place}: {whole} is {owner} and has no fields; write {whole}=JSON")
    if name in owner.fields:
        return owner.fields[name]
    if owner.extra is not None:
        return owner.extra
    hint = did_you_mean(name, owner.fields) or "see: chatforge show"
    raise UsageError(f"--arg {place}: there is no such field; {hint}")


def _convert(kind: Type, path: str, text: str) -> Any:
    """The text as the type says; a type that takes text takes it as it is."""
    try:
        for part in sorted(types.parts(kind), key=_precedence):
            accepted, value = _read_as(part, text)
            if accepted:
                return value
    except RefusedJSONError as error:
        raise UsageError(f"--arg {shortened(path)}: this is not read: {error}") from error
    raise UsageError(f"--arg {shortened(path)}={shortened(text)}: expected {kind}, not {quoted(text)}")


def _precedence(kind: Type) -> bool:
    return not (isinstance(kind, Simple) and kind.kind == "str" and not kind.words)


def _read_as(kind: Type, text: str) -> tuple[bool, Any]:
    if isinstance(kind, Object | ListOf):
        wanted: type = dict if isinstance(kind, Object) else list
        try:
            value = read_json(text)
        except json.JSONDecodeError:
            return False, None
        return isinstance(value, wanted), value
    if not isinstance(kind, Simple):
        return False, None
    if kind.kind in ("str", "any"):
        return kind.words is None or text in kind.words, text
    if kind.kind == "bool":
        return text in ("true", "false"), text == "true"
    if kind.kind == "null":
        return text == "null", None
    match = _NUMBER.fullmatch(text)
    if match is None or (kind.kind == "int" and (match[2] or match[3])):
        return False, None
    return True, read_json(text)
