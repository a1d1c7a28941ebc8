"""A server that is killed again and again while deliveries come: what it acknowledged starts its flow, once."""

import json
import random
import signal
import threading
import time
from datetime import UTC, datetime

import httpx
import pytest

from connector.chatforge.webhooks import SIGNATURE_HEADER, sign

FLOW = """\
flow: greet
trigger:
  uses: chatforge.lead_captured
  with: {every: 1s, wait_for_lead: 1s}
steps:
  - id: find
    uses: chatforge.find_lead
    with: {agent_id: "${{ trigger.agent_id }}", visitor_email: someone@example.com}
  - {id: contact, uses: contacts.upsert, with: {email: "${{ trigger.visitor_email ?? 'nobody@example.com' }}"}}
"""


def deliver(server, sandbox, number: int) -> bool:
    """Send a webhook of a lead that is in no list; whether it was acknowledged."""
    event = {
        "event": "lead.captured",
        "agent_id": sandbox.agent_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "data": {"visitor_name": f"visitor {number}", "visitor_email": f"{number}@example.com"},
    }
    body = json.dumps(event, separators=(",", ":")).encode()
    headers = {SIGNATURE_HEADER: sign(body, sandbox.webhook_secret)}
    try:
        return httpx.post(f"{server.address}/webhooks/chatforge", content=body, headers=headers).is_success
    except httpx.HTTPError:
        return False


def send_all(server, sandbox, numbers: list[int], acknowledged: set[int]) -> threading.Thread:
    """Deliver each once, on a thread; a delivery that is not acknowledged is sent no more."""

    def work() -> None:
        for number in numbers:
            if deliver(server, sandbox, number):
                acknowledged.add(number)
            time.sleep(0.002)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def kill_while_delivering(server, sandbox, deliveries: int, kills: int, seed: int) -> set[int]:
    chance, acknowledged = random.Random(seed), set[int]()  # noqa: S311 - moments to kill at
    share = deliveries // (kills + 1)
    for life in range(kills + 1):
        if life == kills // 2:  # the API is down for a while
            fault = {"status": 503, "times": 200}
            httpx.post(f"{sandbox.control_url}/faults", json=fault).raise_for_status()
        server.start("--port", "0")
        numbers = [*range(life * share, (life + 1) * share)]
        thread = send_all(server, sandbox, numbers, acknowledged)
        if life < kills:
            time.sleep(chance.uniform(0, 0.3))
            server.stop(signal.SIGKILL)
        thread.join()
    httpx.delete(f"{sandbox.control_url}/faults").raise_for_status()
    return acknowledged


@pytest.mark.parametrize(
    ("deliveries", "kills", "seed"),
    [
        pytest.param(60, 3, 1, id="sample"),
        pytest.param(2_000, 200, 2, id="all", marks=pytest.mark.torture),
    ],
)
def test_acknowledged_delivery_starts_its_flow_once_whenever_the_server_is_killed(
    make_server, sandbox, tmp_path, deliveries, kills, seed
):
    (tmp_path / "flow.yaml").write_text(FLOW)
    httpx.patch(f"{sandbox.control_url}/settings", json={"rate_limit": 900_000}).raise_for_status()
    server = make_server(flows=tmp_path / "flow.yaml", environment={"CHATFORGE_RATE_LIMIT": "900000"})
    acknowledged = kill_while_delivering(server, sandbox, deliveries, kills, seed)
    assert len(acknowledged) > deliveries // 10, "too few came through to show anything"
    waiting = "SELECT 1 FROM waiting_starts UNION ALL SELECT 1 FROM runs WHERE status <> 'succeeded'"
    server.wait_for(lambda: not server.query(waiting), seconds=120)
    emails = [run.trigger["visitor_email"] for run in server.read(lambda journal: journal.runs(10_000))]
    assert len(emails) == len({*emails})
    assert {f"{number}@example.com" for number in acknowledged} <= {*emails}
    print(f"{deliveries} deliveries, {kills} kills: {len(acknowledged)} acknowledged, {len(emails)} runs")
