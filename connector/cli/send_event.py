"""`chatforge send-event`."""

import asyncio
import copy
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from connector.chatforge import javascript, samples
from connector.chatforge.connection import WEBHOOK
from connector.chatforge.webhooks import SIGNATURE_HEADER, sign
from connector.cli import exits, output
from connector.cli.exits import UsageError
from connector.cli.loading import load_adapter
from connector.cli.progress import working
from connector.transport import HttpOptions, open_client, open_transport


def send_event(
    event: Annotated[str, typer.Argument(help="The name of the event, such as lead.captured.", show_default=False)],
    to: Annotated[str, typer.Option(help="Where to send it.")] = "http://127.0.0.1:8080/webhooks/chatforge",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change the sample, as in data.visitor_name=Ann."),
    ] = None,
) -> int:
    """Send a signed sample event to a server, as ChatForge would.

    Its agent abc123 exists nowhere: give one of yours. chatforge.lead_captured waits for the lead to be listed, and as
    the sample never is, it starts its flow after `wait_for_lead`, two minutes unless the flow says otherwise.

    Example: chatforge send-event lead.captured --set agent_id=ID
    """
    adapter = load_adapter(Path.cwd())
    now = datetime.now(UTC)
    secret = WEBHOOK.secrets(adapter.connection("chatforge"), now)[0]
    body = javascript.write(sample(samples.EVENT, now, event, changes or [])).encode()
    with working("waits for the answer"):
        status, answer = asyncio.run(_post(to, body, sign(body, secret)))
    output.line(f"{status} ", answer)
    if status == 401:
        return exits.AUTHENTICATION
    return exits.DONE if 200 <= status < 300 else exits.FAILED


def sample(
    original: Mapping[str, Any], now: datetime, event: str | None = None, changes: Sequence[str] = ()
) -> dict[str, Any]:
    """A sample payload, dated now, under another name where given, and with the changes."""
    payload: dict[str, Any] = copy.deepcopy(dict(original))
    if "timestamp" in payload:
        payload["timestamp"] = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    if event is not None:
        payload["event"] = event
    for change in changes:
        path, equals, value = change.partition("=")
        *parents, name = path.split(".")
        target = payload
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                break
        if not equals or not all([*parents, name]) or not isinstance(target, dict):
            raise UsageError(f"--set {change!r}: expected PATH=VALUE, such as data.visitor_email=ann@example.com")
        target[name] = value
    return payload


async def _post(url: str, body: bytes, signature: str) -> tuple[int, str]:
    options = HttpOptions(url, base_url_setting="--to")
    transport = open_transport(options)
    try:
        async with open_client(options, transport) as client:
            headers = {SIGNATURE_HEADER: signature, "Content-Type": "application/json"}
            answer = await client.post(url, content=body, headers=headers)
            return answer.status_code, answer.text.strip()
    finally:
        await transport.aclose()
