"""A stranger's package, installed by pip: its operations work like those of this package."""

import hashlib
import hmac
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx

POLL_TO_THE_END = """
import asyncio, json
from connector.adapter import Adapter

async def poll():
    found, state = [], None
    async with Adapter.from_environment() as adapter:
        for _ in range(2):
            more = True
            while more:
                step = await adapter.poll("greetings.new_card", {"start": "all"}, state, connection="cards")
                state, more = json.loads(json.dumps(step.state)), step.more
                found += [event.identity for event in step.events]
    print(json.dumps(found))

asyncio.run(poll())
"""
ONLY_NEW = POLL_TO_THE_END.replace('{"start": "all"}', '{"start": "now"}')


POLLED_FLOW = """\
flow: greet-the-reader
trigger:
  uses: greetings.new_card
  connection: cards
  with: {start: all, every: 1}
  if: trigger.text == 'Good evening!'
steps:
  - id: hello
    uses: greetings.send_card
    connection: cards
    with: {to: "${{ trigger.to }}", text: "Hello ${{ trigger.to }}"}
"""


@contextmanager
def serving(installed, secrets):
    """The server's process, and its address."""
    command = [sys.executable, "-m", "connector", "serve", "--flows", "flow.yaml", "--port", "0"]
    environ, folder = installed.environment(**secrets), installed.folder
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen(command, env=environ, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True) as server,
    ):
        try:
            first = server.stdout.readline()
            assert "listening on " in first, (folder / "server.log").read_text()
            yield server, first.split("listening on ")[1].split(";")[0].strip()
        finally:
            server.terminate()


def wait_for(what) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def sent_by_the_flow(cards) -> list[str]:
    return [card["text"] for card in cards.cards[7:]]


def test_flow_with_its_operations_is_checked(installed):
    assert installed.chatforge("check", "flow.yaml").out == "1 flow checked, no problems\n"
    flow = installed.folder / "flow.yaml"
    flow.write_text(flow.read_text().replace("steps.thanks.id", "steps.thanks.idd"))
    result = installed.chatforge("check", "flow.yaml")
    assert result.code == 1
    assert "steps.thanks (Card) has no field 'idd'; did you mean 'id'?" in result.out


def test_its_action_acts_when_a_flow_is_run(installed, secrets, cards):
    result = installed.chatforge("run", "flow.yaml", "--json", **secrets)
    assert result.code == 0, result.error
    assert json.loads(result.out)["outputs"] == {"card": "card-8"}
    assert sent_by_the_flow(cards) == ["Thank you for reading card-1."]


def test_wrong_key_ends_a_run_as_authentication(installed, secrets, cards):
    result = installed.chatforge("run", "flow.yaml", **secrets | {"CARDS_KEY": "another-key"})
    assert result.code == 3
    assert "the key is not accepted; make another one and set it as `key` (401)" in result.out
    assert sent_by_the_flow(cards) == []


def test_signed_webhook_runs_the_flow_and_a_forged_one_does_not(installed, secrets, cards):
    opening = {"id": "o-1", "card_id": "card-3", "by": "Ann", "timestamp": datetime.now(UTC).isoformat()}
    body = json.dumps(opening).encode()
    signature = hmac.new(secrets["CARDS_HOOK"].encode(), body, hashlib.sha256).hexdigest()
    with serving(installed, secrets) as (_, address):
        url = f"{address}/webhooks/greetings/cards"
        assert httpx.post(url, content=body, headers={"X-Cards-Signature": "0" * 64}).status_code == 401
        assert httpx.post(url, content=body, headers={"X-Cards-Signature": signature}).status_code == 202
        assert httpx.post(url, content=body, headers={"X-Cards-Signature": signature}).status_code == 200
        wait_for(lambda: sent_by_the_flow(cards))
    assert sent_by_the_flow(cards) == ["Thank you for reading card-3."]


def test_flow_that_its_poll_starts_gets_every_new_card_once_over_a_kill(installed, secrets, cards):
    (installed.folder / "flow.yaml").write_text(POLLED_FLOW)
    for reader in ("Ben", "Cleo"):
        with serving(installed, secrets) as (server, _):
            cards.send(reader, "Good evening!")
            wait_for(lambda reader=reader: f"Hello {reader}" in sent_by_the_flow(cards))
            time.sleep(1.2)  # one more look
            server.kill()
    assert sent_by_the_flow(cards) == ["Good evening!", "Hello Ben", "Good evening!", "Hello Cleo"]


def test_polling_finds_every_card_once(installed, secrets):
    result = installed.python("-W", "error", "-c", POLL_TO_THE_END, **secrets)
    assert result.code == 0, result.error
    assert json.loads(result.out) == [f"card-{number}" for number in range(1, 8)]


def test_polling_from_now_on_leaves_out_what_was_there(installed, secrets):
    result = installed.python("-W", "error", "-c", ONLY_NEW, **secrets)
    assert (result.code, json.loads(result.out)) == (0, [])
