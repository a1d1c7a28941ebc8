"""Reads the keys of a mapping: which are known, which are missing, and what each must be."""

import re
from collections.abc import Collection

from connector.flows import durations
from connector.flows.document import Mapping, Node, Scalar, Source
from connector.flows.problems import Report, did_you_mean

NOT_YET = frozenset(
    "inputs config concurrency vars wait wait_for approve switch stop for_each max_parallel on_ambiguous "
    "idempotency_key".split()
)
_ELSEWHERE = {"on": "trigger", "name": "flow", "jobs": "steps", "action": "uses", "type": "uses", "when": "if"}


class Keys:
    """The mappings of one file; what is wrong goes into the report."""

    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report

    def complain(self, node: Node, rule: str, message: str, hint: str | None = None) -> None:
        self._report.add(self._source.of(node), rule, message, hint)

    def mapping(self, node: Node | None, what: str, known: Collection[str]) -> Mapping | None:
        """`node` as a mapping with known keys only; None where it is none."""
        if node is None:
            return None
        if not isinstance(node, Mapping):
            self.complain(node, "type", f"{what} is a mapping", f"expected the keys {', '.join(known)}")
            return None
        for key, entry in node.entries.items():
            if key in known:
                continue
            if key in NOT_YET:
                self.complain(entry.key, "not-yet", f"this version does not run {key!r} yet", "remove the key")
                continue
            elsewhere = _ELSEWHERE.get(key)
            hint = f"write {elsewhere}" if elsewhere in known else did_you_mean(key, known)
            self.complain(entry.key, "unknown-key", f"{what} has no key {key!r}", hint)
        return node

    def text(self, node: Node | None, what: str) -> str | None:
        """`node` as a text, or None."""
        if node is None:
            return None
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        self.complain(node, "type", f"{what} is a text", "put it in quotes" if isinstance(node, Scalar) else None)
        return None

    def word(self, node: Node | None, what: str, pattern: str, example: str) -> str | None:
        """`node` as a text that matches `pattern`, or None."""
        text = self.text(node, what)
        if text is None or node is None or re.fullmatch(pattern, text):
            return text
        self.complain(node, "name", f"{what} {text!r} is not a name", f"expected a word such as {example}")
        return None

    def boolean(self, node: Node | None, what: str, *, default: bool) -> bool:
        if node is None:
            return default
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        self.complain(node, "type", f"{what} is true or false")
        return default

    def integer(self, node: Node | None, what: str, default: int, most: int) -> int:
        if node is None:
            return default
        value = node.value if isinstance(node, Scalar) else None
        if type(value) is int and 1 <= value <= most:
            return value
        self.complain(node, "type", f"{what} is a whole number from 1 to {most}")
        return default

    def duration(self, node: Node | None, what: str, default: float) -> float:
        """Seconds."""
        if node is None:
            return default
        seconds = durations.seconds(node.text) if isinstance(node, Scalar) else None
        if seconds is None:
            shown = f" {node.text!r}" if isinstance(node, Scalar) else ""
            self.complain(node, "duration", f"{what}{shown} is not a duration", durations.EXPECTED)
            return default
        return seconds
