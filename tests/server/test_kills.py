"""A server that is killed again and again while deliveries come: what it acknowledged starts its flow, once."""

import json
import random
import secrets
import signal
import time
from concurrent.futures import ThreadPoolExecutor
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


def make_body(sandbox, number: int) -> bytes:
    """A webhook of a lead that is in no list."""
    event = {
        "event": "lead.captured",
        "agent_id": sandbox.agent_id,
        "timestamp": datetime.now(UTC).isoformat(),
        "data": {"visitor_name": f"visitor {number}", "visitor_email": f"{number}@example.com"},
    }
    return json.dumps(event, separators=(",", ":")).encode()


def deliver_all(server, secret: str, bodies: list[bytes]) -> list[bytes]:
    """Send each once; those that were not acknowledged, though the server may have stored them."""
    refused = []
    with httpx.Client() as client:
        for body in bodies:
            headers = {SIGNATURE_HEADER: sign(body, secret)}
            try:
                answer = client.post(f"{server.address}/webhooks/chatforge", content=body, headers=headers)
                answer.raise_for_status()
            except httpx.HTTPError:
                refused.append(body)
            time.sleep(0.002)
    return refused


def kill_while_delivering(server, sandbox, secret: str, deliveries: int, kills: int, seed: int) -> int:
    """Until each was acknowledged: what one life of the server refused comes again in the next; how many did."""
    chance, again, refused = random.Random(seed), 0, list[bytes]()  # noqa: S311 - moments to kill at
    share = -(-deliveries // (kills + 1))
    for life in range(kills + 1):
        if life == kills // 2:  # the API is down for a while
            fault = {"status": 503, "times": 200}
            httpx.post(f"{sandbox.control_url}/faults", json=fault).raise_for_status()
        new = [make_body(sandbox, number) for number in range(life * share, min(deliveries, (life + 1) * share))]
        again += len(refused)
        server.start("--port", "0")
        with ThreadPoolExecutor(1) as senders:
            sending = senders.submit(deliver_all, server, secret, refused + new)
            if life < kills:
                time.sleep(chance.uniform(0, 0.3))
                server.stop(signal.SIGKILL)
            refused = sending.result()
    httpx.delete(f"{sandbox.control_url}/faults").raise_for_status()
    assert not refused
    return again


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
    # The port of a server that was killed may be that of another test's by the next delivery, which must not take it.
    secret = f"whsec_{secrets.token_hex(8)}"
    environment = {"CHATFORGE_RATE_LIMIT": "900000", "CHATFORGE_WEBHOOK_SECRET": secret}
    server = make_server(flows=tmp_path / "flow.yaml", environment=environment)
    again = kill_while_delivering(server, sandbox, secret, deliveries, kills, seed)
    waiting = "SELECT 1 FROM waiting_starts UNION ALL SELECT 1 FROM runs WHERE status NOT IN ('succeeded', 'failed')"
    server.wait_for(lambda: not server.query(waiting), seconds=120)
    emails = sorted(run.trigger["visitor_email"] for run in server.read(lambda journal: journal.runs(10_000)))
    assert emails == sorted(f"{number}@example.com" for number in range(deliveries))
    print(f"{deliveries} deliveries, {again} of them again, {kills} kills: {len(emails)} runs")
