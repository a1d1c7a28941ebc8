import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

PATH = "/webhooks/chatforge"
SIGNATURE = "X-ChatForge-Signature"


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {SIGNATURE: hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def lead(**data: object) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"event": "lead.captured", "agent_id": "abc123", "timestamp": now, "data": data}).encode()


def test_signed_event_is_committed_before_it_is_acknowledged(server, sandbox):
    body = lead()
    answer = server.post(PATH, content=body, headers=signed(body, sandbox.webhook_secret))
    assert answer.status_code == 202
    stored = server.read(lambda journal: journal.event(answer.json()["event_id"]))
    assert stored.text == body.decode()
    assert server.post(PATH, content=body, headers=signed(body, sandbox.webhook_secret)).status_code == 200
    assert len(server.read(lambda journal: journal.events(10))) == 1


def test_reserialised_event_is_the_same_event(server, sandbox):
    compact = json.dumps(json.loads(lead(visitor_name="Zoë")), separators=(",", ":"), ensure_ascii=False).encode()
    spaced = json.dumps(json.loads(compact), indent=2).encode()
    headers = signed(compact, sandbox.webhook_secret)
    assert server.post(PATH, content=compact, headers=headers).status_code == 202
    assert server.post(PATH, content=spaced, headers=headers).status_code == 200


def test_unknown_event_is_stored(server, sandbox):
    body = json.dumps({"event": "agent.renamed"}).encode()
    answer = server.post(PATH, content=body, headers=signed(body, sandbox.webhook_secret))
    assert answer.status_code == 202
    assert server.read(lambda journal: journal.events(10))[0].name == "agent.renamed"
    assert not server.runs()


def drip(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536 + 1):
        yield b" " * 65_536


BODY = lead()
GOOD = signed(BODY, "whsec_sandbox")
MALFORMED = b'{"event": "lead.captured", '
DEEP = b'{"event": ' + b"[" * 100 + b"]" * 100 + b"}"


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "sentence"),
    [
        pytest.param(PATH, BODY, {}, 401, SIGNATURE, id="unsigned"),
        pytest.param(PATH, BODY, {SIGNATURE: "0" * 64}, 401, "does not fit", id="forged"),
        pytest.param(PATH, BODY, {SIGNATURE: "x"}, 401, "64 hex", id="no digest"),
        pytest.param(PATH, BODY + b" ", GOOD, 401, "does not fit", id="altered"),
        pytest.param(PATH, drip(3_000_000), GOOD, 413, "1048576", id="large, length not announced"),
        pytest.param(PATH, BODY, {**GOOD, "Content-Encoding": "gzip"}, 415, "gzip", id="compressed"),
        pytest.param(PATH, MALFORMED, signed(MALFORMED, "whsec_sandbox"), 400, "JSON", id="signed, not JSON"),
        pytest.param(PATH, DEEP, signed(DEEP, "whsec_sandbox"), 400, "64", id="signed, too deep"),
        pytest.param("/webhooks/nobody", BODY, GOOD, 404, "nobody", id="unknown connector"),
        pytest.param("/webhooks/contacts", BODY, GOOD, 404, "contacts", id="connector without webhooks"),
        pytest.param(f"{PATH}/acme", BODY, GOOD, 404, "acme", id="unknown connection"),
    ],
)
def test_bad_delivery_is_refused_in_one_sentence_and_stores_nothing(server, path, body, headers, status, sentence):
    answer = server.post(path, content=body, headers=headers)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
    assert not server.read(lambda journal: journal.events(10))
    assert "Traceback" not in server.log()


def test_two_signature_headers_are_refused(server):
    good = GOOD[SIGNATURE]
    answer = server.post(PATH, content=BODY, headers=[(SIGNATURE, good), (SIGNATURE.lower(), good)])
    assert answer.status_code == 401


def test_sender_that_leaves_in_the_middle_costs_nothing(server):
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /webhooks/chatforge HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
    assert server.post(PATH, content=BODY, headers=GOOD).status_code == 202
    assert "Traceback" not in server.log()


def test_probes_answer(server):
    assert httpx.get(f"{server.address}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{server.address}/readyz").status_code == 200
