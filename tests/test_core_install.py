"""The package as others install it: the wheel, and the core without the extra `run`."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from connector.chatforge.samples import EVENT as SAMPLE
from connector.sandbox import Sandbox

ROOT = Path(__file__).parents[1]
USE_THE_CORE = """
import asyncio, json, sys
from importlib.resources import files
from connector.adapter import Adapter
from connector.flows.check import check

async def use(body, signature):
    flow = files("connector.cli").joinpath("templates/lead-to-crm.yaml").read_text("utf-8")
    async with Adapter.from_environment() as adapter:
        delivery = adapter.accept_webhook("chatforge", "default", {"X-ChatForge-Signature": signature}, body.encode())
        return {
            "problems": [problem.message for problem in check(flow, "lead-to-crm.yaml", adapter.catalogue).problems],
            "trigger": adapter.select("chatforge.lead_captured", {}, delivery.event, delivery.received_at),
            "agents": (await adapter.run("chatforge.list_agents", {}))["agents"],
            "contact": await adapter.run("contacts.upsert", {"email": "ann@example.com"}),
        }

print(json.dumps(asyncio.run(use(*sys.argv[1:]))))
"""
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CHATFORGE_"))}


def run(*command: object, folder: Path, **environ: str) -> str:
    """The output of a command that succeeds."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=ENVIRONMENT | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def pip(python: Path | str, *arguments: object, folder: Path) -> None:
    run(python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments, folder=folder)


def test_wheel_holds_all_files_that_the_package_reads(tmp_path: Path):
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT, folder=tmp_path)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist() if name.startswith("connector/")}
    needed = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in (ROOT / "connector").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"connector/cli/templates/lead-to-crm.yaml", "connector/runs/schema.sql"} <= needed.keys()
    assert packed == needed  # a link to a flow of the documentation is packed as the flow itself


def test_core_is_enough_to_check_flows_take_webhooks_and_run_actions(
    tmp_path: Path, core_python: Path, sandbox: Sandbox
):
    python = core_python
    body = json.dumps(SAMPLE)
    signature = hmac.new(sandbox.webhook_secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    environ = {
        "CHATFORGE_BASE_URL": sandbox.url,
        "CHATFORGE_API_KEY": sandbox.api_key,
        "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
        "CHATFORGE_DATABASE_URL": "sqlite:///chatforge.sqlite",
        "CHATFORGE_BUDGET_FILE": "budget.sqlite",
    }
    used = json.loads(run(python, "-W", "error", "-c", USE_THE_CORE, body, signature, folder=tmp_path, **environ))
    assert used["problems"] == []
    assert used["trigger"]["visitor_email"] == "john@example.com"
    assert [agent["id"] for agent in used["agents"]] == [sandbox.agent_id]
    assert used["contact"]["created"]
    assert (tmp_path / "contacts.sqlite").is_file()

    listed = json.loads(run(python, "-m", "pip", "list", "--format", "json", folder=tmp_path))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["run"]
    names = {requirement.partition(">")[0] for requirement in extras}
    assert names.isdisjoint({package["name"].lower() for package in listed})

    command = subprocess.run([python.with_name("chatforge")], capture_output=True, text=True, check=False)
    assert command.returncode == 2
    assert command.stdout == ""
    assert command.stderr.startswith("chatforge needs typer, ")
    assert command.stderr.endswith("install the command with: pip install 'chatforge-connector[run]'\n")
    assert command.stderr.count("\n") == 1


def test_core_sends_no_traces_and_says_what_is_missing(tmp_path: Path, core_python: Path):
    command = [
        core_python,
        "-W",
        "error",
        "-c",
        "from connector.cli.traces import follow\nwith follow() as found: print(found)",
    ]
    environ = ENVIRONMENT | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout == "()\n"
    assert done.stderr == (
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but no traces are sent: No module named 'opentelemetry'; install what "
        "that needs with: pip install 'chatforge-connector[otel]'\n"
    )
