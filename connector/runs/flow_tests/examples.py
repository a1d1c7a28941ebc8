"""Puts examples in place of what tells about a person, in the content of a test file.

What is personal is what the schemas of triggers and actions mark, see `connector.marks`, and of a flow's inputs those
that are called e-mail, name or phone. A value has the same example wherever it stands, also within a longer text. What
the flow itself names, such as a word that it compares with, stays, and so do times.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from connector import profiles
from connector.adapter import Adapter
from connector.examples import example_of
from connector.flows.flow import Call, Flow, WaitFor
from connector.flows.formats import is_time
from connector.flows.paths import find_step

_NAMES = ("email", "mail", "name", "phone")
"""The last words of an input's name."""
_SHORTEST = 3
"""Characters of what is looked for within longer texts."""

Found = Iterator[tuple[str, str]]
"""Texts, each with the name of its field."""


def put_examples(adapter: Adapter, flow: Flow, content: Any) -> Any:
    """The content with examples; `content` is that of `make_test`. Raises UnknownOperationError."""
    [case] = content["tests"]
    named = "\n".join({flow.source, *(owner.source for owner, _ in flow.all_steps())})
    examples: dict[str, str] = {}
    numbers: Counter[str] = Counter()
    for text, field in _personal(adapter, flow, case):
        if text.strip() and text not in examples and not is_time(text) and not _within(text).search(named):
            examples[text] = _example(field, numbers)
    for text, example in [*examples.items()]:
        examples.setdefault(text.lower(), example.lower())
        examples.setdefault(text.upper(), example.upper())
    found: dict[str, Any] = _Replacing(examples).replace(content)
    return found


def _personal(adapter: Adapter, flow: Flow, case: Mapping[str, Any]) -> Found:
    if flow.trigger is not None:
        yield from _marked(adapter, flow.trigger.uses, case.get("trigger"))
    for name, value in case.get("inputs", {}).items():
        if name.rpartition("_")[2] in _NAMES:
            yield from _texts(value, name)
    for path, value in case.get("pins", {}).items():
        step = find_step(flow, path)
        does = step.does if step else None
        if isinstance(does, WaitFor) or (isinstance(does, Call) and not does.flow):
            is_list = isinstance(does, Call) and does.each and not path.endswith("]")
            for one in value if is_list else [value]:
                yield from _marked(adapter, does.uses, one)


def _marked(adapter: Adapter, operation: str, value: Any) -> Found:
    """The texts of an output that its schema marks."""
    yield from _lost(value, profiles.keep(value, adapter.schemas(operation, personal=False).output), "value")


def _lost(value: Any, kept: Any, field: str) -> Found:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _lost(one, kept[name], name) if name in kept else _texts(one, name)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _lost(one, kept[number], field) if number < len(kept) else _texts(one, field)


def _texts(value: Any, field: str) -> Found:
    if isinstance(value, str):
        yield value, field
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _texts(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, field)


def _example(field: str, numbers: Counter[str]) -> str:
    """`john@example.com`, then `john2@example.com`; for a field of another kind its name."""
    first = str(example_of({"type": "string"}, field))
    numbers[first] += 1
    return _numbered(first, numbers[first])


def _numbered(text: str, number: int) -> str:
    if number == 1:
        return text
    return text.replace("@", f"{number}@") if "@" in text else f"{text} {number}"


def _within(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")


class _Replacing:
    def __init__(self, examples: Mapping[str, str]) -> None:
        self._examples = examples
        longest = sorted((text for text in examples if len(text) >= _SHORTEST), key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)") if longest else None

    def replace(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.replace(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.replace(one) for one in value]
        if not isinstance(value, str):
            return value
        if value in self._examples:
            return self._examples[value]
        return self._pattern.sub(lambda found: self._examples[found[0]], value) if self._pattern else value
