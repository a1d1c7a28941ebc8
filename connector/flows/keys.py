"""Reads the keys of a mapping: which are known, which are missing, and what each must be."""

import re
from collections.abc import Collection
from collections.abc import Sequence as Items
from typing import Any, TypeVar

from connector.flows import durations
from connector.flows.document import Mapping, Node, Scalar, Sequence, Source
from connector.flows.problems import Place, Report, Rule, closest, did_you_mean, one_of, quoted

LONGEST_NAME = 63
FLOW_NAME = r"[a-z][a-z0-9-]{0,62}"
WORD = r"[a-z][a-z0-9_]{0,62}"
"""What a flow names itself: a step, a variable, an input."""

Word = TypeVar("Word", bound=str)

_ELSEWHERE = {
    "on": "trigger",
    "name": "flow",
    "jobs": "steps",
    "actions": "steps",
    "action": "uses",
    "type": "uses",
    "run": "uses",
    "when": "if match",
    "if": "match",
    "filter": "match",
    "else": "default",
    "otherwise": "default",
    "value": "on",
    "fields": "form",
    "question": "title",
    "message": "title",
    "condition": "if",
    "inputs": "with",
    "input": "with",
    "params": "with",
    "args": "with",
    "account": "connection",
    "window": "for",
    "attempts": "max_attempts",
    "max": "max_attempts limit max_parallel",
    "parallel": "max_parallel",
    "concurrency": "max_parallel",
    "output": "outputs",
}


def _meant(key: str, known: Collection[str]) -> str | None:
    """The known key that people write as `key`."""
    if key in known:
        return None
    elsewhere = [word for word in _ELSEWHERE.get(key.lower(), "").split() if word in known]
    return elsewhere[0] if elsewhere else closest(key, known)


_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false", "1": "true", "0": "false"}


class Keys:
    """The mappings of one file; what is wrong goes into the report."""

    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report

    def complain(self, node: Node, rule: Rule, message: str, hint: str | None = None) -> None:
        self._report.add(self._source.of(node), rule, message, hint)

    def complain_within(
        self, node: Scalar, start: int, end: int, rule: Rule, message: str, hint: str | None = None
    ) -> None:
        """Of a part of the scalar's text."""
        self._report.add(self._source.within(node, start, end), rule, message, hint)

    def place(self, node: Node) -> Place:
        return self._source.of(node)

    def mapping(self, node: Node | None, what: str, known: Collection[str] | None, example: str = "") -> Mapping | None:
        """`node` as a mapping with known keys only, any where `known` is None; None where it is no mapping."""
        if node is None:
            return None
        if not isinstance(node, Mapping):
            hint = example or f"expected the keys {', '.join(known or ())}"
            self.complain(node, "type", f"{what} is made of `key: value` lines", hint)
            return None
        for key, entry in node.entries.items():
            if known is not None and key not in known:
                self._unknown(entry.key, what, known)
        return node

    def _unknown(self, key: Scalar, what: str, known: Collection[str]) -> None:
        meant = _meant(key.text, known)
        hint = f"write {meant}:" if meant else did_you_mean(key.text, known)
        self.complain(key, "unknown-key", f"{what} has no key {quoted(key.text)}", hint)

    def is_misspelt(self, mapping: Mapping, key: str) -> bool:
        """Whether another key of the mapping was probably meant to be this one."""
        return key not in mapping.entries and key in (_meant(word, (key,)) for word in mapping.entries)

    def require(self, mapping: Mapping, key: str, what: str, known: Collection[str], example: str) -> Node | None:
        """The value of `key`. Where it is missing for another reason than its spelling, complain."""
        if (node := mapping.get(key)) is None and key not in (_meant(word, known) for word in mapping.entries):
            first = next((entry.key for entry in mapping.entries.values()), mapping)
            self.complain(first, "missing-key", f"{what} needs the key {key!r}", f"add `{key}: {example}`")
        return node

    def text(self, node: Node | None, what: str) -> str | None:
        """`node` as a text without expressions, or None."""
        if node is None:
            return None
        if isinstance(node, Scalar) and node.value is None:
            self.complain(node, "type", f"{what} has no value", "write one, or remove the key")
        elif not isinstance(node, Scalar) or not isinstance(node.value, str):
            self.complain(node, "type", f"{what} is a text", "put it in quotes" if isinstance(node, Scalar) else None)
        elif "${{" in node.value:
            self.complain(node, "expression", f"{what} is no place for an expression", "write it out")
        else:
            return node.value
        return None

    def word(self, node: Node | None, what: str, pattern: str, expected: str) -> str | None:
        """`node` as a text that matches `pattern`, or None."""
        text = self.text(node, what)
        if text is None or node is None or re.fullmatch(pattern, text):
            return text
        expected += f", and at most {LONGEST_NAME} characters" if len(text) > LONGEST_NAME else ""
        self.complain(node, "name", f"{what} cannot be {quoted(text)}", expected)
        return None

    def boolean(self, node: Node | None, what: str, *, default: bool) -> bool:
        if node is None:
            return default
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        word = _BOOLEANS.get(node.text.lower(), node.text.lower()) if isinstance(node, Scalar) else ""
        hint = f"write {word if word in ('true', 'false') else 'true or false'} without quotes"
        self.complain(node, "type", f"{what} is true or false", hint)
        return default

    def choice(self, node: Node | None, what: str, words: Items[Word], default: Word) -> Word:
        """One of `words`."""
        if node is None:
            return default
        for word in words:
            if isinstance(node, Scalar) and node.text == word:
                return word
        shown = quoted(node.text) if isinstance(node, Scalar) else "this"
        meant = closest(node.text, words) if isinstance(node, Scalar) else None
        hint = f"did you mean {meant!r}?" if meant else None
        self.complain(node, "type", f"{what} is {one_of(words)}, not {shown}", hint)
        return default

    def constant(self, node: Node) -> Any:
        """The value at `node`, without expressions."""
        if isinstance(node, Mapping):
            return {key: self.constant(entry.value) for key, entry in node.entries.items()}
        if isinstance(node, Sequence):
            return [self.constant(item) for item in node.items]
        if isinstance(node.value, str) and "${{" in node.value:
            self.complain(node, "expression", "this is no place for an expression", "write a constant")
        return node.value

    def integer(self, node: Node | None, what: str, default: int, most: int) -> int:
        if node is None:
            return default
        value = node.value if isinstance(node, Scalar) else None
        if type(value) is int and 1 <= value <= most:
            return value
        self.complain(node, "type", f"{what} is a whole number from 1 to {most}", "write one without quotes")
        return default

    def duration(self, node: Node | None, what: str, default: float) -> float:
        """Seconds, more than none."""
        if node is None:
            return default
        if not isinstance(node, Scalar) or node.value is None:
            self.complain(node, "duration", f"{what} needs a duration", durations.EXAMPLES)
            return default
        text = node.text
        if seconds := durations.seconds(text):
            return seconds
        message = f"{what} must be longer than {text}" if seconds == 0 else f"{quoted(text)} is not a duration"
        hint = f"write {text}s for seconds" if text.isdecimal() else durations.EXPECTED
        if (meant := durations.meant(text)) is not None and meant != text:
            hint = f"write {meant}"
        self.complain(node, "duration", message, hint)
        return default

    def items(self, node: Node, what: str, example: str) -> tuple[Node, ...]:
        """The items of a list that is not empty."""
        if isinstance(node, Sequence) and node.items:
            return node.items
        self.complain(node, "type", f"{what} is a list of steps", example)
        return ()
