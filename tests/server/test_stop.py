"""A server that is told to stop ends within 20 s, whatever hangs, and the next one goes on."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.test_webhooks import PATH, signed

TESTS = Path(__file__).parents[1]
MANY = 200
FLOW = """\
flow: {name}
trigger: {{uses: chatforge.event, with: {{events: [{name}]}}}}
steps:
  - id: act
    uses: {uses}
"""
ACTIONS = {
    "hang": "stubborn.hang",
    "defy": "stubborn.defy",
    "block": "stubborn.block",
    "search": "stubborn.search",
    "refuse": "stubborn.refuse\n    retry: {max_attempts: 6, delay: 1h, max_delay: 1h}",
    "ask": "chatforge.list_agents\n    connection: slow\n    retry: {max_attempts: 1}",
}
WATCHED = """\
import os, signal, sys, threading, time
from connector.server.deadline import Deadline
with Deadline(0.3) as deadline:
    deadline.watch_signals(lambda number: None)
    os.kill(os.getpid(), signal.SIGTERM)
    {body}
{after}
"""


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes requests and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.fixture
def stubborn(make_server: Callable[..., Any], tmp_path: Path, silent: str) -> Any:
    """A server with flows that start by an event of their name, and do not end."""
    flows, plugin = tmp_path / "flows", tmp_path / "stubborn-1.0.dist-info"
    flows.mkdir()
    plugin.mkdir()
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: stubborn\nVersion: 1.0\n")
    (plugin / "entry_points.txt").write_text("[connector.plugins]\nstubborn = server.stubborn\n")
    (flows / "connections.yaml").write_text("slow: {connector: chatforge, api_key: {env: SLOW_KEY}, rate_limit: 1}\n")
    for name, uses in ACTIONS.items():
        (flows / f"{name}.yaml").write_text(FLOW.format(name=name, uses=uses))
    environment = {
        "PYTHONPATH": f"{TESTS}:{tmp_path}",
        "SLOW_KEY": "cf_slow_0123456789",
        "CHATFORGE_ON_FAILURE": silent,
    }
    return make_server(flows=flows, environment=environment).start("--port", "0")


def send(server: Any, sandbox: Any, *names: str) -> None:
    """Deliver events with these names, over one connection: to open one costs more."""
    with httpx.Client(base_url=server.address, timeout=20) as sender:
        for number, name in enumerate(names):
            body = json.dumps({"event": name, "data": {"number": number}}).encode()
            answer = sender.post(PATH, content=body, headers=signed(body, sandbox.webhook_secret))
            assert answer.status_code == 202


def statuses(server: Any) -> dict[str, list[str]]:
    """Those of the steps, by flow."""
    rows = server.query("SELECT flow, steps.status FROM runs JOIN steps ON run_id = runs.id ORDER BY steps.status")
    return {name: [row["status"] for row in rows if row["flow"] == name] for name in ACTIONS}


@contextmanager
def slow_sender(server: Any) -> Iterator[socket.socket]:
    """Of a webhook that does not come whole."""
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as sender:
        sender.sendall(f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n{{".encode())
        yield sender


def test_stop_waits_for_nothing_that_does_not_end(stubborn, sandbox):
    server = stubborn
    send(server, sandbox, "hang", "search", *["ask"] * 3, *["refuse"] * MANY)

    def is_busy() -> bool:
        found = statuses(server)
        return (
            found["hang"] == found["search"] == ["sending"]
            and "started" in found["ask"]
            and found["refuse"] == ["waiting"] * MANY
        )

    server.wait_for(is_busy)
    with httpx.stream("GET", f"{server.address}/changes", timeout=30) as page, slow_sender(server) as sender:
        assert next(page.iter_lines()) == "retry: 5000"
        assert server.stop(signal.SIGTERM) == 0, server.log()
        assert b" 503 " in sender.recv(1_000)
    assert "Traceback" not in server.log()
    assert "is left in a call that has not ended within 10 s" in server.log()
    found = statuses(server)
    assert (found["hang"], found["refuse"]) == (["sending"], ["waiting"] * MANY)
    server.start("--port", "0")
    [run] = [run for run in server.runs() if run.flow == "hang"]
    assert server.ended(run.id).status == "held"
    server.stop(signal.SIGKILL)


@pytest.mark.torture
@pytest.mark.parametrize(("name", "code"), [("block", 1), ("defy", 0)])
def test_stop_does_not_need_the_consent_of_an_action(stubborn, sandbox, name, code):
    send(stubborn, sandbox, name)
    [run] = stubborn.wait_for(stubborn.runs)
    stubborn.wait_for(lambda: statuses(stubborn)[name] == ["sending"])
    assert stubborn.stop(signal.SIGTERM) == code, stubborn.log()
    assert ("has not ended 17 s after it was told to" in stubborn.log()) == bool(code)
    stubborn.start("--port", "0")
    assert stubborn.ended(run.id).status == "held"
    stubborn.stop(signal.SIGKILL)


@pytest.mark.parametrize(
    ("body", "after", "code", "said"),
    [
        pytest.param("time.sleep(600)", "", 1, "has not ended 0 s after it was told to", id="the main thread hangs"),
        pytest.param(
            "deadline.worked(); threading.Thread(target=time.sleep, args=(600,)).start(); time.sleep(600)",
            "",
            0,
            "",
            id="only a thread hangs",
        ),
        pytest.param("pass", "time.sleep(1); sys.exit(7)", 7, "", id="nothing hangs"),
    ],
)
def test_deadline_ends_only_what_hangs(body, after, code, said):
    script = WATCHED.format(body=body, after=after)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
