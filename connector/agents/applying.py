"""Sends what a plan says, and keeps at once in the folder and its state what was done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector.agents import disk, folders, pulling, settings
from connector.agents import state as states
from connector.agents.account import Account
from connector.agents.comparing import compare
from connector.agents.fields import SETTINGS_FILE, RemoteAgent, digest
from connector.agents.folders import LocalAgent
from connector.agents.planning import Deletion, Plan, Update
from connector.agents.pulling import Outcome
from connector.agents.state import Pulled, State
from connector.errors import ActionError, FolderError


@dataclass(frozen=True, slots=True)
class Applying:
    """Does a plan, one agent after the other. What was done is in the folder and its state at once.

    `tell` is called with a word and what it is about: `("updated", "sales")`.
    """

    account: Account
    root: Path
    state: State
    tell: Callable[[str, str], None]

    async def run(self, plan: Plan) -> None:
        """Raises ConnectorError at the first that fails; the same plan made anew goes on."""
        for update in plan.updates:
            await self._update(update)
        for local in plan.creations:
            await self._create(local)
        for deletion in plan.deletions:
            await self._delete(deletion)

    async def _update(self, update: Update) -> None:
        local, remote = update.local, update.remote
        await self._require_unchanged(remote, local.folder)
        sent = {change.field: change.local for change in update.changes}
        await self.account.update(remote.id, sent)
        self._keep(remote.id, local, {name: digest(value) for name, value in sent.items()})
        self.tell("updated", local.folder)
        await self._take(remote.id, local.folder)

    async def _require_unchanged(self, remote: RemoteAgent, folder: str) -> None:
        """Raise FolderError where somebody changed the agent since it was shown."""
        now = await self.account.get(remote.id)
        if compare(remote.values, now.values, {}):
            raise FolderError(f"{folder} was changed at ChatForge just now, so it was not sent; run the command again")

    async def _create(self, local: LocalAgent) -> None:
        values = {name: value for name, value in local.values.items() if name != "active"}
        self.state.creating[local.folder] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        states.save(self.root, self.state)  # before the request: whatever happens then, it is not sent twice
        created = await self._send(local, values)
        self._write_id(local, created.id)
        del self.state.creating[local.folder]
        known = values | {name: value for name, value in created.values.items() if name == "active"}
        self._keep(created.id, local, {name: digest(value) for name, value in known.items()})
        self.tell("created", f"{local.folder} as {created.id}")
        if local.values.get("active") is False and created.values.get("active") is not False:
            await self.account.update(created.id, {"active": False})
        await self._take(created.id, local.folder)

    async def _send(self, local: LocalAgent, values: Mapping[str, Any]) -> RemoteAgent:
        try:
            return await self.account.create(values)
        except ActionError as error:
            if error.processed == "unknown":
                error.args = (f"{error}; the next apply says whether an agent of the name {values['name']!r} is there",)
                raise
            del self.state.creating[local.folder]
            states.save(self.root, self.state)
            raise

    def _write_id(self, local: LocalAgent, agent_id: str) -> None:
        path = self.root / local.folder / SETTINGS_FILE
        try:
            disk.write(path, settings.edit(local.text, {"id": agent_id}).encode())
        except FolderError as error:
            raise FolderError(f"the agent was created, but {error}; write `id: {agent_id}` into it") from error

    async def _delete(self, deletion: Deletion) -> None:
        await self._require_unchanged(deletion.remote, deletion.remote.name)
        await self.account.delete(deletion.remote.id)
        del self.state.agents[deletion.remote.id]
        states.save(self.root, self.state)
        self.tell("deleted", f"{deletion.remote.name} ({deletion.remote.id})")

    def _keep(self, agent_id: str, local: LocalAgent, digests: Mapping[str, str]) -> None:
        """What ChatForge has now is what is here."""
        pulled = self.state.digests(agent_id)
        name = str(local.values.get("name", ""))
        self.state.agents[agent_id] = Pulled(folder=local.folder, name=name, digests={**pulled, **digests})
        states.save(self.root, self.state)

    async def _take(self, agent_id: str, folder: str) -> None:
        """Write what ChatForge made of it, so that a pull would find nothing more."""
        outcome = Outcome(lambda path: self.tell("wrote", path))
        local, remote = folders.read_one(self.root, folder), await self.account.get(agent_id)
        pulling.take(self.root, self.state, local, remote, outcome)
        states.save(self.root, self.state)
