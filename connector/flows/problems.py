"""A problem is a value: where it is, what is wrong, and what was probably meant."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


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
    rule: str
    message: str
    hint: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Report:
    """Collects the problems of one file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: set[Problem] = set()

    def add(self, place: Place, rule: str, message: str, hint: str | None = None) -> None:
        self._found.add(Problem(self._path, place.line, place.column, place.end, rule, message, hint))

    def problems(self) -> list[Problem]:
        """In the order of the file, each once."""
        return sorted(self._found, key=lambda p: (p.line, p.column, p.rule, p.message))


def render(problem: Problem, source: str) -> str:
    """`path:line:column: message; hint [rule]`, then the line and `^~~~` below the place."""
    hint = f"; {problem.hint}" if problem.hint else ""
    head = f"{problem.path}:{problem.line}:{problem.column}: {problem.message}{hint} [{problem.rule}]"
    lines = source.splitlines()
    if not 1 <= problem.line <= len(lines):
        return head
    line = lines[problem.line - 1].replace("\t", " ")
    width = max(1, min(problem.end_column, len(line) + 1) - problem.column)
    return f"{head}\n    {line}\n    {' ' * (problem.column - 1)}^{'~' * (width - 1)}"


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean 'created'?`, the known words where there are few, or None."""
    words = sorted(known)
    if close := difflib.get_close_matches(word, words, n=1, cutoff=0.6):
        return f"did you mean {close[0]!r}?"
    if words and len(words) <= 12:
        return f"expected {one_of(words)}"
    return None


def one_of(words: Sequence[str]) -> str:
    """`a, b or c`."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} or {words[-1]}"
