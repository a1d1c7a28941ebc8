"""Takes over into the folder what ChatForge has, and leaves what was edited there."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connector.agents import disk, settings
from connector.agents import state as states
from connector.agents.comparing import Change, compare
from connector.agents.fields import FIELDS, FILES, OTHERS_FILE, SETTINGS, SETTINGS_FILE, RemoteAgent, digest
from connector.agents.folders import LocalAgent
from connector.agents.slugs import make_slug
from connector.agents.state import Pulled, State
from connector.errors import FolderError


@dataclass(slots=True)
class Outcome:
    """Files that were written, edits that were left, by folder, and folders whose agent is no longer there.

    `agents` is how many the account has.
    """

    written: list[str] = field(default_factory=list)
    left: list[tuple[str, Change]] = field(default_factory=list)
    gone: list[LocalAgent] = field(default_factory=list)
    agents: int = 0

    @property
    def conflicts(self) -> list[tuple[str, Change]]:
        return [(folder, change) for folder, change in self.left if change.kind == "conflict"]


def pull(
    root: Path, state: State, here: Collection[LocalAgent], remotes: Collection[RemoteAgent], *, force: bool = False
) -> Outcome:
    """Write all agents. `force`: also over edits. Raises FolderError; what was written until then is in the state."""
    _require_same_account(root, state, remotes, force=force)
    outcome = Outcome(agents=len(remotes))
    by_id = {one.id: one for one in here if one.id is not None}
    known = {one.id for one in remotes}
    state.agents = {key: one for key, one in state.agents.items() if key in known or key in by_id}
    disk.make_folder(root)
    try:
        for remote in sorted(remotes, key=lambda one: (str(one.others.get("created_at")), one.id)):
            take(root, state, by_id.get(remote.id), remote, outcome, force=force)
    finally:
        states.save(root, state)
    outcome.gone = [one for one in here if one.id is not None and one.id not in known]
    return outcome


def _require_same_account(root: Path, state: State, remotes: Collection[RemoteAgent], *, force: bool) -> None:
    known = {one.id for one in remotes}
    if state.agents and known and not known & state.agents.keys() and not force:
        raise FolderError(
            f"none of the {len(state.agents)} agents in {disk.quoted(root)} is in this account, so it may be another "
            "one; pull into another folder, or give --force to add the agents of this account"
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
    outcome.written += [f"{folder}/{name}" for name in written]
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
