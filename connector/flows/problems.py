"""A problem is a value: where it is, what is wrong, and what was probably meant."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Rule = Literal[
    "any",
    "arguments",
    "comment",
    "comparison",
    "duplicate-flow",
    "duplicate-key",
    "duplicate-step",
    "duration",
    "effect",
    "expression",
    "input",
    "missing-input",
    "missing-key",
    "more-problems",
    "name",
    "nullable",
    "number",
    "syntax",
    "type",
    "unknown-action",
    "unknown-connection",
    "unknown-field",
    "unknown-flow",
    "unknown-function",
    "unknown-input",
    "unknown-key",
    "unknown-name",
    "unknown-step",
    "unknown-trigger",
    "unreachable",
    "yaml",
    "yaml-anchor",
    "yaml-tag",
]
"""The names under which the problems are documented."""

MOST = 100  # of one file; a hostile one has thousands
_WIDEST = 120  # characters of a source line that are shown
_LONGEST = 60  # characters of a value that a message quotes


@dataclass(frozen=True, slots=True)
class Place:
    """A range of one line of a file. Lines and columns count from 1, in characters; `end` is exclusive."""

    line: int
    column: int
    end: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a flow file. `rule` is the name under which it is documented."""

    path: str
    line: int
    column: int
    end_column: int
    rule: Rule
    message: str
    hint: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class TooManyProblems(Exception):  # noqa: N818 - it ends a check early; the problems are in the report
    """The report is full."""


class Report:
    """Collects the problems of one file; raises TooManyProblems when it is full."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: set[Problem] = set()
        self._unchecked: set[Problem] = set()
        self._last: list[Problem] = []

    def add(self, place: Place, rule: Rule, message: str, hint: str | None = None) -> None:
        if len(self._found) >= MOST:
            raise TooManyProblems
        self._found.add(Problem(self._path, place.line, place.column, place.end, rule, message, hint))

    def add_unchecked(self, place: Place, message: str, hint: str | None = None) -> None:
        """A value of type `any` stands where one of another type is expected: it is seen only when the flow runs."""
        if len(self._unchecked) < MOST:
            self._unchecked.add(Problem(self._path, place.line, place.column, place.end, "any", message, hint))

    def add_last(self) -> None:
        """Say that there are more problems than the report holds."""
        line = max(problem.line for problem in self._found)
        message = f"the file has more than {MOST} problems; these come first"
        self._last = [Problem(self._path, line, 1, 2, "more-problems", message)]

    def problems(self) -> list[Problem]:
        """In the order of the file, each once."""
        return [*_in_order(self._found), *self._last]

    def unchecked(self) -> list[Problem]:
        """The places where checking ends; none in a file with problems, where `any` stands for what is wrong too."""
        return [] if self._found else _in_order(self._unchecked)


def _in_order(found: Iterable[Problem]) -> list[Problem]:
    return sorted(found, key=lambda p: (p.line, p.column, p.rule, p.message))


def render(problem: Problem, source: str) -> str:
    """`path:line:column: message; hint [rule]`, then the line and `^~~~` below the place. All of it is printable."""
    hint = f"; {problem.hint}" if problem.hint else ""
    head = _printable(f"{problem.path}:{problem.line}:{problem.column}: {problem.message}{hint} [{problem.rule}]")
    lines = source.split("\n", problem.line)
    if problem.line > len(lines):
        return head
    line, first = lines[problem.line - 1], problem.column - 1
    cut = max(0, first - _WIDEST // 2) if len(line) > _WIDEST else 0
    shown = line[cut : cut + _WIDEST]
    before, marked = shown[: first - cut], shown[first - cut : problem.end_column - 1 - cut]
    return f"{head}\n    {_one_wide(shown)}\n    {' ' * _width(before)}^{'~' * (_width(marked) - 1)}"


def _printable(text: str) -> str:
    """Line breaks as spaces, what a terminal would obey as escapes."""
    return "".join(c if c.isprintable() else " " if c == "\n" else ascii(c)[1:-1] for c in text)


def _one_wide(line: str) -> str:
    """Tabs and what a terminal would obey as one character each, so that the marks below stay in place."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in line)


def _width(text: str) -> int:
    """The columns of a terminal that `text` takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def shortened(text: str) -> str:
    """A part of the file as a message repeats it: one line, not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def quoted(value: object) -> str:
    """A value of the file as a message quotes it: in quotes, escaped, not too long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant: one that is spelt alike or that contains `word`."""
    words = {known_word.lower(): known_word for known_word in sorted(known)}
    meant = word.lower()
    if close := difflib.get_close_matches(meant, words, n=1, cutoff=0.6):
        return words[close[0]]
    containing = [name for key, name in words.items() if len(meant) > 2 and meant in key]
    return containing[0] if len(containing) == 1 else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean 'created'?`, the known words where there are few, or None."""
    words = sorted(known)
    if (meant := closest(word, words)) is not None:
        return f"did you mean {meant!r}?"
    return f"expected {one_of(words)}" if words and len(words) <= 12 else None


def one_of(words: Sequence[str]) -> str:
    """`a, b or c`."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} or {words[-1]}"
