"""Reads a flow file into nodes that know their place. YAML without its surprises.

Plain scalars resolve by JSON's grammar only, so `on`, `yes`, `0123`, `12:30` and `+4917…` are text. Anchors,
aliases, merge keys, tags and duplicate keys are refused, and so is what is too large or too deep.
"""

import bisect
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from connector.flows.problems import Place, Report

MAX_BYTES = 256 * 1024
MAX_NODES = 10_000
MAX_DEPTH = 32

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_CONSTANTS = {"": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Scalar:
    """`value` is JSON; `text` is what was written; `start` and `end` are its range in the source."""

    value: Any
    text: str
    style: str | None
    """None for plain, else the quote or `|` or `>`."""
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple["Node", ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Entry:
    key: Scalar
    value: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: dict[str, Entry]
    start: int
    end: int

    def get(self, key: str) -> "Node | None":
        entry = self.entries.get(key)
        return entry.value if entry else None


Node = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file, and where its lines begin."""

    text: str
    _lines: list[int] = field(default_factory=list, repr=False)

    def place(self, start: int, end: int) -> Place:
        """The range as a place; cut off at the end of its first line."""
        if not self._lines:
            self._lines.extend([0, *(match.end() for match in re.finditer("\n", self.text))])
        line = bisect.bisect_right(self._lines, start)
        first = self._lines[line - 1]
        end_of_line = self.text.find("\n", start)
        last = min(end, end_of_line if end_of_line >= 0 else len(self.text))
        return Place(line, start - first + 1, max(last - first + 1, start - first + 2))

    def of(self, node: Node) -> Place:
        return self.place(node.start, node.end)

    def within(self, scalar: Scalar, start: int, end: int) -> Place:
        """The place of `scalar.text[start:end]` in the file."""
        offsets = _alignment(self.text[scalar.start : scalar.end], scalar.text, scalar.style)
        last = len(offsets) - 1
        if last < 0:
            return self.of(scalar)
        first = offsets[min(start, last)]
        return self.place(scalar.start + first, scalar.start + offsets[min(max(end - 1, start), last)] + 1)


def _alignment(raw: str, text: str, style: str | None) -> list[int]:
    """For each character of `text` where it stands in `raw`, which has quotes, escapes, folds and indents besides."""
    position = len(raw.split("\n", 1)[0]) + 1 if style in ("|", ">") else 1 if style else 0
    offsets = []
    for character in text:
        while position < len(raw) - 1 and raw[position] != character and not _stands_for(raw, position, character):
            position += 1
        offsets.append(min(position, max(len(raw) - 1, 0)))
        position += 2 if raw[position : position + 1] == "\\" and style == '"' else 1
    return offsets


def _stands_for(raw: str, position: int, character: str) -> bool:
    if raw[position] == "\\":
        return raw[position + 1] == character or raw[position + 1] in "ntrbfu0xUNLP_ave"
    return raw[position] == "\n" and character == " "


def _end(event: yaml.Event, start: int) -> int:
    return max(event.end_mark.index, start + 1) if event.end_mark else start + 1


class _Stop(Exception):  # noqa: N818 - the rest of the file cannot be read; the problem is reported already
    pass


def load(content: bytes | str, report: Report) -> tuple[Source, Mapping | None]:
    """The file's text and its top mapping; None where the file cannot be read, which is then in the report."""
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
    except UnicodeDecodeError as error:
        report.add(Place(1, 1, 2), "yaml", f"byte {error.start} is not UTF-8", "save the file as UTF-8")
        return Source(""), None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    source = Source(text)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        report.add(Place(1, 1, 2), "yaml", f"the file is larger than {MAX_BYTES // 1024} KiB")
        return source, None
    try:
        return source, _Reader(source, report).document()
    except _Stop:
        return source, None
    except yaml.MarkedYAMLError as error:
        _report_yaml(error, source, report)
    except yaml.YAMLError as error:  # a character that YAML does not allow
        position = getattr(error, "position", 0)
        report.add(source.place(position, position + 1), "yaml", "the file has a character that YAML does not allow")
    return source, None


_YAML_HINTS = {
    "mapping values are not allowed here": "a text with `: ` in it needs quotes, or `>-` and a line of its own",
    "found character '\\t' that cannot start any token": "indent with spaces, not tabs",
    "could not find expected ':'": "write `key: value`, with a space after the colon",
    "expected <block end>, but found '<scalar>'": "a text that starts with a quote must end with it: "
    "put the whole value in the other kind of quotes",
    "expected <block end>, but found '-'": "items of one list start in the same column",
}


def _report_yaml(error: yaml.MarkedYAMLError, source: Source, report: Report) -> None:
    mark = error.problem_mark or error.context_mark
    position = mark.index if mark else 0
    line = source.text[source.text.rfind("\n", 0, position) + 1 :].split("\n", 1)[0]
    hint = _YAML_HINTS.get(error.problem or "")
    if "${{" in line and (error.context or "").startswith("while parsing a flow"):
        hint = "inside { } and [ ] put `${{ … }}` in quotes"
    message = f"this is not YAML: {error.problem or 'it cannot be read'}"
    report.add(source.place(position, position + 1), "yaml", message, hint)


class _Reader:
    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report
        self._events: Iterator[Any] = yaml.parse(source.text, Loader=yaml.SafeLoader)
        self._nodes = 0
        self._scalars: list[tuple[int, int]] = []

    def document(self) -> Mapping:
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            self._fail(0, 1, "yaml", "the file is empty", "start with `flow: NAME`")
        root = self._node(next(self._events), 1)
        next(self._events)  # the end of the document
        if not isinstance(event := next(self._events), yaml.StreamEndEvent):
            self._fail(event.start_mark.index, event.start_mark.index + 3, "yaml", "a file holds one flow", None)
        if not isinstance(root, Mapping):
            self._fail(root.start, root.end, "yaml", "a flow is a mapping", "start with `flow: NAME`")
        self._look_into_comments()
        return root

    def _fail(self, start: int, end: int, rule: str, message: str, hint: str | None) -> NoReturn:
        self._complain(start, end, rule, message, hint)
        raise _Stop

    def _complain(self, start: int, end: int, rule: str, message: str, hint: str | None = None) -> None:
        self._report.add(self._source.place(start, end), rule, message, hint)

    def _node(self, event: Any, depth: int) -> Node:
        start, end = event.start_mark.index, event.end_mark.index
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._fail(start, end, "yaml", f"the file has more than {MAX_NODES} values", None)
        if depth > MAX_DEPTH:
            self._fail(start, end, "yaml", f"the file is nested deeper than {MAX_DEPTH} levels", None)
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            hint = "write the value where it is used; a text that starts with * or & needs quotes"
            self._fail(start, end, "yaml-anchor", "anchors and aliases are not allowed", hint)
        if event.tag is not None:
            hint = f'an expression that starts with ! needs quotes, as in "{event.tag}…"'
            self._fail(start, end, "yaml-tag", "tags are not allowed", hint)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        return (
            self._mapping(start, depth) if isinstance(event, yaml.MappingStartEvent) else self._sequence(start, depth)
        )

    def _scalar(self, event: Any) -> Scalar:
        start, end, text = event.start_mark.index, event.end_mark.index, event.value
        self._scalars.append((start, end))
        if event.style is not None:
            return Scalar(text, text, event.style, start, end)
        return Scalar(self._resolved(text, start, end), text, None, start, end)

    def _resolved(self, text: str, start: int, end: int) -> Any:
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if not _JSON_NUMBER.fullmatch(text):
            return text
        number = json.loads(text) if len(text) <= 400 else math.inf
        if isinstance(number, float) and not math.isfinite(number):
            self._complain(start, end, "number", "the number is too large", "put it in quotes to make it text")
            return 0
        return number

    def _sequence(self, start: int, depth: int) -> Sequence:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Sequence(tuple(items), start, _end(event, start))

    def _mapping(self, start: int, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, depth)
            value = self._node(next(self._events), depth + 1)
            if key.text in entries:
                first = self._source.of(entries[key.text].key)
                message = f"the key {key.text!r} is given twice, first in line {first.line}"
                self._complain(key.start, key.end, "duplicate-key", message)
                continue
            entries[key.text] = Entry(key, value)
        return Mapping(entries, start, _end(event, start))

    def _key(self, event: Any, depth: int) -> Scalar:
        key = self._node(event, depth + 1)
        if not isinstance(key, Scalar):
            self._fail(key.start, key.end, "yaml", "a key must be a word", "inside { } put `${{ … }}` in quotes")
        if key.text == "<<" and key.style is None:
            self._fail(key.start, key.end, "yaml-anchor", "merge keys are not allowed", "write the keys out")
        return key

    def _look_into_comments(self) -> None:
        """A `#` after a space ends a plain text; where the comment holds an expression, that was not meant."""
        for match in re.finditer(r"(?:^|(?<=\s))#[^\n]*\$\{\{[^\n]*", self._source.text, re.MULTILINE):
            inside = any(start <= match.start() < end for start, end in self._scalars)
            line_start = self._source.text.rfind("\n", 0, match.start()) + 1
            before = self._source.text[line_start : match.start()].rstrip()
            if inside or not before.strip():
                continue
            key, _, value = before.partition(": ")
            hint = f'put the text in quotes: {key.strip()}: "{value.strip()} {match[0].strip()}"'
            message = "the text ends at this ` #`, and its `${{ … }}` is only a comment"
            self._complain(match.start(), match.end(), "comment", message, hint)
