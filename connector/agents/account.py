"""The agents of an account, through the adapter's actions, which wait for the rate limit by themselves."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from connector.adapter import Adapter
from connector.agents.fields import RemoteAgent, read_agent


@dataclass(frozen=True, slots=True)
class Account:
    """The agents of one connection. Every method raises a ConnectorError."""

    adapter: Adapter
    connection: str

    async def list(self) -> dict[str, RemoteAgent]:
        """All agents by id, without their long texts."""
        listed = await self._run("list_agents")
        return {agent["id"]: read_agent(agent) for agent in listed["agents"]}

    async def get(self, agent_id: str) -> RemoteAgent:
        """An agent with all that ChatForge shows of it."""
        return read_agent((await self._run("get_agent", agent_id=agent_id))["agent"])

    async def get_all(self, ids: Collection[str]) -> dict[str, RemoteAgent]:
        """Several of them by id; one request each."""
        return {agent_id: await self.get(agent_id) for agent_id in ids}

    async def create(self, values: Mapping[str, Any]) -> RemoteAgent:
        return read_agent((await self._run("create_agent", **values))["agent"])

    async def update(self, agent_id: str, values: Mapping[str, Any]) -> None:
        await self._run("update_agent", agent_id=agent_id, **values)

    async def delete(self, agent_id: str) -> None:
        await self._run("delete_agent", agent_id=agent_id)

    async def _run(self, action: str, **input: Any) -> dict[str, Any]:
        return await self.adapter.run(f"chatforge.{action}", input, connection=self.connection)
