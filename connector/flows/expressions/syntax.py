"""Reads the text of an expression into a tree.

From tight to loose: `. ?. []`, `! -`, `* / %`, `+ -`, `< <= > >= in`, `== !=`, `&&`, `||`, `??`, `? :`.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from connector.flows.expressions.tree import (
    MACROS,
    Binary,
    Call,
    Conditional,
    Field,
    Index,
    ListLiteral,
    Literal,
    Macro,
    Name,
    Node,
    Unary,
)
from connector.flows.problems import quoted

MAX_CHARACTERS = 4_000
MAX_NODES = 200
MAX_DEPTH = 24

_LARGEST_INT = 2**63


class SyntaxProblem(Exception):  # noqa: N818 - it ends up as a Problem, not as an error of the program
    """The text is not an expression. `start` and `end` are offsets into it."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.hint = message, start, end, hint


_TOKEN = re.compile(
    r"""\s+
    |(?P<duration>[0-9]+(?:ms|[smhd])\b)
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<mark>\?\?|\?\.|&&|\|\||[=!<>]=|[-+*/%!<>?:.,()\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
_CONSTANTS = {"true": True, "false": False, "null": None}
_LEVELS = (("??",), ("||",), ("&&",), ("==", "!="), ("<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))
_LEVEL = {operator: level for level, operators in enumerate(_LEVELS) for operator in operators}
_OTHER_LANGUAGES = {
    "and": "write && instead",
    "or": "write || instead",
    "not": "write ! instead",
    "None": "write null instead",
    "True": "write true instead",
    "False": "write false instead",
    "is": "write == instead",
    "if": "write CONDITION ? VALUE : OTHER",
    "else": "write CONDITION ? VALUE : OTHER",
    "{": "objects are written as YAML, with `${{ … }}` inside",
    "=": "write == to compare",
    "&": "write && for 'and'",
    "|": "write || for 'or'",
    "$": "an expression begins after `${{` and needs no $",
    "=>": "write LIST.filter(x, x != null)",
}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse(text: str) -> Node:
    """The tree of `text`. Raises SyntaxProblem."""
    if len(text) > MAX_CHARACTERS:
        message = f"the expression has {len(text)} characters; at most {MAX_CHARACTERS} are allowed"
        raise SyntaxProblem(message, 0, len(text), "compute parts of it in steps before")
    if not text.strip():
        raise SyntaxProblem("there is no expression here", 0, max(1, len(text)), "write one, such as trigger.agent_id")
    return _Parser(_tokens(text)).whole()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            _refuse(text, position)
        if match.lastgroup == "duration":
            hint = f"a duration is a text, as in add_duration(run.started_at, '{match[0]}')"
            raise SyntaxProblem(f"{match[0]} is not a number", position, match.end(), hint)
        if match.lastgroup:
            tokens.append(_Token(match.lastgroup, match[0], position, match.end()))
        position = match.end()
    tokens.append(_Token("end", "", len(text), len(text)))
    return tokens


def _refuse(text: str, position: int) -> NoReturn:
    character = text[position]
    if character in "'\"":
        raise SyntaxProblem("a text is not closed", position, len(text), f"add {character} at its end")
    sign = "=>" if text.startswith("=>", position) else character
    hint = _OTHER_LANGUAGES.get(sign)
    raise SyntaxProblem(f"{sign!r} has no meaning here", position, position + len(sign), hint)


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._nodes = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression()
        if (rest := self._peek()).kind != "end":
            self._fail(rest, "the expression should end before")
        return node

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _accept(self, *marks: str) -> _Token | None:
        token = self._peek()
        return self._take() if token.kind != "text" and token.text in marks else None

    def _expect(self, mark: str) -> _Token:
        return self._accept(mark) or self._fail(self._peek(), f"expected {mark!r} before")

    def _fail(self, token: _Token, what: str, hint: str | None = None) -> NoReturn:
        shown = "the end" if token.kind == "end" else quoted(token.text)
        start = max(0, token.start - 1) if token.kind == "end" else token.start
        hint = hint or _OTHER_LANGUAGES.get(token.text)
        raise SyntaxProblem(f"{what} {shown}", start, max(token.end, start + 1), hint)

    def _made(self, node: Node) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            hint = "compute parts of it in steps before"
            raise SyntaxProblem(f"the expression has more than {MAX_NODES} parts", node.start, node.end, hint)
        return node

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            token = self._peek()
            message = f"the expression is nested deeper than {MAX_DEPTH} levels"
            raise SyntaxProblem(message, token.start, max(token.end, token.start + 1))

    def _expression(self) -> Node:
        self._deeper()
        node = self._binary(0)
        if self._accept("?"):
            then = self._expression()
            self._expect(":")
            otherwise = self._expression()
            node = self._made(Conditional(node, then, otherwise, node.start, otherwise.end))
        self._depth -= 1
        return node

    def _binary(self, loosest: int) -> Node:
        left = self._unary()
        while (level := self._level()) >= loosest:
            operator = self._take()
            right = self._binary(level + 1)
            left = self._made(Binary(operator.text, left, right, operator.start, left.start, right.end))
        return left

    def _level(self) -> int:
        token = self._peek()
        return _LEVEL.get(token.text, -1) if token.kind != "text" else -1

    def _unary(self) -> Node:
        if not (operator := self._accept("!", "-")):
            return self._postfix()
        self._deeper()
        operand = self._unary()
        self._depth -= 1
        if operator.text == "-" and isinstance(operand, Literal) and type(operand.value) in (int, float):
            return Literal(-operand.value, operator.start, operand.end)
        return self._made(Unary(operator.text, operand, operator.start, operand.end))

    def _postfix(self) -> Node:
        node = self._primary()
        links = 0
        while mark := self._accept(".", "?.", "["):
            node = self._index(node) if mark.text == "[" else self._member(node, optional=mark.text == "?.")
            links += 1
            if links > MAX_DEPTH:
                raise SyntaxProblem(f"more than {MAX_DEPTH} fields follow one another", node.start, node.end)
        return node

    def _index(self, target: Node) -> Node:
        index = self._expression()
        end = self._expect("]").end
        return self._made(Index(target, index, target.start, end))

    def _member(self, target: Node, *, optional: bool) -> Node:
        name = self._take()
        if name.kind != "name":
            hint = "write (LIST ?? [])[0] for an item" if optional and name.text == "[" else None
            self._fail(name, "expected the name of a field before", hint)
        if not self._accept("("):
            return self._made(Field(target, name.text, optional, name.start, target.start, name.end))
        if optional:
            default = "[]" if name.text in (*MACROS, "first", "last", "join") else "''"
            hint = f"give a default first: (… ?? {default}).{name.text}(…)"
            self._fail(name, "a function cannot be called with `?.`, as here", hint)
        arguments, end = self._until(")")
        return self._made(_called(name, (target, *arguments), target.start, end))

    def _until(self, closing: str) -> tuple[list[Node], int]:
        items: list[Node] = []
        if token := self._accept(closing):
            return items, token.end
        while True:
            items.append(self._expression())
            if token := self._accept(closing):
                return items, token.end
            self._accept(",") or self._fail(self._peek(), f"expected ',' or {closing!r} before")

    def _primary(self) -> Node:
        token = self._take()
        readers: dict[str, Callable[[_Token], Node]] = {"number": _number, "text": _text, "name": self._name}
        if token.kind in readers:
            return self._made(readers[token.kind](token))
        if token.text == "(":
            node = self._expression()
            return replace(node, start=token.start, end=self._expect(")").end)
        if token.text == "[":
            items, end = self._until("]")
            return self._made(ListLiteral(tuple(items), token.start, end))
        self._fail(token, "expected a value before")

    def _name(self, token: _Token) -> Node:
        if token.text in _CONSTANTS:
            return Literal(_CONSTANTS[token.text], token.start, token.end)
        if token.text in _OTHER_LANGUAGES or token.text in _LEVEL:
            self._fail(token, "expected a value before")
        if self._accept("("):
            arguments, end = self._until(")")
            return _called(token, tuple(arguments), token.start, end)
        return Name(token.text, token.start, token.end)


def _called(name: _Token, arguments: tuple[Node, ...], start: int, end: int) -> Call | Macro:
    if name.text not in MACROS:
        return Call(name.text, arguments, name.start, start, end)
    hint = f"write LIST.{name.text}(x, {'x.name' if name.text == 'map' else 'x != null'})"
    if len(arguments) != 3:
        what = "what to make of it" if name.text == "map" else "a condition"
        raise SyntaxProblem(f"{name.text} takes a list, a name for an item and {what}", name.start, end, hint)
    items, variable, body = arguments
    if not isinstance(variable, Name) or variable.end - variable.start > len(variable.name):
        raise SyntaxProblem(f"{name.text} needs a name for an item here", variable.start, variable.end, hint)
    return Macro(name.text, items, variable, body, name.start, start, end)


def _number(token: _Token) -> Literal:
    if re.match(r"0[0-9]", token.text):
        raise SyntaxProblem(f"{quoted(token.text)} is not a JSON number", token.start, token.end, "remove the zeros")
    value = json.loads(token.text) if len(token.text) <= 400 else math.inf
    if value >= (_LARGEST_INT if isinstance(value, int) else math.inf):
        raise SyntaxProblem("the number is too large", token.start, token.end, "put it in quotes to make it text")
    return Literal(value, token.start, token.end)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "/": "/", "b": "\b", "f": "\f"}


def _text(token: _Token) -> Literal:
    def unescape(match: re.Match[str]) -> str:
        if len(match[1]) == 5:
            return chr(int(match[1][1:], 16))
        if (character := _ESCAPES.get(match[1])) is None:
            start = token.start + 1 + match.start()
            raise SyntaxProblem(f"{match[0]!r} is not an escape", start, start + 2, r"write \\ for a backslash")
        return character

    value = re.sub(r"\\(u[0-9a-fA-F]{4}|.)", unescape, token.text[1:-1], flags=re.DOTALL)
    # Two escapes of UTF-16 are one character, as in JSON.
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return Literal(whole, token.start, token.end)
