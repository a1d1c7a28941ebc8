"""One n8n for all tests, and for each a sandbox with a credential for it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hosts.n8n.n8n_host import N8n, chain, free_port, node, wait_for

from connector.hosts.exports import build
from connector.registry import Registry
from connector.sandbox import Sandbox, SandboxSettings
from connector.sandbox.server import running


@pytest.fixture(scope="session")
def n8n(tmp_path_factory: pytest.TempPathFactory, built_in: Registry) -> Iterator[N8n]:
    folder = tmp_path_factory.mktemp("n8n")
    package = folder / "package"
    for name, text in build("n8n", built_in, ["chatforge"]).files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(str(text))
    host = N8n(folder / "user", package, free_port(), folder / "n8n.log")
    host.folder.mkdir()
    host.start()
    yield host
    host.stop()
    host.api.close()


@dataclass
class Account:
    """A sandbox, and the credential of its account."""

    n8n: N8n
    sandbox: Sandbox
    credential: str

    def values(self, **others: str) -> dict[str, str]:
        usual = {"api_key": self.sandbox.api_key, "webhook_secret": self.sandbox.webhook_secret}
        return usual | {"base_url": self.sandbox.url, "previous_webhook_secret": ""} | others

    def visit(self, email: str, at: datetime | None = None, *, name: str | None = None, webhook: bool = False) -> str:
        """A visitor leaves an e-mail; the conversation's id."""
        told = {"visitor_email": email, "messages": ["Hello"], "webhook": webhook}
        others = {"visitor_name": name, "created_at": at.isoformat() if at else None}
        told |= {key: value for key, value in others.items() if value is not None}
        answer = httpx.post(f"{self.sandbox.control_url}/visitors", json=told)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["conversation_id"])

    def set(self, **settings: Any) -> None:
        self.sandbox.settings = replace(self.sandbox.settings, **settings)

    def order_fault(self, action: str, **fault: Any) -> None:
        answer = httpx.post(f"{self.sandbox.control_url}/faults", json={"action": action, "times": 9, **fault})
        assert answer.status_code == 201, answer.text

    def run(self, *nodes: dict[str, Any]) -> dict[str, Any]:
        """What came of the nodes, one after the other, in the server."""
        place = uuid4().hex
        start = node("Start", "webhook", {"path": place, "responseMode": "onReceived"}, typeVersion=2, webhookId=place)
        workflow = self.n8n.publish(chain(start, *nodes))
        self.n8n.api.get(f"{self.n8n.url}/webhook/{place}").raise_for_status()
        [found] = wait_for(lambda: self.n8n.executions(workflow))
        return dict(found)


@pytest.fixture
def account(n8n: N8n) -> Iterator[Account]:
    """The key is in nothing that n8n prints."""
    with running(SandboxSettings(rate_limit=10_000)) as sandbox:
        made = Account(n8n, sandbox, "")
        made.credential = n8n.save_credential(made.values())
        yield made
        log = n8n.log.read_text()
        assert sandbox.api_key not in log
        assert sandbox.webhook_secret not in log
