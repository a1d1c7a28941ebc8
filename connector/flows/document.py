"""Reads a flow file into nodes that know their place. YAML without its surprises.

Plain scalars resolve by JSON's grammar only, so `on`, `yes`, `0123`, `12:30` and `+4917…` are text. Anchors,
aliases, merge keys, tags and duplicate keys are refused, and so is what is too large or too deep.
"""

import bisect
import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from connector.flows import yaml_faults
from connector.flows.alignment import offsets
from connector.flows.problems import Place, Report, Rule, quoted

MAX_BYTES = 256 * 1024
MAX_NODES = 10_000
MAX_DEPTH = 32

# The same events from both; the one in C, which some builds of PyYAML lack, is ten times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# YAML 1.1, "Character set", less the line breaks that other programs do not see as such.
_FORBIDDEN = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LARGEST_INT = 2**63
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


class Source:
    """The text of one file, and the places in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        # By the start of a scalar: of its first characters, and where those of the others come from.
        self._offsets: dict[int, tuple[list[int], Iterator[int]]] = {}

    def place(self, start: int, end: int) -> Place:
        """The range as a place; cut off at the end of its first line."""
        line = bisect.bisect_right(self._lines, start)
        first = self._lines[line - 1]
        last = min(end, first + len(self.line_at(start)))
        return Place(line, start - first + 1, max(last - first + 1, start - first + 2))

    def line_at(self, position: int) -> str:
        """The line that holds the character at `position`, without its end."""
        line = bisect.bisect_right(self._lines, position)
        end = self._lines[line] - 1 if line < len(self._lines) else len(self.text)
        return self.text[self._lines[line - 1] : end]

    def of(self, node: Node) -> Place:
        return self.place(node.start, node.end)

    def within(self, scalar: Scalar, start: int, end: int) -> Place:
        """The place of `scalar.text[start:end]` in the file."""
        if not scalar.text:
            return self.of(scalar)
        if scalar.start not in self._offsets:
            raw = self.text[scalar.start : scalar.end]
            self._offsets[scalar.start] = ([], offsets(raw, scalar.text, scalar.style))
        found, more = self._offsets[scalar.start]
        first = min(start, len(scalar.text) - 1)
        last = min(max(end - 1, first), len(scalar.text) - 1)
        found.extend(itertools.islice(more, max(0, last + 1 - len(found))))
        return self.place(scalar.start + found[first], scalar.start + found[last] + 1)

    def is_cut(self, scalar: Scalar) -> bool:
        """Whether a `#` ends the scalar: what follows in its line is a comment."""
        rest = self.line_at(scalar.end - 1 if scalar.end else 0)
        column = self.place(max(scalar.end - 1, 0), scalar.end).column
        return scalar.style is None and re.match(r"\s+#", rest[column:]) is not None


class _Unreadable(Exception):  # noqa: N818 - the rest of the file cannot be read; the problem is reported already
    pass


def decode(content: bytes | str, report: Report) -> Source:
    """The text of a file; what makes it unreadable is in the report."""
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_BYTES:
        report.add(Place(1, 1, 2), "yaml", f"the file is larger than {MAX_BYTES // 1024} KiB", "split the flow")
        return Source("")
    source = Source(_with_line_feeds(raw.decode("utf-8", "replace" if raw is content else "surrogatepass")))
    try:
        raw.decode("utf-8", "strict" if raw is content else "surrogatepass")
    except UnicodeDecodeError as error:
        before = len(_with_line_feeds(raw[: error.start].decode("utf-8")))
        message = f"byte {error.start} of the file is not UTF-8"
        report.add(source.place(before, before + 1), "yaml", message, "save the file as UTF-8")
        return source
    if found := _FORBIDDEN.search(source.text):
        code = ord(found[0])
        hint = "remove it" if 0xD800 <= code < 0xE000 else f'remove it, or write "\\u{code:04x}" in double quotes'
        place = source.place(found.start(), found.end())
        report.add(place, "yaml", f"the character U+{code:04X} is not allowed in a flow file", hint)
    return source


def _with_line_feeds(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def parse(source: Source, report: Report, what: str = "a flow", start: str = "flow: NAME") -> Mapping | None:
    """The top mapping of a file; None where it cannot be read, which is then in the report.

    `what` it is and what it may `start` with are for messages.
    """
    try:
        return _Reader(source, report).document(what, start)
    except _Unreadable:
        pass
    except yaml.MarkedYAMLError as error:
        fault = yaml_faults.explain(error, source.text)
        report.add(source.place(fault.start, fault.start + 1), "yaml", fault.message, fault.hint)
    except (yaml.YAMLError, ValueError) as error:  # an escape for a character that does not exist
        report.add(Place(1, 1, 2), "yaml", f"this is not YAML: {quoted(str(error))}")
    return None


def _range(event: Any) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


class _Reader:
    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report
        self._events: Iterator[Any] = yaml.parse(source.text, Loader=_LOADER)
        self._nodes = 0
        self._scalars: list[Scalar] = []

    def document(self, what: str, first: str) -> Mapping:
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            self._fail(0, 1, "yaml", "the file is empty", f"start with `{first}`")
        root = self._node(next(self._events), 1)
        next(self._events)  # the end of the document
        if not isinstance(event := next(self._events), yaml.StreamEndEvent):
            hint = "put what follows the `---` into a file of its own"
            start, _ = _range(event)
            self._fail(start, start + 3, "yaml", "a file holds one flow", hint)
        if not isinstance(root, Mapping):
            hint = f"start with `{first}`, with a space after the colon"
            self._fail(root.start, root.end, "yaml", f"{what} is made of `key: value` lines", hint)
        self._look_into_comments()
        return root

    def _fail(self, start: int, end: int, rule: Rule, message: str, hint: str | None) -> NoReturn:
        self._complain(start, end, rule, message, hint)
        raise _Unreadable

    def _complain(self, start: int, end: int, rule: Rule, message: str, hint: str | None = None) -> None:
        self._report.add(self._source.place(start, end), rule, message, hint)

    def _node(self, event: Any, depth: int) -> Node:
        start, end = _range(event)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._fail(start, end, "yaml", f"the file has more than {MAX_NODES} values", "split the flow")
        if depth > MAX_DEPTH:
            self._fail(start, end, "yaml", f"the file is nested deeper than {MAX_DEPTH} levels", "nest it less")
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            self._refuse_anchor(start, end)
        if event.tag is not None:
            hint = yaml_faults.quotes_hint(self._source.line_at(start), "an expression that starts with ! needs quotes")
            self._fail(start, end, "yaml-tag", "an unquoted ! starts a tag, and tags are not allowed", hint)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(start, depth)
        return self._sequence(start, depth)

    def _refuse_anchor(self, start: int, end: int) -> NoReturn:
        hint = "write the value where it is used; a text that starts with & or * needs quotes"
        self._fail(start, end, "yaml-anchor", "anchors (&name) and aliases (*name) are not allowed", hint)

    def _scalar(self, event: Any) -> Scalar:
        (start, end), text = _range(event), event.value
        value = text if event.style else self._resolved(text, start, end)
        scalar = Scalar(value, text, event.style or None, start, end)
        self._scalars.append(scalar)
        return scalar

    def _resolved(self, text: str, start: int, end: int) -> Any:
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if not _JSON_NUMBER.fullmatch(text):
            return text
        number = json.loads(text) if len(text) <= 400 else math.inf
        if not abs(number) < (_LARGEST_INT if isinstance(number, int) else math.inf):
            self._complain(start, end, "number", "the number is too large", "put it in quotes to make it text")
            return 0
        return number

    def _sequence(self, start: int, depth: int) -> Sequence:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Sequence(tuple(items), start, _range(event)[1])

    def _mapping(self, start: int, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, depth)
            value = self._node(next(self._events), depth + 1)
            if key.text in entries:
                first = self._source.of(entries[key.text].key)
                message = f"the key {quoted(key.text)} is given twice, first in line {first.line}"
                self._complain(key.start, key.end, "duplicate-key", message, "keep one of the two")
                continue
            entries[key.text] = Entry(key, value)
        return Mapping(entries, start, _range(event)[1])

    def _key(self, event: Any, depth: int) -> Scalar:
        key = self._node(event, depth + 1)
        if not isinstance(key, Scalar):
            hint = yaml_faults.braces_hint(self._source.line_at(key.start)) or "write `key: value`"
            self._fail(key.start, key.end, "yaml", "a key must be a word", hint)
        if key.text == "<<" and key.style is None:
            self._fail(key.start, key.end, "yaml-anchor", "merge keys (<<) are not allowed", "write the keys out")
        return key

    def _look_into_comments(self) -> None:
        """A `#` after a space ends a plain text; where the comment holds an expression, that was not meant."""
        text, position = self._source.text, 0
        starts = [scalar.start for scalar in self._scalars]
        while (position := text.find("${{", position)) >= 0:
            before = self._scalars[bisect.bisect_right(starts, position) - 1]
            if position < before.end:
                position = before.end
                continue
            line_start = text.rfind("\n", 0, position) + 1
            line_end = (text.find("\n", position) + 1 or len(text) + 1) - 1
            comment = text.find("#", max(line_start, before.end))
            if text[line_start:comment].strip():  # a line of its own may well be commented out
                hint = "remove it from the comment"
                if before.style is None and text[before.end : comment].isspace():
                    hint = yaml_faults.quotes_hint(text[line_start:line_end], "put the text in quotes")
                message = "a comment starts at this `#`, so its `${{ … }}` is never computed"
                self._complain(comment, line_end, "comment", message, hint)
            position = line_end
