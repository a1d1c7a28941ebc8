"""The two places where cassettes are recorded: a sandbox that does what is ordered, and a real account."""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
from cases import AGENT, EMAIL, NAME, UPDATED_NAME, Json, Real

from connector.adapter import Adapter
from connector.errors import ActionError
from connector.sandbox import Sandbox

KEY_THAT_IS_WRONG = "cf_no_such_key"
MOST_AGENTS = 5
"""How many agents of a real account are looked at for something to read."""

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without certificates, which take httpx long to load


class UnavailableError(Exception):
    """The account has nothing of the kind."""


class SandboxSite:
    """`cases.Site` over HTTP. All its requests carry `headers`."""

    def __init__(self, sandbox: Sandbox, headers: Mapping[str, str]) -> None:
        self._sandbox = sandbox
        keyed = {"Authorization": f"Bearer {sandbox.api_key}", **headers}
        self._http = httpx.Client(headers=keyed, verify=_NO_TLS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def visit(self, **fields: Any) -> Json:
        return self._post("visitors", fields)

    def order(self, **fault: Any) -> None:
        self._post("faults", fault)

    def close(self, conversation_id: str) -> None:
        self._post(f"conversations/{conversation_id}/close", {})

    def call(self, method: str, action: str, body: Json | None = None, **query: str) -> Json:
        params = {"action": action, **query}
        return _read(self._http.request(method, self._sandbox.url, params=params, json=body))

    def _post(self, path: str, body: Json) -> Json:
        return _read(self._http.post(f"{self._sandbox.control_url}/{path}", json=body))


def _read(response: httpx.Response) -> Json:
    return dict(response.raise_for_status().json())


class LiveAccount:
    """`cases.Account` through adapters of its own, which are not recorded.

    It changes only agents that it has made itself: their names begin with a word that nobody else knows.
    """

    def __init__(self, open_adapter: Callable[[], Adapter], pause: float) -> None:
        self._open_adapter = open_adapter
        self._pause = pause
        self._word = f"Throw-away {uuid4().hex}"
        self._made = 0
        self._found = cache(self._find_agents)

    def agent(self) -> Real:
        """The first agent that has leads, or the first at all."""
        agents = self._found()
        if not agents:
            raise UnavailableError("the account has no agent")
        return {AGENT: next((agent for agent, leads in agents.items() if leads), next(iter(agents)))}

    def agent_with_lead(self) -> Real:
        for agent, leads in self._found().items():
            for lead in leads:
                if lead["visitor_email"]:
                    return {AGENT: agent, EMAIL: lead["visitor_email"]}
        raise UnavailableError("no agent was found whose latest leads have an e-mail")

    def agent_with_conversation(self) -> Real:
        for agent in self._found():
            for item in self._run("list_conversations", {"agent_id": agent})["conversations"]:
                if item["lead_captured"] and item["visitor_email"]:
                    return {AGENT: agent, EMAIL: item["visitor_email"]}
        raise UnavailableError("no agent was found with a conversation that captured a lead with an e-mail")

    def new_name(self) -> Real:
        self._made += 1
        name = f"{self._word} {self._made}"
        return {NAME: name, UPDATED_NAME: f"{name} updated"}

    def new_agent(self) -> Real:
        names = self.new_name()
        made = self._run("create_agent", {"name": names[NAME]})
        return {AGENT: made["agent"]["id"], **names}

    def clean_up(self) -> list[str]:
        """Delete every agent that was made, also those of which no answer told; the names of what is left."""
        left = [f"whose name begins with {self._word!r}"] if self._made else []
        for attempt in range(3):
            if not left:
                break
            if attempt:
                time.sleep(self._pause)
            with suppress(ActionError):
                left = self._delete_mine()
        return left

    def _find_agents(self) -> dict[str, list[Json]]:
        agents = self._run("list_agents", {})["agents"][:MOST_AGENTS]
        return {agent["id"]: self._run("list_leads", {"agent_id": agent["id"]})["leads"] for agent in agents}

    def _delete_mine(self) -> list[str]:
        for agent in self._mine():
            with suppress(ActionError):
                self._run("delete_agent", {"agent_id": agent["id"]})
        return [repr(agent["name"]) for agent in self._mine()]

    def _mine(self) -> list[Json]:
        agents = self._run("list_agents", {})["agents"]
        return [agent for agent in agents if (agent["name"] or "").startswith(self._word)]

    def _run(self, action: str, input: Json) -> Json:
        async def run() -> Json:
            async with self._open_adapter() as adapter:
                return await adapter.run(f"chatforge.{action}", input)

        return asyncio.run(run())
