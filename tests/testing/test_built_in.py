"""The contract, kept by the plugins of this package."""

import asyncio
from pathlib import Path

import httpx
import pytest

from connector import registry, settings
from connector.adapter import Adapter
from connector.sandbox import SandboxSettings
from connector.sandbox.server import running
from connector.testing import PluginContract, Service

MANIFEST = Path(__file__).parents[2] / "manifest.yaml"
VISITORS = 7


class TestChatForge(PluginContract):
    plugin = "chatforge"
    names = MANIFEST
    any_body = ("delete_agent",)

    @pytest.fixture
    def service(self):
        with running(SandboxSettings(api_key=self.secret, max_limit=3)) as sandbox:
            for number in range(VISITORS):
                visitor = {"visitor_email": f"visitor{number}@example.com", "messages": ["Hello"]}
                self.story = httpx.post(f"{sandbox.control_url}/visitors", json=visitor).json()
            lists = ("list_leads", "list_conversations", "new_lead", "new_conversation")
            # What is new in the first round was not updated.
            yield Service(sandbox.url, dict.fromkeys(lists, VISITORS) | {"conversation_updated": 0})

    def connection_values(self, url, secret):
        return {"base_url": url, "api_key": secret, "webhook_secrets": [secret]}

    def inputs(self, service):
        agent = {"agent_id": self.story["agent_id"]}
        email = {"visitor_email": f"visitor{VISITORS - 1}@example.com"}
        content = {"conversation_id": self.story["conversation_id"], "content": "How can I help?"}
        polled = {"start": "all"}
        return {
            **dict.fromkeys(("get_agent", "delete_agent", "get_analytics", "list_leads", "list_conversations"), agent),
            "analytics_change": {**agent, "since": "7d", "by": "day"},
            "update_agent": {**agent, "name": "Sales Agent"},
            "find_lead": {**agent, **email},
            "find_conversation": {**agent, **email},
            "inject_message": {**agent, **content},
            **dict.fromkeys(("new_lead", "new_conversation", "conversation_updated"), polled),
        }


async def fill(contacts: settings.Settings) -> None:
    async with Adapter(registry.load(), contacts) as adapter:
        for number in range(VISITORS):
            await adapter.run("contacts.upsert", {"email": f"visitor{number}@example.com"})


class TestContacts(PluginContract):
    plugin = "contacts"
    names = MANIFEST

    @pytest.fixture
    def service(self, tmp_path):
        database = tmp_path / "runs.sqlite"
        asyncio.run(fill(settings.load(tmp_path, environ={"CHATFORGE_DATABASE_URL": f"sqlite:///{database}"})))
        return Service(str(database.with_name("contacts.sqlite")), {"list": VISITORS})

    def connection_values(self, url, secret):
        return {"database": url}
