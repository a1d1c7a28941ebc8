"""Takes over into the folder what ChatForge has, and leaves what was edited there."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connector.agents import disk, folders, settings
from connector.agents import state as states
from connector.agents.account import Account
from connector.agents.comparing import Change, compare
from connector.agents.fields import FIELDS, FILES, OTHERS_FILE, SETTINGS, SETTINGS_FILE, RemoteAgent, digest
from connector.agents.folders import LocalAgent
from connector.agents.slugs import make_slug
from connector.agents.state import Pulled, State
from connector.errors import FolderError


@dataclass(slots=True)
class Outcome:
    """Edits that were left, by folder, and folders whose agent is no longer there, of how many agents and files.

    `tell` is called with each file that was written.
    """

    tell: Callable[[str], None]
    agents: int = 0
    written: int = 0
    left: list[tuple[str, Change]] = field(default_factory=list)
    gone: list[LocalAgent] = field(default_factory=list)

    @property
    def conflicts(self) -> list[tuple[str, Change]]:
        return [(folder, change) for folder, change in self.left if change.kind == "conflict"]


async def pull(account: Account, root: Path, state: State, tell: Callable[[str], None], *, force: bool) -> Outcome:
    """Write all agents, one after the other. `force`: also over edits.

    Raises ConnectorError; what was written until then stays, and is in the state.
    """
    here = folders.read_all(root)
    listed = await account.list()
    by_id = {one.id: one for one in here if one.id is not None}
    _require_same_account(root, state, listed, force=force)
    state.agents = {key: one for key, one in state.agents.items() if key in listed or key in by_id}
    outcome = Outcome(tell, agents=len(listed), gone=[one for key, one in by_id.items() if key not in listed])
    disk.make_folder(root)
    try:
        for agent_id in sorted(listed, key=lambda one: (str(listed[one].others.get("created_at")), one)):
            take(root, state, by_id.get(agent_id), await account.get(agent_id), outcome, force=force)
    finally:
        states.save(root, state)
    return outcome


def _require_same_account(root: Path, state: State, listed: Collection[str], *, force: bool) -> None:
    if state.agents and listed and not state.agents.keys() & set(listed) and not force:
        raise FolderError(
            f"none of the agents in {disk.quoted(root)} is in this account, so it may be another one; pull into "
            "another folder, or give --force to add the agents of this account"
        )


def take(
    root: Path, state: State, local: LocalAgent | None, remote: RemoteAgent, outcome: Outcome, *, force: bool = False
) -> None:
    """Write one agent, and keep in the state what of it stands here now."""
    pulled = state.digests(remote.id)
    changes = {one.field: one for one in compare(local.values if local else {}, remote.values, pulled)}
    left = {name: one for name, one in changes.items() if one.remote is None or (one.kind != "changed" and not force)}
    folder = local.folder if local else _new_folder(root, remote.name)
    written = _write(root / folder, local, remote, changes.keys() - left.keys())
    for name in written:
        outcome.tell(f"{folder}/{name}")
    outcome.written += len(written)
    outcome.left += [(folder, one) for one in left.values()]
    digests = {name: digest(remote.values[name]) for name in FIELDS if name in remote.values and name not in left}
    state.agents[remote.id] = Pulled(
        folder=folder, name=remote.name, digests={name: pulled[name] for name in FIELDS if name in pulled} | digests
    )


def _new_folder(root: Path, name: str) -> str:
    folder = make_slug(name, [path.name for path in root.iterdir()])
    disk.make_folder(root / folder)
    return folder


def _write(folder: Path, local: LocalAgent | None, remote: RemoteAgent, fields: Collection[str]) -> list[str]:
    """The files that were written, for `fields` that are to be as at ChatForge."""
    contents: dict[str, bytes] = {}
    changes = {name: remote.values[name] for name in SETTINGS if name in fields}
    if changes or not local:
        edited = settings.edit(local.text if local else "", changes if local else {"id": remote.id, **changes})
        contents[SETTINGS_FILE] = edited.encode()
    contents |= {file: disk.encode(remote.values[name]) for name, file in FILES.items() if name in fields}
    if remote.others:
        contents[OTHERS_FILE] = _as_json(remote.others)
    return [name for name, content in contents.items() if disk.write(folder / name, content)]


def _as_json(others: Mapping[str, object]) -> bytes:
    return (json.dumps(others, indent=2) + "\n").encode()
