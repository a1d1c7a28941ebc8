"""What was pulled, kept beside the folders: without it nobody could tell an edit here from one at ChatForge."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector.agents import disk
from connector.agents.fields import SETTINGS_FILE
from connector.errors import FolderError
from connector.validation import sentence

STATE_FILE = ".chatforge-agents.json"
_ABOUT = "What chatforge agents pull and apply saw at ChatForge, as digests. Keep it beside the folders, in git too."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Pulled(_Part):
    """An agent as it was last seen at ChatForge and taken over here; a digest by field."""

    folder: str
    name: str
    digests: dict[str, str]


class State(_Part):
    """`agents` by id. `creating`: folders whose agent was about to be created, with the time, until its id is known."""

    about: str = _ABOUT
    version: Literal[1] = 1
    connection: str
    agents: dict[str, Pulled] = Field(default_factory=dict)
    creating: dict[str, str] = Field(default_factory=dict)

    def digests(self, agent_id: str | None) -> dict[str, str]:
        pulled = self.agents.get(agent_id or "")
        return pulled.digests if pulled else {}


def load(root: Path, connection: str | None, default: str) -> State:
    """The state of a folder, for the connection that it was pulled from. Raises FolderError where another is asked for.

    Without a `connection` it is the one of the folder, or the `default`.
    """
    path = root / STATE_FILE
    content = disk.read(path)
    if content is None:
        return State(connection=connection or default)
    try:
        state = State.model_validate(json.loads(content))
    except (ValueError, RecursionError) as error:
        reason = sentence(error) if isinstance(error, ValidationError) else "it is not JSON"
        step = "restore it from git, or remove it and pull again"
        raise FolderError(f"{disk.quoted(path)} cannot be read: {reason}; {step}") from error
    if connection is not None and connection != state.connection:
        raise FolderError(
            f"the agents in {disk.quoted(root)} are of the connection {state.connection!r}, not {connection!r}; "
            f"give --connection {state.connection}, or another folder"
        )
    return state


def save(root: Path, state: State) -> None:
    """Raises FolderError."""
    kept = {**state.model_dump(), "agents": {key: one.model_dump() for key, one in sorted(state.agents.items())}}
    disk.write(root / STATE_FILE, (json.dumps(kept, indent=2) + "\n").encode())


def is_gone(root: Path, agent_id: str, pulled: Pulled, holders: dict[str, str | None]) -> bool:
    """Whether the folder of an agent that was pulled is no longer there. `holders`: the id in each folder that is."""
    if agent_id in holders.values():
        return False
    if pulled.folder in holders:
        return holders[pulled.folder] is not None  # another agent's, which was moved there
    return not _is_there(root / pulled.folder)


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink() or (path / SETTINGS_FILE).is_symlink()
