"""What happens to the process: killed, stopped, out of disk, started twice."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import httpx
import pytest

from connector.runs import records
from connector.runs.records import Run

VISITOR = {"visitor_name": "John Smith", "visitor_email": "john@example.com", "page_url": "https://example.com/"}


def visit(sandbox, **visitor) -> dict[str, str]:
    return httpx.post(f"{sandbox.control_url}/visitors", json=VISITOR | visitor).json()


def messages(sandbox, conversation_id: str) -> list[str]:
    chat = httpx.get(f"{sandbox.control_url}/conversations/{conversation_id}").json()
    return [message["content"] for message in chat["messages"] if message["injected"]]


def delay(sandbox, action: str, seconds: float) -> None:
    fault = {"action": action, "delay_seconds": seconds, "times": 1}
    assert httpx.post(f"{sandbox.control_url}/faults", json=fault).status_code == 201


def only_run(server) -> Run:
    [run] = server.wait_for(server.runs)
    return run


def until_sending(server, run_id: str, step: str) -> None:
    def look() -> bool:
        found = server.read(lambda journal: journal.steps(run_id)).get(step)
        return bool(found and found.status == "sending")

    server.wait_for(look)


def test_lead_becomes_a_contact_and_is_greeted_once(server, sandbox):
    story = visit(sandbox)
    run = server.ended(only_run(server).id)
    assert run.status == "succeeded"
    assert run.outputs["contact_id"].startswith("contact_")
    assert messages(sandbox, story["conversation_id"]) == ["Hi John Smith, this is Cal jumping in. How can I help?"]


def test_second_lead_of_a_known_contact_is_not_greeted(server, sandbox):
    first = visit(sandbox, visitor_email="John@Example.com")
    server.ended(only_run(server).id)
    visit(sandbox)
    server.wait_for(lambda: any("dedupe key" in (start.reason or "") for start in server.starts()))
    assert len(messages(sandbox, first["conversation_id"])) == 1


@pytest.mark.parametrize(
    ("step", "action", "status", "greetings"),
    [
        ("chat", "v1-conversations", "succeeded", 1),
        ("takeover", "v1-message", "held", 1),
    ],
    ids=["in a read", "after the message was said, before its answer"],
)
def test_run_goes_on_after_kill_and_nobody_is_greeted_twice(server, sandbox, step, action, status, greetings):
    delay(sandbox, action, 5)
    story = visit(sandbox)
    run = only_run(server)
    until_sending(server, run.id, step)
    if step == "takeover":
        server.wait_for(lambda: messages(sandbox, story["conversation_id"]))
    server.stop(signal.SIGKILL)
    server.start("--port", "0")
    assert server.ended(run.id).status == status
    assert len(messages(sandbox, story["conversation_id"])) == greetings
    done = server.read(lambda journal: journal.attempts(run.id))
    assert [attempt.number for attempt in done if attempt.step == "contact"] == [1]


def test_acknowledgement_does_not_wait_for_an_action(server, sandbox):
    delay(sandbox, "v1-conversations", 30)
    visit(sandbox)
    deliveries = httpx.get(f"{sandbox.control_url}/deliveries?settle_seconds=10").json()["deliveries"]
    assert [attempt["status"] for attempt in deliveries[0]["attempts"]] == [202]
    until_sending(server, only_run(server).id, "chat")
    server.stop(signal.SIGKILL)


def test_stop_finishes_the_step_in_flight_and_exits_cleanly(server, sandbox):
    delay(sandbox, "v1-message", 4)  # longer than slow clients are waited for
    story = visit(sandbox)
    run = only_run(server)
    until_sending(server, run.id, "takeover")
    assert server.stop(signal.SIGTERM) == 0
    steps = server.read(lambda journal: journal.steps(run.id))
    assert steps["takeover"].status == "succeeded"
    server.start("--port", "0")
    assert server.ended(run.id).status == "succeeded"
    assert len(messages(sandbox, story["conversation_id"])) == 1


def test_event_that_cannot_be_stored_is_not_acknowledged_and_comes_again(make_server, sandbox):
    """A limit on the size of files stands for a full disk: both fail the write."""
    small = make_server(prefix=["bash", "-c", 'ulimit -f 320; exec "$@"', "bash"]).start("--port", "0")
    url = f"{small.address}/webhooks/chatforge"
    sandbox.webhook_url = url
    for number in range(20):
        visit(sandbox, visitor_email=f"visitor{number}@example.com", conversation_summary="x" * 12_000)
    small.wait_for(lambda: "cannot be used" in small.log())
    refused = [
        delivery
        for delivery in httpx.get(f"{sandbox.control_url}/deliveries").json()["deliveries"]
        if any(attempt["status"] == 503 for attempt in delivery["attempts"])
    ]
    assert refused
    assert "Traceback" not in small.log()
    small.stop(signal.SIGKILL)
    large = make_server().start("--port", small.address.rsplit(":", 1)[1])
    acknowledged = httpx.get(f"{sandbox.control_url}/deliveries?settle_seconds=20").json()["deliveries"]
    assert all(delivery["state"] == "delivered" for delivery in acknowledged)
    large.wait_for(lambda: len(large.runs()) == 20)
    large.wait_for(lambda: all(run.status in records.ENDED for run in large.runs()))
    assert {run.status for run in large.runs()} <= {"succeeded", "held"}


def test_second_server_on_the_same_database_says_so(server, make_server):
    second = subprocess.run(
        [sys.executable, "-m", "connector", "serve", "--flows", str(server.flows), "--port", "0"],
        env=server.environment,
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert second.returncode == 1
    assert f"in use by another chatforge process (process id {server.process.pid})" in second.stderr
    assert "Traceback" not in second.stderr


def test_run_beside_a_server_is_done_by_the_server(server, sandbox, tmp_path):
    event = {"event": "lead.captured", "agent_id": sandbox.agent_id, "data": {"visitor_email": "ann@example.com"}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    beside = subprocess.run(
        [sys.executable, "-m", "connector", "run", str(server.flows), "--input", "@event.json", "--json"],
        env=server.environment,
        cwd=server.folder,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert beside.returncode == 0, beside.stderr
    assert json.loads(beside.stdout)["status"] == "succeeded"
    assert server.stop() == 0


def test_server_goes_on_when_nobody_reads_what_it_prints(make_server):
    server = make_server()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server.launch("--port", str(port))
    server.process.stdout.close()
    server.address = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{server.address}/readyz").status_code == 200
        return False

    server.wait_for(is_ready)
    assert server.stop() == 0, server.log()
    assert "Traceback" not in server.log()
