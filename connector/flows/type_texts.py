"""Reads types as messages write them: `str | null`, `list[str]`, `'gold' | 'silver'`."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from connector.flows import types
from connector.flows.problems import closest, quoted
from connector.flows.types import ListOf, Object, Type, literal, union

MAX_CHARACTERS = 1_000
MAX_DEPTH = 10

NAMES: dict[str, Type] = {
    "str": types.STR,
    "int": types.INT,
    "number": types.NUMBER,
    "bool": types.BOOL,
    "time": types.TIME,
    "duration": types.DURATION,
    "any": types.ANY,
    "null": types.NULL,
}
"""The types that are one word; `true` and `false` are constants."""
CONTAINERS = ("list", "map")
EXPECTED = "expected str, int, number, bool, time, duration, any, list[…], map[…], a 'word' or null"

OTHER_WORDS = {
    **dict.fromkeys("string text char varchar".split(), "str"),
    **dict.fromkeys("integer long".split(), "int"),
    **dict.fromkeys("float double decimal num numeric".split(), "number"),
    **dict.fromkeys("boolean flag".split(), "bool"),
    **dict.fromkeys("datetime date timestamp".split(), "time"),
    **dict.fromkeys("timedelta interval".split(), "duration"),
    **dict.fromkeys("array tuple set sequence".split(), "list"),
    **dict.fromkeys("object dict mapping record struct".split(), "map"),
    **dict.fromkeys("none nil undefined".split(), "null"),
    **dict.fromkeys("unknown mixed json".split(), "any"),
}
"""What other languages write, in lower case."""
_TOKEN = re.compile(
    r"""\s+
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


class TypeTextProblem(Exception):  # noqa: N818 - it ends up as a Problem, not as an error of the program
    """The text is not a type. `start` and `end` are offsets into it."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.hint = message, start, end, hint


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse(text: str) -> Type:
    """The type that `text` names. Raises TypeTextProblem."""
    if len(text) > MAX_CHARACTERS:
        message = f"the type has {len(text)} characters; at most {MAX_CHARACTERS} are allowed"
        raise TypeTextProblem(message, 0, len(text), "write any, or fewer alternatives")
    if not text.strip():
        raise TypeTextProblem("there is no type here", 0, max(1, len(text)), "write one, such as str or list[str]")
    return _Parser([*_tokens(text)]).whole()


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup is not None:
            yield _Token(match.lastgroup, match[0], match.start(), match.end())
    yield _Token("end", "", len(text), len(text) + 1)


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._open: list[_Token] = []

    @property
    def _token(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _fail(self, message: str, hint: str | None = None, token: _Token | None = None) -> NoReturn:
        token = token or self._token
        raise TypeTextProblem(message, token.start, token.end, hint)

    def whole(self) -> Type:
        kind = self._alternatives()
        if self._token.text == "]":
            self._fail("this ] was never opened", "remove it")
        if self._token.kind != "end":
            self._fail_after(kind)
        return kind

    def _alternatives(self) -> Type:
        members = [self._one()]
        while self._token.text == "|":
            self._next()
            members.append(self._one())
        return union(members)

    def _one(self) -> Type:
        token = self._next()
        if token.kind == "name":
            return self._named(token)
        if token.kind == "text":
            return literal(self._word(token))
        if token.kind == "number":
            return literal(self._number(token))
        self._at -= 1
        self._fail_before()

    def _named(self, token: _Token) -> Type:
        if token.text in CONTAINERS:
            return self._container(token)
        if token.text in NAMES:
            return NAMES[token.text]
        if token.text in ("true", "false"):
            return literal(token.text == "true")
        word = token.text.lower()
        meant = OTHER_WORDS.get(word) or closest(word, [*NAMES, *CONTAINERS])
        if word == "optional" and self._token.text == "[":
            self._fail("there is no type 'optional'", "write T | null", token)
        hint = f"did you mean {meant!r}?" if meant else f"for a word write it in quotes: {token.text!r}; {EXPECTED}"
        self._fail(f"there is no type {quoted(token.text)}", hint, token)

    def _container(self, token: _Token) -> Type:
        content = "items" if token.text == "list" else "values"
        if self._token.text != "[":
            written = "in square brackets: " if self._token.text in ("(", "<") else ""
            hint = (
                f"write it {written}{token.text}[str]" if written else f"write {token.text}[str] or {token.text}[any]"
            )
            self._fail(f"{token.text} needs the type of its {content}", hint, token)
        self._open.append(self._next())
        if len(self._open) > MAX_DEPTH:
            self._fail(f"types stand in each other more than {MAX_DEPTH} times", "write any inside", token)
        if self._token.text == "]":
            hint = f"write {token.text}[str] or {token.text}[any]"
            self._fail(f"{token.text} needs the type of its {content}", hint)
        inner = self._alternatives()
        self._close(token, inner)
        return ListOf(inner) if token.text == "list" else Object("map", {}, extra=inner)

    def _close(self, container: _Token, inner: Type) -> None:
        opened = self._open.pop()
        if self._token.kind == "end":
            self._fail("this [ is never closed", "add ]", opened)
        if self._token.text == "," and container.text == "map":
            self._fail("map has one type, that of its values", "write map[int]; its keys are texts")
        if self._token.text != "]":
            self._fail_after(inner)
        self._next()

    def _fail_before(self) -> NoReturn:
        """Where a type should begin."""
        text = self._token.text
        if text in ("'", '"'):
            self._fail("this quote is never closed", f"add {text} after the word")
        if text == "[":
            self._fail("expected a type before [", "write list[str]")
        if text == "{":
            self._fail("expected a type, not {", "write map[str]")
        before = f" after {self._tokens[self._at - 1].text}" if self._at else ""
        self._fail(f"expected a type{before}", EXPECTED)

    def _fail_after(self, kind: Type) -> NoReturn:
        """Where a type has ended and neither `|` nor a bracket follows."""
        text = self._token.text
        if text == "?":
            self._fail("? is no part of a type", f"write {kind} | null")
        if text == "[":
            self._fail(f"{kind} takes no brackets", f"write list[{kind}]")
        if text.lower() in ("or", ",", "/"):
            self._fail(f"expected | between two types, not {text}", "write | for 'or'")
        self._fail("expected | or the end of the type", f"write {kind} | …")

    def _word(self, token: _Token) -> str:
        def meant(match: re.Match[str]) -> str:
            if digits := match[1] or match[2] or match[3]:
                return chr(int(digits, 16)) if int(digits, 16) < 0x110000 else self._escape_fails(token)
            return _ESCAPED.get(match[4]) or self._escape_fails(token)

        return _ESCAPE.sub(meant, token.text[1:-1])

    def _escape_fails(self, token: _Token) -> NoReturn:
        self._fail("this word has an unknown escape", r"write \\ for \ ", token)

    def _number(self, token: _Token) -> int | float:
        try:
            value = json.loads(token.text)
        except ValueError:  # a leading zero, or more digits than Python reads
            self._fail(f"{quoted(token.text)} is no number of JSON", None, token)
        if not math.isfinite(value):
            self._fail("this number is too large", None, token)
        number: int | float = value
        return number
