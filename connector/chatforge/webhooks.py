"""Authenticates and reads the deliveries of ChatForge. Sans I/O: bytes and headers in, an `Event` out.

The vendor's reference ("Signature Verification") signs `JSON.stringify(payload)` with HMAC-SHA256 and sends the
hex digest in `X-ChatForge-Signature`. The bytes that arrive are normally the signed ones. A proxy may have
written the JSON anew; then the signed text is restored as JavaScript would write it.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from connector.chatforge import javascript
from connector.chatforge.times import read_time
from connector.declare import Event
from connector.errors import WebhookError

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_DEPTH",
    "MAX_RESERIALIZED_BYTES",
    "SIGNATURE_HEADER",
    "WebhookError",
    "parse",
    "sign",
    "verify",
]

SIGNATURE_HEADER = "X-ChatForge-Signature"
MAX_BODY_BYTES = 1_048_576
MAX_RESERIALIZED_BYTES = 256_000
MAX_DEPTH = 64

_SIGNATURE = re.compile(r"(?:sha256=)?([0-9a-fA-F]{64})")


def sign(body: bytes | str, secret: str) -> str:
    """Return the hex digest that ChatForge sends for this body: HMAC-SHA256, 64 lower-case digits."""
    return _digest(body.encode() if isinstance(body, str) else body, secret).hex()


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, reserialized: bool = True) -> str:
    """Return the authenticated text of a delivery.

    It is the body as it came where that was signed; otherwise, for bodies up to 256 kB, what `JSON.stringify`
    makes of it, where that was signed. `reserialized=False` switches the second way off.

    `secrets` are the live ones; empty ones never match. Raises `WebhookError`, whatever bytes and headers come:
    503 without a secret, 413 over 1 MiB, 415 for a content encoding, 401 for a missing, malformed or wrong
    signature, 400 for a signed body that is not UTF-8.
    """
    live = _live_secrets(secrets)
    if len(body) > MAX_BODY_BYTES:
        raise WebhookError(
            f"the body has {len(body)} bytes, expected at most {MAX_BODY_BYTES}; send a smaller one", status=413
        )
    _refuse_content_encoding(headers)
    signature = _read_signature(headers)
    if _is_signed(body, signature, live):
        return _decode(body)
    if reserialized and len(body) <= MAX_RESERIALIZED_BYTES:
        text = _reserialize(body)
        if text is not None and _is_signed(text.encode(), signature, live):
            return text
    raise WebhookError(
        f"the {SIGNATURE_HEADER} header does not fit the body under any live webhook secret; "
        "compare CHATFORGE_WEBHOOK_SECRET with the secret in the dashboard",
        status=401,
    )


def parse(text: str) -> Event:
    """Read the text that `verify` returned; raises `WebhookError` with status 400 where it is not an event.

    Only `event` is required, and any non-empty string will do. A `timestamp` that is missing or not ISO 8601
    leaves `occurred_at` None; one without an offset is read as UTC. The identity is the SHA-256 hex digest of
    the text as `JSON.stringify` writes it, so that a delivery keeps it when a proxy writes the JSON anew.
    """
    payload = _read_object(text)
    name = payload.get("event")
    if not isinstance(name, str) or not name:
        raise WebhookError(
            f"the field 'event' of the body is {_quote(name)}, expected a non-empty string such as 'lead.captured'",
            status=400,
        )
    return Event(
        name=name,
        identity=hashlib.sha256(javascript.rewrite(text).encode()).hexdigest(),
        occurred_at=read_time(payload.get("timestamp")),
        payload=payload,
    )


def _live_secrets(secrets: Sequence[str]) -> list[str]:
    if isinstance(secrets, str):
        raise TypeError("secrets must be a list of strings: the letters of one string would each be a secret")
    live = [secret for secret in secrets if secret]
    if not live:
        raise WebhookError(
            "no webhook secret is configured, so that no delivery can be checked; set CHATFORGE_WEBHOOK_SECRET "
            "to the secret from the dashboard's Integrations tab",
            status=503,  # the sender's delivery may be good: it should come again
        )
    return live


def _refuse_content_encoding(headers: Mapping[str, str]) -> None:
    for value in _header_values(headers, "content-encoding"):
        if not isinstance(value, str) or value.strip().lower() not in ("", "identity"):
            raise WebhookError(
                f"the Content-Encoding header is {_quote(value)}, expected none; send the body uncompressed",
                status=415,
            )


def _read_signature(headers: Mapping[str, str]) -> bytes:
    values = _header_values(headers, SIGNATURE_HEADER.lower())
    if len(values) != 1:
        found = f"came {len(values)} times, expected it once" if values else "is missing"
        raise WebhookError(f"the {SIGNATURE_HEADER} header {found}; sign the body with the webhook secret", status=401)
    match = _SIGNATURE.fullmatch(values[0]) if isinstance(values[0], str) else None
    if match is None:
        # The value is not quoted: a sender that is set up wrongly may have put the secret there.
        raise WebhookError(
            f"the {SIGNATURE_HEADER} header is malformed, expected 64 hexadecimal digits, optionally after "
            "'sha256='; send the HMAC-SHA256 of the body",
            status=401,
        )
    return bytes.fromhex(match[1])


def _header_values(headers: Mapping[str, str], lower_case_name: str) -> list[object]:
    # Not by lookup: a mapping may hold a header twice, in two spellings or as a multi-dict.
    return [value for name, value in headers.items() if isinstance(name, str) and name.lower() == lower_case_name]


def _is_signed(body: bytes, signature: bytes, secrets: Sequence[str]) -> bool:
    # All are compared before the first answer: the time taken must not tell which secret matched.
    matches = [hmac.compare_digest(_digest(body, secret), signature) for secret in secrets]
    return any(matches)


def _digest(body: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), body, "sha256")


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WebhookError(
            f"the body is not UTF-8 at byte {error.start}, expected UTF-8 JSON; send it as JSON.stringify writes it",
            status=400,
        ) from None


def _reserialize(body: bytes) -> str | None:
    try:
        text = body.decode("utf-8")
        return None if javascript.nests_deeper(text, MAX_DEPTH) else javascript.rewrite(text)
    except ValueError:
        return None


def _read_object(text: str) -> dict[str, javascript.JsonValue]:
    if javascript.nests_deeper(text, MAX_DEPTH):
        raise WebhookError(
            f"the body is nested more than {MAX_DEPTH} levels deep, expected an event; send a flatter one", status=400
        )
    try:
        value = javascript.read(text)
    except ValueError as error:
        raise WebhookError(
            f"the body is not JSON ({error}), expected a JSON object; send it as JSON.stringify writes it",
            status=400,
        ) from None
    if not isinstance(value, dict):
        raise WebhookError(
            f"the body is {_quote(value)}, expected a JSON object with the fields of an event", status=400
        )
    return value


def _quote(value: object) -> str:
    quoted = repr(value)
    return quoted if len(quoted) <= 80 else f"{quoted[:80]}…"
