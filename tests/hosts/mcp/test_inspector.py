"""`chatforge mcp` as the inspector's command line sees it: a client of others, in another language."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hosts.results import record

from connector.sandbox.server import running

INSPECTOR = Path(__file__).parents[3] / ".hosts" / "mcp" / "node_modules" / ".bin" / "mcp-inspector"

pytestmark = pytest.mark.hosts


@pytest.fixture
def inspect(tmp_path) -> Callable[..., Any]:
    """inspect(method, option, …) → (exit code, what it prints as JSON, what it complains of)."""
    with running() as sandbox:
        settings = {
            "CHATFORGE_API_KEY": sandbox.api_key,
            "CHATFORGE_BASE_URL": sandbox.url,
            "CHATFORGE_DATABASE_URL": f"sqlite:///{tmp_path}/runs.sqlite",
        }

        def run(method: str, *options: str) -> tuple[int, Any, str]:
            given = [part for name, value in settings.items() for part in ("-e", f"{name}={value}")]
            command = [INSPECTOR, "--cli", *given, "--method", method, *options, "--transport", "stdio"]
            environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
            done = subprocess.run(
                [*command, sys.executable, "-m", "connector", "mcp"],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert sandbox.api_key not in done.stdout + done.stderr
            return done.returncode, json.loads(done.stdout), done.stderr

        run.sandbox = sandbox
        yield run


def test_tools_have_schemas_that_every_client_takes(inspect, built_in):
    code, found, complaints = inspect("tools/list", "--strict")
    assert (code, complaints.strip()) == (0, "")
    names = [name for name in built_in.actions if name.startswith("chatforge.")]
    assert [tool["name"] for tool in found["tools"]] == [name.replace(".", "_") for name in names]
    for name in names:
        record("mcp", f"action:{name.partition('.')[2]}", "tool")


def test_call_gives_its_output_and_an_error_what_to_do(inspect):
    agent = inspect.sandbox.agent_id
    code, found, _ = inspect("tools/call", "--tool-name", "chatforge_get_agent", "--tool-arg", f"agent_id={agent}")
    assert (code, found["structuredContent"]["agent"]["id"]) == (0, agent)
    code, found, _ = inspect("tools/call", "--tool-name", "chatforge_get_agent", "--tool-arg", "agent_id=gone")
    assert code != 0
    assert "check the ids" in found["content"][0]["text"]
    record("mcp", "errors", "isError with the hint")


def test_resource_is_read(inspect):
    code, found, _ = inspect("resources/read", "--uri", "chatforge://agents")
    assert code == 0
    assert json.loads(found["contents"][0]["text"])["agents"][0]["id"] == inspect.sandbox.agent_id
