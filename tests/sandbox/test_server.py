"""How a sandbox is served: many requests at once, in the foreground, and stopping."""

import asyncio
import hashlib
import hmac
import signal
import socket
import subprocess
import sys
from collections import Counter

import httpx
import pytest

from connector.sandbox import AGENT_ID, API_KEY, SandboxSettings
from connector.sandbox.server import running

FOREGROUND = """
import signal
from connector.sandbox.server import serve
before = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
serve(started=lambda sandbox: print(sandbox.url, flush=True))
assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)] == before
"""


def send_together(site, requests):
    """The answers to requests that are sent at the same time, each on a connection of its own."""

    async def send() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=len(requests))
        async with httpx.AsyncClient(headers=site.api.headers, trust_env=False, limits=limits) as client:
            return await asyncio.gather(*(client.request(**request) for request in requests))

    return asyncio.run(send())


def test_50_messages_at_once_all_arrive_once(site):
    conversation_id = site.visit()["conversation_id"]
    params = {"action": "v1-message", "agent_id": site.sandbox.agent_id}
    bodies = [{"conversation_id": conversation_id, "content": f"line {number}"} for number in range(50)]
    answers = send_together(
        site, [{"method": "POST", "url": site.sandbox.url, "params": params, "json": body} for body in bodies]
    )
    assert {answer.status_code for answer in answers} == {201}
    sent = {answer.json()["message"]["id"]: answer.json()["message"]["content"] for answer in answers}
    lines = [line for line in site.chat(conversation_id)["messages"] if line["injected"]]
    assert {line["id"]: line["content"] for line in lines} == sent
    assert len(lines) == 50
    assert [effect["sequence"] for effect in site.effects()] == list(range(1, 51))


def test_50_requests_at_once_share_one_limit(start):
    site = start(rate_limit=30)
    request = {"method": "GET", "url": site.sandbox.url, "params": {"action": "v1-agents"}}
    answers = send_together(site, [request] * 50)
    assert Counter(answer.status_code for answer in answers) == {200: 30, 429: 20}


def test_a_sandbox_stops_while_an_answer_is_delayed_and_a_webhook_is_retried(receiver, caplog):
    receiver.statuses[:] = [500]
    with running(SandboxSettings(webhook_url=receiver.url, redelivery_delays=(3600.0,))) as sandbox:
        httpx.post(f"{sandbox.control_url}/visitors", json={}, trust_env=False)
        receiver.next()
        httpx.post(f"{sandbox.control_url}/faults", json={"delay_seconds": 3600}, trust_env=False)
        headers = {"Authorization": f"Bearer {sandbox.api_key}"}
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{sandbox.url}?action=v1-agents", headers=headers, timeout=0.05, trust_env=False)
    with pytest.raises(httpx.ConnectError):
        httpx.get(sandbox.url, trust_env=False)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_keys_secret_and_agent_can_be_chosen_and_stay_out_of_the_repr(start, receiver):
    chosen = {"api_key": "key one", "small_plan_key": "key two", "webhook_secret": "a secret"}
    site = start(**chosen, agent_id="agent-1", agent_name="Ann", webhook_url=receiver.url)
    [agent] = site.call("GET", "v1-agents").json()["agents"]
    assert (agent["id"], agent["name"]) == ("agent-1", "Ann")
    assert not [word for word in chosen.values() if word in repr(site.sandbox.settings)]
    site.visit()
    headers, body = receiver.next()
    assert headers["x-chatforge-signature"] == hmac.new(b"a secret", body, hashlib.sha256).hexdigest()


def test_a_taken_port_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        running(port=taken.getsockname()[1]).__enter__()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_the_foreground_server_answers_until_a_signal_ends_it_cleanly(number):
    command = [sys.executable, "-c", FOREGROUND]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        url = process.stdout.readline().strip()
        headers = {"Authorization": f"Bearer {API_KEY}"}
        answer = httpx.get(f"{url}?action=v1-agents", headers=headers, trust_env=False)
        assert answer.json()["agents"][0]["id"] == AGENT_ID
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
