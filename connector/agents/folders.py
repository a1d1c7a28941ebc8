"""Reads the folders of all agents: those in DIR that hold an agent.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.agents import disk, settings
from connector.agents.fields import FILES, SETTINGS_FILE
from connector.errors import FlowError, FolderError
from connector.flows.document import MAX_BYTES
from connector.flows.problems import Problem


@dataclass(frozen=True, slots=True)
class LocalAgent:
    """An agent's folder. Without an id it is to be created; a field that is not given is left as it is."""

    folder: str
    id: str | None
    values: Mapping[str, Any]
    text: str
    """Of agent.yaml."""
    line: int
    """Of agent.yaml, where its id stands."""


def read_all(root: Path) -> list[LocalAgent]:
    """The agents in the order of their folders; none where there is no `root`.

    Raises FolderError, and FlowError with all problems of all agent.yaml.
    """
    agents: list[LocalAgent] = []
    problems: list[Problem] = []
    sources: dict[str, str] = {}
    for folder in _list(root):
        agent, found = _read(root, folder)
        sources[str(root / folder / SETTINGS_FILE)] = agent.text
        problems += found
        same = next((one for one in agents if agent.id is not None and one.id == agent.id), None)
        if same:
            problems.append(_twice(root, agent, same))
        agents.append(agent)
    if problems:
        raise FlowError("the folder has problems", problems, sources)
    return agents


def read_one(root: Path, folder: str) -> LocalAgent:
    """The agent of a folder that was read before. Raises as `read_all`."""
    agent, problems = _read(root, folder)
    if problems:
        raise FlowError("the folder has problems", problems, {problems[0].path: agent.text})
    return agent


def _list(root: Path) -> list[str]:
    try:
        found = sorted(root.iterdir(), key=lambda path: path.name)
        held = [path for path in found if not path.name.startswith(".") and _holds_agent(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        where = disk.quoted(Path(error.filename or root))
        raise FolderError(f"the folder {where} cannot be read: {error.strerror}") from error
    for path in held:
        if path.is_symlink():
            raise FolderError(f"{disk.quoted(path)} is a link, and links are not followed here; put the folder there")
    return [path.name for path in held]


def _holds_agent(path: Path) -> bool:
    try:
        (path / SETTINGS_FILE).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _read(root: Path, folder: str) -> tuple[LocalAgent, tuple[Problem, ...]]:
    path = root / folder / SETTINGS_FILE
    content = disk.read(path, MAX_BYTES)
    if content is None:
        raise FolderError(f"{disk.quoted(path)} is gone; run the command again")
    found = settings.read(content, str(path))
    texts = {name: disk.read_text(root / folder / file) for name, file in FILES.items()}
    values = dict(found.values) | {name: text for name, text in texts.items() if text is not None}
    return LocalAgent(folder, found.id, values, found.text, found.line), found.problems


def _twice(root: Path, agent: LocalAgent, first: LocalAgent) -> Problem:
    message = f"the id {agent.id!r} stands in {first.folder}/{SETTINGS_FILE} already"
    hint = "remove the line where this is to be a new agent"
    return Problem(str(root / agent.folder / SETTINGS_FILE), agent.line, 1, 3, "duplicate-key", message, hint)
