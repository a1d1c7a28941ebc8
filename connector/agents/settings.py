"""Reads agent.yaml, and edits it so that comments and the order of its keys stay."""

from collections.abc import Mapping as Dict
from dataclasses import dataclass
from typing import Any

from connector.agents.fields import FILES, SETTINGS
from connector.errors import FolderError
from connector.flows import document
from connector.flows.document import Entry, Mapping, Node, Scalar, Source
from connector.flows.keys import Keys
from connector.flows.problems import Problem, Report, TooManyProblems, quoted
from connector.flows.yaml_text import write_yaml

_KEYS = ("id", *SETTINGS)
_EXPECTED = {str: "a text; put it in quotes", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What agent.yaml says; `problems` are what is wrong with it. `text` is its own, with line feeds."""

    id: str | None
    values: Dict[str, Any]
    text: str
    line: int
    """Of the id, or the first one."""
    problems: tuple[Problem, ...]


def read(content: bytes | str, path: str) -> Settings:
    """Read agent.yaml; a key without a value is as not given."""
    report = Report(path)
    source = document.decode(content, report)
    values: dict[str, Any] = {}
    entries: Dict[str, Entry] = {}
    try:
        if not report.problems() and (root := document.parse(source, report, "an agent", "name: NAME")):
            entries = root.entries
            values = _read(root, source, report)
    except TooManyProblems:
        report.add_last()
    line = source.of(entries["id"].key).line if "id" in entries else 1
    return Settings(values.pop("id", None), values, source.text, line, tuple(report.problems()))


def _read(root: Mapping, source: Source, report: Report) -> dict[str, Any]:
    keys = Keys(source, report)
    for name, file in FILES.items():
        if (entry := root.entries.get(name)) is not None:
            keys.complain(entry.key, "unknown-key", f"agent.yaml has no key {name!r}", f"write the text into {file}")
    keys.mapping(root, "an agent", (*_KEYS, *(name for name in FILES if name in root.entries)))
    found = {name: _value(name, root.get(name), keys) for name in _KEYS}
    if _is_empty(root.get("id")):
        _require_name(root, found["name"], keys)
    return {name: value for name, value in found.items() if value is not None}


def _is_empty(node: Node | None) -> bool:
    return node is None or (isinstance(node, Scalar) and node.value is None)


def _value(name: str, node: Node | None, keys: Keys) -> Any:
    if node is None or _is_empty(node):
        return None
    kind = SETTINGS.get(name, str)
    value = node.value if isinstance(node, Scalar) else None
    if not isinstance(node, Scalar) or not isinstance(value, kind):
        keys.complain(node, "type", f"{name} is {_EXPECTED[kind]}")
        return None
    if name == "id" and not str(value).strip():
        hint = "write the id that ChatForge gave, or remove the key for a new agent"
        keys.complain(node, "type", "id is blank", hint)
    return value


def _require_name(root: Mapping, name: str | None, keys: Keys) -> None:
    """An agent that is there may have any name, a new one needs one."""
    node = root.get("name")
    if node is None:
        keys.require(root, "name", "a new agent", _KEYS, "NAME")
    elif name is None or not name.strip():
        keys.complain(node, "type", "a new agent needs a name that is not blank", "write one")


def edit(text: str, changes: Dict[str, Any]) -> str:
    """agent.yaml with other values, an empty `text` as a new file. Raises FolderError where YAML cannot hold them."""
    before = read(text, "")
    known = {"id": before.id} if before.id is not None else {}
    wanted = {**known, **before.values, **changes}
    for edited in (_splice(text, changes) if text else "", write_yaml(wanted)):
        after = read(edited, "")
        if not after.problems and {"id": after.id, **after.values} == {"id": None, **wanted}:
            return edited
    raise FolderError(
        f"agent.yaml cannot hold {quoted(changes)}: it is too large; change it in the ChatForge dashboard"
    )


def _splice(text: str, changes: Dict[str, Any]) -> str:
    """Only the changed values are replaced; an id comes first, other new keys last."""
    source = Source(text)
    root = document.parse(source, Report(""))
    if root is None:
        return ""
    places = {name: root.get(name) for name in changes}
    replaced = sorted(((node, name) for name, node in places.items() if node), key=lambda one: -one[0].start)
    for node, name in replaced:
        text = text[: node.start] + _fit(write_yaml(changes[name]).rstrip("\n"), text, node) + text[node.end :]
    added = {name: value for name, value in changes.items() if not places[name]}
    if "id" in added:
        text = text[: root.start] + write_yaml({"id": added.pop("id")}) + text[root.start :]
    if added:
        text += ("" if text.endswith("\n") else "\n") + write_yaml(added)
    return text


def _fit(value: str, text: str, node: Node) -> str:
    """The value as it stands between what is left and right of the old one."""
    before = "" if text[: node.start].endswith((" ", "\t")) else " "
    after = "\n" if text[node.start : node.end].endswith("\n") else ""
    return f"{before}{value}{after}"
