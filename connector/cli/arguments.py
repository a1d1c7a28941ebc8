"""Options such as `--arg NAME=VALUE`: one field of an input each, as text."""

from collections.abc import Sequence
from typing import Any

from connector.cli.exits import UsageError
from connector.flows import types
from connector.flows.json_text import DEEPEST
from connector.flows.problems import did_you_mean, quoted, shortened
from connector.flows.types import Object, Type
from connector.flows.values import read_text


def read_arguments(
    input: Type, arguments: Sequence[str], option: str = "--arg", *, nulls: bool = False
) -> dict[str, Any]:
    """The input that the arguments make, by its type. Raises UsageError, whose sentence starts with the option.

    A dotted name is a field of an object: `address.city=Paris`. With `nulls` the text `null` is null also where the
    type takes any text.
    """
    given: dict[str, Any] = {}
    faults = []
    for argument in arguments:
        try:
            _read(input, argument, given, nulls=nulls)
        except ValueError as error:
            faults.append(f"{option} {error}")
    if faults:
        raise UsageError("; ".join(faults))
    return given


def _read(input: Type, argument: str, given: dict[str, Any], *, nulls: bool) -> None:
    """Put the value of one argument into `given`. Raises ValueError."""
    path, equals, text = argument.partition("=")
    parts = path.split(".")
    if not equals or not all(parts):
        known = list(input.fields) if isinstance(input, Object) else []
        name = path if path in known else next(iter(known), "name")
        raise ValueError(f"{quoted(argument)}: expected NAME=VALUE, such as {name}=…")
    if len(parts) > DEEPEST:
        raise ValueError(f"{shortened(path)}: it is nested too deeply, in more than {DEEPEST} levels")
    kind = input
    for depth, part in enumerate(parts):
        kind = _field(kind, parts[:depth], part)
    is_null = nulls and text == "null" and types.nullable(kind)
    _put(given, parts, None if is_null else _convert(kind, path, text))


def _put(given: dict[str, Any], parts: Sequence[str], value: Any) -> None:
    target: Any = given
    for depth, part in enumerate(parts):
        if not isinstance(target, dict) or (depth == len(parts) - 1 and part in target):
            place = shortened(".".join(parts))
            raise ValueError(f"{place}: it is given twice, or has a value that it is inside of")
        target = target.setdefault(part, {} if depth < len(parts) - 1 else value)


def _field(kind: Type, inside: Sequence[str], name: str) -> Type:
    """The type of a field, which must be known."""
    place = shortened(".".join([*inside, name]))
    owner = types.without_null(kind)
    if owner == types.ANY:
        return types.ANY
    if not isinstance(owner, Object):
        whole = shortened(".".join(inside))
        raise ValueError(f"{place}: {whole} is {owner} and has no fields; write {whole}=JSON")  # noqa: TRY004 - of what was typed
    if name in owner.fields:
        return owner.fields[name]
    if owner.extra is not None:
        return owner.extra
    hint = did_you_mean(name, owner.fields) or "see: chatforge show"
    raise ValueError(f"{place}: there is no such field; {hint}")


def _convert(kind: Type, path: str, text: str) -> Any:
    """The text as the type says; a type that takes text takes it as it is."""
    try:
        return read_text(text, kind)
    except ValueError as error:
        raise ValueError(f"{shortened(path)}={shortened(text)}: {error}") from error
