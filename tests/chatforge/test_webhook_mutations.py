import json
import random
from collections.abc import Callable

import pytest

from connector.chatforge.webhooks import WebhookError, parse, sign, verify

NAME = "X-ChatForge-Signature"
SECRET = "whsec_test_5f2b9c1d"
ORIGINAL = (
    '{"event":"lead.captured","agent_id":"abc123","timestamp":"2026-03-25T10:30:00Z",'
    '"data":{"visitor_name":"Ann é \\u001f\\ud83d","score":1.5,"visits":10,"none":0,"big":1e+21,"tags":["a"]}}'
).encode()
LIKELY = b' \t\n\r0eE+-.FD"\\,\x00'


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Insert, replace or delete one byte; the result differs from `data`."""
    mutated = data
    while mutated == data:
        at = rng.randrange(len(data) + 1)
        byte = bytes([rng.choice(LIKELY) if rng.random() < 0.5 else rng.randrange(256)])
        kept, byte = rng.choice([(at, byte), (at + 1, byte), (at + 1, b"")])
        mutated = data[:at] + byte + data[kept:]
    return mutated


def members(body: bytes) -> object:
    """Read JSON independently of the code under test; equal results mean the same text for JSON.stringify."""
    try:
        return json.loads(body.decode("utf-8"), parse_int=float, object_pairs_hook=list)
    except ValueError:
        return None


def deliver_with_body(mutated: bytes, signature: str) -> tuple[int, bool]:
    return status_of({NAME: signature}, mutated, SECRET), members(mutated) == members(ORIGINAL)


def deliver_with_header(mutated: bytes, signature: str) -> tuple[int, bool]:
    value = mutated.decode("latin-1")
    return status_of({NAME: value}, ORIGINAL, SECRET), value.lower() == signature


def deliver_with_secret(mutated: bytes, signature: str) -> tuple[int, bool]:
    # HMAC pads a short key with NUL, so that one more of them makes the same key.
    value = mutated.decode("latin-1")
    return status_of({NAME: signature}, ORIGINAL, value), value.rstrip("\0") == SECRET


def status_of(headers: dict[str, str], body: bytes, secret: str) -> int:
    try:
        parse(verify(headers, body, [secret]))
    except WebhookError as refusal:
        return refusal.status
    return 202


@pytest.mark.parametrize(
    "count", [pytest.param(5_000, id="sample"), pytest.param(100_000, id="torture", marks=pytest.mark.torture)]
)
@pytest.mark.parametrize(
    ("original", "deliver"),
    [
        (ORIGINAL, deliver_with_body),
        (sign(ORIGINAL, SECRET).encode(), deliver_with_header),
        (SECRET.encode(), deliver_with_secret),
    ],
    ids=["body", "header", "secret"],
)
def test_one_byte_mutation_is_refused_unless_it_means_the_same(
    count: int, original: bytes, deliver: Callable[[bytes, str], tuple[int, bool]]
) -> None:
    seed = 20_261_122
    rng = random.Random(seed)  # noqa: S311  # a reproducible sample, nothing secret
    signature, same = sign(ORIGINAL, SECRET), 0
    for number in range(count):
        mutated = mutate(original, rng)
        status, means_the_same = deliver(mutated, signature)
        assert status == (202 if means_the_same else 401), f"seed {seed}, mutation {number}: {mutated!r}"
        same += means_the_same
    assert 0 < same < count // 10
