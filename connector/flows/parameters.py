"""Typed values that a flow gets from outside: its inputs, its configuration, the fields of an approval's form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.flows import document, type_texts, types, values
from connector.flows.document import Node, Scalar
from connector.flows.keys import WORD, Keys
from connector.flows.types import Object, Type

KEYS = ("type", "default", "description")


@dataclass(frozen=True, slots=True)
class Parameter:
    type: Type
    required: bool
    default: Any
    description: str


Parameters = Mapping[str, Parameter]


def read(keys: Keys, node: Node | None, what: str) -> dict[str, Parameter]:
    """The parameters of the mapping at `node`, each `NAME: {type: TYPE}`."""
    example = f"write {what}: {{NAME: {{type: str}}}}"
    if node is None:
        return {}
    if not isinstance(node, document.Mapping):
        keys.complain(node, "type", f"{what} is made of `NAME: {{type: TYPE}}` lines", example)
        return {}
    found = {}
    for name, entry in node.entries.items():
        keys.word(entry.key, f"a name of {what}", WORD, "expected lower-case letters, digits and _")
        example = f"write {name}: {{{_meant(entry.value)}}}"
        found[name] = _parameter(keys, entry.value, f"{what}.{name}", example)
    return found


def _meant(node: Node) -> str:
    """What was probably meant by a value that stands where `{type: TYPE}` should."""
    if not isinstance(node, Scalar) or node.value is None:
        return "type: str"
    try:
        type_texts.parse(node.text)
    except type_texts.TypeTextProblem:
        word = type_texts.OTHER_WORDS.get(node.text.lower())
        return f"type: {word}" if word else f"type: str, default: {node.text}"
    return f"type: {node.text}"


def _parameter(keys: Keys, node: Node, what: str, example: str) -> Parameter:
    """What does not check is `any`, so that its readers are not at fault too."""
    mapping = keys.mapping(node, what, KEYS, example)
    if mapping is None:
        return Parameter(types.ANY, required=True, default=None, description="")
    kind = _type(keys, keys.require(mapping, "type", what, KEYS, "str"))
    description = keys.text(mapping.get("description"), "description") or ""
    default = mapping.get("default")
    if kind is None or default is None:
        return Parameter(kind or types.ANY, required=default is None, default=None, description=description)
    value = keys.constant(default)
    if (refused := values.refuse(value, kind)) is not None:
        keys.complain(default, "type", f"the default of {what} does not fit: {refused}")
    return Parameter(kind, required=False, default=value, description=description)


def _type(keys: Keys, node: Node | None) -> Type | None:
    text = keys.text(node, "type")
    if text is None or not isinstance(node, Scalar):
        return None
    try:
        return type_texts.parse(text)
    except type_texts.TypeTextProblem as error:
        keys.complain_within(node, error.start, error.end, "type", error.message, error.hint)
    return None


def as_object(name: str, parameters: Parameters) -> Object:
    """The type of the values that readers get: each is there."""
    return types.record(name, {key: one.type for key, one in parameters.items()})


def as_input(name: str, parameters: Parameters) -> Object:
    """The type of the values that may be given: those with a default need not be."""
    fields = {key: one.type for key, one in parameters.items()}
    return Object(name, fields, frozenset(key for key, one in parameters.items() if one.required))


def complete(parameters: Parameters, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the defaults of those that are not given."""
    return {name: given.get(name, parameter.default) for name, parameter in parameters.items()}


def refuse(parameters: Parameters, given: Mapping[str, Any]) -> Sequence[str]:
    """What is wrong with values from outside, a sentence each."""
    found = [f"there is no {name!r}; expected {', '.join(parameters) or 'none'}" for name in given.keys() - parameters]
    for name, parameter in parameters.items():
        if name not in given:
            found += [f"{name} ({parameter.type}) is missing"] if parameter.required else []
        elif (refused := values.refuse(given[name], parameter.type)) is not None:
            found.append(f"{name}: {refused}")
    return found
