"""The tree of an expression. `start` and `end` are offsets into its text."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    value: Any
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ListLiteral:
    items: tuple["Node", ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Field:
    """`target.name`, or `target?.name` where `optional`; `at` is where the name starts."""

    target: "Node"
    name: str
    optional: bool
    at: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Index:
    target: "Node"
    index: "Node"
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: "Node"
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Binary:
    """`at` is where the operator starts, which tells the comparisons of an expression apart."""

    operator: str
    left: "Node"
    right: "Node"
    at: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Conditional:
    condition: "Node"
    then: "Node"
    otherwise: "Node"
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Call:
    """`name(arguments)`; `x.name(y)` is the same as `name(x, y)`. `at` is where the name starts."""

    name: str
    arguments: tuple["Node", ...]
    at: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Macro:
    """`name(items, variable, body)`, where `body` is evaluated for each of the items."""

    name: str
    items: "Node"
    variable: Name
    body: "Node"
    at: int
    start: int
    end: int


Node = Literal | ListLiteral | Name | Field | Index | Unary | Binary | Conditional | Call | Macro

MACROS = ("exists", "all", "filter", "map")
RESERVED = frozenset(
    "trigger steps status vars config run error item index inputs output event approve true false null in".split()
)
"""The words of the language, which name nothing that a flow defines."""


def render(node: Node) -> str:
    """A text that reads as the same tree; the same for trees that differ only in white space and brackets."""
    match node:
        case Literal(value):
            return json.dumps(value)
        case ListLiteral(items):
            return f"[{', '.join(map(render, items))}]"
        case Name(name):
            return name
        case Field(target, name, optional):
            return f"{render(target)}{'?.' if optional else '.'}{name}"
        case Index(target, index):
            return f"{render(target)}[{render(index)}]"
        case Unary(operator, operand):
            return f"{operator}({render(operand)})"
        case Binary(operator, left, right):
            return f"({render(left)} {operator} {render(right)})"
        case Conditional(condition, then, otherwise):
            return f"({render(condition)} ? {render(then)} : {render(otherwise)})"
        case Call(name, arguments):
            return f"{name}({', '.join(map(render, arguments))})"
        case Macro(name, items, variable, body):
            return f"{name}({render(items)}, {variable.name}, {render(body)})"


def children(node: Node) -> tuple[Node, ...]:
    """The parts of `node`, left to right."""
    match node:
        case ListLiteral(items):
            return items
        case Field(target):
            return (target,)
        case Index(target, index):
            return (target, index)
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Conditional(condition, then, otherwise):
            return (condition, then, otherwise)
        case Call(_, arguments):
            return arguments
        case Macro(_, items, _, body):
            return (items, body)
        case _:
            return ()


def reads(node: Node, name: str) -> bool:
    """Whether the value of `node` depends on that of `name`."""
    if isinstance(node, Name):
        return node.name == name
    return any(reads(child, name) for child in children(node))
