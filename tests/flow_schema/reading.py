"""Reads flows as the checker does."""

from typing import Any

from connector.flows import document
from connector.flows.document import Mapping, Node, Sequence
from connector.flows.problems import Report


def read(text: str) -> Any:
    """The flow as plain JSON."""
    report = Report("flow.yaml")
    root = document.parse(document.decode(text, report), report)
    assert root is not None, report.problems()
    return _plain(root)


def _plain(node: Node) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(entry.value) for key, entry in node.entries.items()}
    return [_plain(item) for item in node.items] if isinstance(node, Sequence) else node.value
