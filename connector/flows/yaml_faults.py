"""Says in the words of a flow's author what a YAML reader complains of, and how the line should be."""

import re
from dataclasses import dataclass

import yaml

_HEAD = re.compile(r"\s*(?:-\s+)*(?:[\w.-]+:\s+)?")
_EXPRESSION_KEY = re.compile(r"\s*(?:-\s+)*(?:if|not_after|key|for_each|match|until|on):")
_HOLE = re.compile(r"\$\{\{[^\n]*?\}\}")
_QUOTES = "'\""
_MOST = 160  # characters of a line that a hint repeats


@dataclass(frozen=True, slots=True)
class Fault:
    """`start` is an offset into the text."""

    start: int
    message: str
    hint: str | None = None


def explain(error: yaml.MarkedYAMLError, text: str) -> Fault:
    """What `error` means for somebody who does not know how YAML is read."""
    problem, context = error.problem or "", error.context or ""
    start = min(_index(error.problem_mark, error.context_mark), max(len(text) - 1, 0))
    opened = _index(error.context_mark, error.problem_mark)
    line_start = text.rfind("\n", 0, start) + 1
    line = text[line_start:].split("\n", 1)[0]
    head, value = _split(line)
    if value[:1] in ("!", "&", "*"):
        message = f"a text that starts with {value[0]} needs quotes"
        return Fault(line_start + len(head), message, quotes_hint(line, "put the text in quotes"))
    if "mapping values are not allowed" in problem:
        return _colon(start, line, line[: start - line_start])
    if "cannot start any token" in problem:
        return _character(start, text[start : start + 1], line)
    if "tab character" in problem:
        return _character(start, "\t", line)
    if "while parsing a flow" in context:
        return _in_braces(start, opened, text, line)
    if "while parsing a block" in context:
        return _out_of_place(start, line, line[: start - line_start])
    for pattern, message, hint in _PLAIN_WORDS:
        if pattern in f"{context}: {problem}":
            return Fault(opened, message, hint)
    return Fault(start, f"this is not YAML: {problem or 'it cannot be read'}")


def _split(line: str) -> tuple[str, str]:
    """What stands before the value of a line, `- key: ` for example, and the value."""
    head = _HEAD.match(line)
    end = head.end() if head else 0
    return line[:end], line[end:]


_MISFIT = "this line does not fit into the lines above it"
_ALIGN = "start it in the same column as the keys or items beside it"
_PLAIN_WORDS = (
    ("found unexpected end of stream", "this quote is never closed", "add the same quote at the end of the text"),
    ("escape", "a backslash in double quotes starts an escape", r"write \\ for a backslash, or use single quotes"),
    ("block scalar", "the text of `>` or `|` starts in the next line", "write `key: >-` and the text below, indented"),
    (
        "could not find expected ':'",
        "this line is no `key: value`",
        "put a space after the colon; a text that goes on from the line above must be indented",
    ),
    ("sequence entries are not allowed", "a list starts in a line of its own", "put the `- ` below its key"),
    ("<document start>", _MISFIT, _ALIGN),
)


def _index(*marks: yaml.Mark | None) -> int:
    return next((mark.index for mark in marks if mark is not None), 0)


def _colon(start: int, line: str, before: str) -> Fault:
    _, value = _split(before)
    is_key = not value.strip() or re.fullmatch(r"[\w.-]+", value)
    if not is_key or re.match(r"\s*(?:-\s+)*[\w.-]+:\s", before):
        return Fault(start, "a text with a colon and a space in it needs quotes", quotes_hint(line, "put it in quotes"))
    hint = "start it in the same column as the keys beside it"
    return Fault(start - len(before.lstrip()), "this key is indented deeper than the line above it", hint)


def _character(start: int, character: str, line: str) -> Fault:
    if character == "\t":
        return Fault(start, "a tab stands where spaces are needed", "indent with spaces")
    return Fault(start, f"an unquoted text cannot start with {character}", quotes_hint(line, "put it in quotes"))


def _in_braces(start: int, opened: int, text: str, line: str) -> Fault:
    if hint := braces_hint(line):
        return Fault(start, "inside { } and [ ] an expression needs quotes", hint)
    sign = text[opened : opened + 1]
    closing = "]" if sign == "[" else "}"
    hint = f"put `, ` between its parts and add {closing} at its end; a text with one of , : {{ }} [ ] needs quotes"
    return Fault(opened, f"this {sign} … {closing} is not complete", hint)


def _out_of_place(start: int, line: str, before: str) -> Fault:
    _, value = _split(before)
    if value[:1] and value[0] in _QUOTES:
        return Fault(start, "a text that starts with a quote ends with it", quotes_hint(line, "quote the whole text"))
    if re.match(r"\s*[\]}]", line[len(before) :]):
        return Fault(start, "this bracket was never opened", "put the text in quotes")
    return Fault(start, _MISFIT, _ALIGN)


def quotes_hint(line: str, otherwise: str) -> str:
    """The line with its value in quotes, or what to do in general."""
    head, value = _split(line.rstrip())
    if len(value) > 1 and value[0] in _QUOTES and value[0] == value[-1] and not _EXPRESSION_KEY.match(line):
        value = value[1:-1]
    fixed = _in_quotes(value)
    if not value or value[0] in "{[" or len(line) > _MOST:
        return otherwise
    if fixed is None:
        return f"write {head.strip()} >- and the text in the next line, indented"
    return f"write {head.lstrip()}{fixed}"


def braces_hint(line: str) -> str | None:
    """The line with each `${{ … }}` in quotes; None where it has none."""
    if "{{" not in line or len(line) > _MOST:
        return None
    if not _HOLE.search(line):
        return "an expression is written ${{ … }}"
    return f"write {_HOLE.sub(lambda hole: _in_quotes(hole[0]) or hole[0], line).strip()}"


def _in_quotes(value: str) -> str | None:
    if '"' not in value and "\\" not in value:
        return f'"{value}"'
    return f"'{value}'" if "'" not in value else None
