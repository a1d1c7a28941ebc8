"""What an apply would send, and why it may not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connector.agents import state as states
from connector.agents.comparing import Change, compare
from connector.agents.fields import SETTINGS_FILE, RemoteAgent, digest, place_of
from connector.agents.folders import LocalAgent
from connector.agents.state import Pulled, State
from connector.flows.problems import quoted


@dataclass(frozen=True, slots=True)
class Update:
    """An agent of which `changes` are sent."""

    local: LocalAgent
    remote: RemoteAgent
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Deletion:
    """An agent whose folder was pulled and is gone."""

    remote: RemoteAgent
    folder: str


@dataclass(slots=True)
class Plan:
    """Nothing may be sent where there are `refusals`. `notes` are for the person who looks at it."""

    updates: list[Update] = field(default_factory=list)
    creations: list[LocalAgent] = field(default_factory=list)
    deletions: list[Deletion] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.updates or self.creations or self.deletions)


@dataclass(frozen=True, slots=True)
class Planner:
    """`listed` are all agents of the account, as the list shows them; `remotes` those that matter here, whole.

    `delete`: agents whose folder is gone are deleted. `force`: also what was changed at ChatForge since the pull is
    sent, and what an earlier apply may have created is created.
    """

    root: Path
    state: State
    here: Collection[LocalAgent]
    listed: Mapping[str, RemoteAgent]
    delete: bool = False
    force: bool = False

    def wanted(self) -> list[str]:
        """The ids of the agents that have to be seen whole."""
        ids = [one.id for one in self.here if one.id in self.listed]
        return [one for one in [*ids, *(self._gone() if self.delete else ())] if one is not None]

    def plan(self, remotes: Mapping[str, RemoteAgent]) -> Plan:
        plan = Plan()
        for local in self.here:
            if local.id is None:
                self._create(local, plan)
            elif local.id not in self.listed:
                plan.refusals.append(self._unknown(local))
            else:
                self._update(local, remotes[local.id], plan)
        for agent_id, pulled in self._gone().items():
            self._delete(pulled, remotes.get(agent_id) or self.listed[agent_id], plan)
        return plan

    def _gone(self) -> dict[str, Pulled]:
        holders = {one.folder: one.id for one in self.here}
        return {
            agent_id: pulled
            for agent_id, pulled in self.state.agents.items()
            if agent_id in self.listed and states.is_gone(self.root, agent_id, pulled, holders)
        }

    def _update(self, local: LocalAgent, remote: RemoteAgent, plan: Plan) -> None:
        send = []
        pulled = self.state.digests(local.id)
        for change in compare(local.values, remote.values, pulled):
            place = place_of(change.field, local.folder)
            if change.kind == "changed":
                if change.local is not None:
                    plan.notes.append(f"{place} was changed at ChatForge; chatforge agents pull takes it over")
                elif change.field in pulled:
                    plan.notes.append(f"{place} is no longer here; it stays as it is at ChatForge")
            elif change.field == "name" and not change.local.strip():
                plan.refusals.append(f"{place} is blank; write a name, or remove the key to leave it as it is")
            elif change.kind == "edited" or self.force:
                send.append(change)
            else:
                plan.refusals.append(
                    f"{place} was changed here and at ChatForge; take theirs with chatforge agents pull --force, "
                    "or send yours with --force"
                )
        if send:
            plan.updates.append(Update(local, remote, tuple(send)))

    def _create(self, local: LocalAgent, plan: Plan) -> None:
        """Refused where the agent may be there already: the same would be there twice."""
        place = self.root / local.folder / SETTINGS_FILE
        held = {one.id for one in self.here}
        spared = self.listed.keys() - held - (self._gone().keys() if self.delete else set())
        same = sorted(one for one in spared if self.listed[one].name == local.values["name"])
        lost = next((key for key, one in self.state.agents.items() if one.folder == local.folder), None)
        if lost in self.listed and lost not in held:
            plan.refusals.append(
                f"{place} has no id, and was pulled with one; write `id: {quoted(lost)}` into it, or rename its folder "
                "where it is to be a new agent"
            )
        elif not self.force and (same or local.folder in self.state.creating):
            plan.refusals.append(self._doubt(place, self.state.creating.get(local.folder), same))
        else:
            plan.creations.append(local)

    def _doubt(self, place: Path, since: str | None, same: Collection[str]) -> str:
        doubt = f"whether this agent was created at {since} is not known, and " if since else ""
        if same:
            found = " or ".join(f"`id: {quoted(one)}`" for one in same)
            held = f"there is an agent of its name that no folder holds: write {found} into it"
            return f"{place}: {doubt}{held}, or give --force to create another"
        return f"{place}: {doubt}none of its name is there now; to create it give --force"

    def _unknown(self, local: LocalAgent) -> str:
        place = f"{self.root / local.folder / SETTINGS_FILE}:{local.line}"
        return (
            f"{place}: there is no agent {quoted(local.id)} in this account; remove the folder, or the line with the "
            "id to create the agent anew"
        )

    def _delete(self, pulled: Pulled, remote: RemoteAgent, plan: Plan) -> None:
        if not self.delete:
            plan.notes.append(
                f"the folder of {quoted(remote.name)}, {pulled.folder}, is gone; --delete deletes the agent too"
            )
            return
        changed = [one.field for one in compare({}, remote.values, {}) if _differs(one, pulled)]
        if changed and not self.force:
            plan.refusals.append(
                f"{', '.join(changed)} of {quoted(remote.name)}, whose folder {pulled.folder} is gone, was changed at "
                "ChatForge; look at it with chatforge agents pull, or delete it with --force"
            )
        plan.deletions.append(Deletion(remote, pulled.folder))


def _differs(change: Change, pulled: Pulled) -> bool:
    return digest(change.remote) != pulled.digests.get(change.field)
