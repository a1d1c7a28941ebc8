"""Agents, leads and runs as resources: JSON, read when a client asks."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import mcp_types as types

from connector import engines
from connector.adapter import Adapter
from connector.engines import Address
from connector.errors import InputError
from connector.hosts.mcp.tools import run_action, write_json
from connector.runs import records
from connector.runs.records import Damaged
from connector.runs.search import RunFilter, find_runs
from connector.runs.waits import read_view

_JSON = "application/json"
_MOST_RUNS = 50
_RESOURCES = {
    "chatforge://agents": ("agents", "The agents of the account."),
    "chatforge://runs": ("runs", f"The newest {_MOST_RUNS} runs of flows, newest first."),
}
_TEMPLATES = {
    "chatforge://agents/{agent_id}": ("agent", "An agent, with its prompt and its knowledge base."),
    "chatforge://agents/{agent_id}/leads": ("leads", "The first page of an agent's leads."),
    "chatforge://runs/{run_id}": ("run", "A run with its steps."),
}


def listed() -> list[types.Resource]:
    return [
        types.Resource(uri=uri, name=name, description=text, mime_type=_JSON)
        for uri, (name, text) in _RESOURCES.items()
    ]


def templates() -> list[types.ResourceTemplate]:
    return [
        types.ResourceTemplate(uri_template=uri, name=name, description=text, mime_type=_JSON)
        for uri, (name, text) in _TEMPLATES.items()
    ]


@dataclass(frozen=True, slots=True)
class Resources:
    """Reads them. Without `personal`, nothing that tells about a person is in what is read."""

    adapter: Adapter
    connection: str
    database: Address
    personal: bool

    async def read(self, uri: str) -> str:
        """The JSON text. Raises ConnectorError."""
        readers: dict[str, Callable[..., Awaitable[Any]]] = {
            r"chatforge://agents": self._agents,
            r"chatforge://agents/([^/]+)": self._agent,
            r"chatforge://agents/([^/]+)/leads": self._leads,
            r"chatforge://runs": self._runs,
            r"chatforge://runs/([^/]+)": self._run,
        }
        for pattern, reader in readers.items():
            if found := re.fullmatch(pattern, uri):
                return write_json(await reader(*map(unquote, found.groups())))
        known = ", ".join([*_RESOURCES, *_TEMPLATES])
        raise InputError(f"there is no resource {uri[:100]!r}; expected one of {known}")

    async def _ask(self, action: str, given: Mapping[str, Any]) -> dict[str, Any]:
        schema = self.adapter.schemas(action, "mcp", personal=self.personal).output
        return await run_action(self.adapter, action, given, self.connection, schema, personal=self.personal)

    async def _agents(self) -> dict[str, Any]:
        return await self._ask("chatforge.list_agents", {})

    async def _agent(self, agent_id: str) -> dict[str, Any]:
        return await self._ask("chatforge.get_agent", {"agent_id": agent_id})

    async def _leads(self, agent_id: str) -> dict[str, Any]:
        return await self._ask("chatforge.list_leads", {"agent_id": agent_id})

    async def _runs(self) -> list[dict[str, Any]]:
        if not engines.exists(self.database):
            return []
        runs = engines.read(self.database, lambda connection: find_runs(connection, RunFilter(), _MOST_RUNS))
        return [
            self._shown(run) if isinstance(run, records.Run) else {"run": run.id, "status": "damaged"} for run in runs
        ]

    async def _run(self, run_id: str) -> dict[str, Any]:
        found = None
        if engines.exists(self.database):
            found = engines.read(self.database, lambda connection: read_view(connection, run_id))
        if found is None:
            raise InputError(f"there is no run {run_id[:60]!r}: it was removed, or never was there")
        steps = [{"step": step.id, "status": step.status, "action": step.action} for step in found.steps]
        whole = {"trigger": found.run.trigger, "outputs": found.run.outputs} if self.personal else {}
        return {**self._shown(found.run), **whole, "steps": steps}

    def _shown(self, run: records.Run | Damaged) -> dict[str, Any]:
        """An error quotes what a visitor wrote, so without personal data its kind has to do."""
        if isinstance(run, Damaged):
            return {"run": run.id, "status": "damaged"}
        error: dict[str, Any] | None = None
        if run.error:
            error = {"step": run.error.step, "kind": run.error.kind}
            error |= {"message": run.error.message} if self.personal else {}
        return {
            "run": run.id,
            "flow": run.flow,
            "status": run.status,
            "created_at": run.created_at.isoformat(),
            "finished_at": run.finished_at.isoformat() if run.finished_at else None,
            "error": error,
        }
